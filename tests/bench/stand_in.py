"""Stands in for ansible-playbook: appends prepared events as the callback plugin does, one write each.

Waits until the file `release` lies beside it. With `events_per_second` each event is stamped and written when its time has
come, and what Ansible would print goes to stdout beside it; without, everything is written as fast as it goes.
"""

import datetime
import json
import os
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def stamped(line):
    """The line with the present moment as its `ts`."""
    head, rest = line.split(b'"ts":"', 1)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return head + b'"ts":"' + now.encode() + rest[27:]


def pace(spool, output, events, rate):
    began = time.monotonic()
    for number, line in enumerate(spool):
        early = began + number / rate - time.monotonic()
        if early > 0:
            time.sleep(early)
        os.write(events, stamped(line))
        if b'"runner_on_ok"' in line or b'"runner_on_skipped"' in line:
            sys.stdout.buffer.write(output.readline())
            sys.stdout.buffer.flush()


def main():
    if "--version" in sys.argv:
        print("ansible-playbook [core 2.19.14]")
        return
    if "--syntax-check" in sys.argv:
        return
    with open(os.path.join(HERE, "stand_in.json")) as file:
        settings = json.load(file)
    events = os.open(os.environ["ADMIRAL_EVENTS_PATH"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    while not os.path.exists(os.path.join(HERE, "release")):
        time.sleep(0.01)
    with open(settings["spool"], "rb") as spool, open(settings["output"], "rb") as output:
        if settings["events_per_second"]:
            pace(spool, output, events, settings["events_per_second"])
        else:
            with os.fdopen(events, "wb") as target:
                shutil.copyfileobj(spool, target, 1 << 20)
            shutil.copyfileobj(output, sys.stdout.buffer, 1 << 20)


main()
