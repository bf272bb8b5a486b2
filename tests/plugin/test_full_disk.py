"""A full disk loses events and nothing else: no line is mixed with another, and once there is room the loss is told."""

from __future__ import annotations

import json

import pytest
from test_harmless import broken_plugin, shown

# The kernel refuses to let files grow beyond a limit, in the midst of a line if need be: a disk without room as far as the
# plugin can tell. From the task "First" to the task "Last" there is room for so many bytes more.
FULL = """
import resource

HARD = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
plain_write, plain_append = CallbackModule._write, CallbackModule._append


def is_start(name, fields, task):
    return name == "playbook_on_task_start" and fields.get("task") == task


def write(self, name, fields):
    self.filling = is_start(name, fields, "First")
    if is_start(name, fields, LAST):
        resource.setrlimit(resource.RLIMIT_FSIZE, (HARD, HARD))
    plain_write(self, name, fields)


def append(self, line):
    if self.filling:
        self.filling = False
        size = os.fstat(self._descriptor).st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + (ROOM), HARD))
    plain_append(self, line)


CallbackModule._write, CallbackModule._append = write, append
"""


@pytest.fixture(scope="module")
def bare(ansible, fresh_dir):
    return ansible.play("small.yml", fresh_dir(), plugin_directory=None)


@pytest.mark.parametrize(
    ("room", "lost", "torn"),
    [("0", 6, 0), ("40", 6, 1), ("len(line) - 1", 5, 0)],
    ids=["at a line's begin", "in a line", "before a line's end"],
)
def test_lost_events_are_counted_and_told_once_there_is_room(ansible, fresh_dir, bare, room, lost, torn):
    plugin = broken_plugin(fresh_dir(), f"LAST = 'Last'\n{FULL}".replace("ROOM", room))
    run = ansible.play("small.yml", fresh_dir(), plugin_directory=plugin)
    assert shown(run) == shown(bare)
    events, broken = readable(run)
    assert len(broken) == torn and all(len(line) <= 41 for line in broken)
    (report,) = [event for event in events if event["event"] == "admiral_plugin_error"]
    assert report["data"]["lost"] == lost
    assert report["data"]["message"].startswith(f"{lost} events could not be written: [Errno 27]")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    after = events[events.index(report) + 1 :]
    assert [event["event"] for event in after] == [
        "playbook_on_task_start",
        "runner_on_start",
        "runner_on_failed",
        "playbook_on_stats",
    ]
    alpha = after[-1]["stats"]["alpha"]
    assert after[0]["task"] == "Last" and (alpha["ok"], alpha["failures"]) == (2, 1)


def test_a_disk_that_stays_full_changes_nothing(ansible, fresh_dir, bare):
    plugin = broken_plugin(fresh_dir(), f"LAST = None\n{FULL}".replace("ROOM", "40"))
    run = ansible.play("small.yml", fresh_dir(), plugin_directory=plugin)
    assert shown(run) == shown(bare)
    events, broken = readable(run)
    assert [event["event"] for event in events] == ["playbook_on_start", "playbook_on_play_start"]
    assert len(broken) == 1 and not broken[0].endswith(b"\n")


def readable(run):
    """The events, and the lines that are none."""
    events, broken = [], []
    for line in run.lines:
        try:
            events.append(json.loads(line))
        except ValueError:
            broken.append(line)
    return events, broken
