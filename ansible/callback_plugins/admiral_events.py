# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is part of Admiral.
#
# It runs inside ansible-playbook and uses ansible-core's Python API, so it is licensed like ansible-core: you can
# redistribute it and/or modify it under the terms of the GNU General Public License as published by the Free Software
# Foundation, either version 3 of the License, or (at your option) any later version. It comes WITHOUT ANY WARRANTY;
# see https://www.gnu.org/licenses/ for details.
"""Writes every playbook event as one line of JSON, for Admiral to read while the run goes on.

The plugin is a guest in somebody's deployment. It prints nothing, waits for nothing and never raises: its own trouble
becomes an ``admiral_plugin_error`` event, and when even that cannot be written the run goes on without events.
"""

from __future__ import annotations

import datetime
import json
import os
import time
from collections.abc import Mapping, Sequence, Set

from ansible import context
from ansible.playbook.handler import Handler
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__ as ANSIBLE_VERSION

DOCUMENTATION = """
name: admiral_events
type: aggregate
short_description: write playbook events as lines of JSON
description:
  - Appends one line of JSON per event to a file that Admiral follows while the playbook runs.
  - Does nothing when no path is configured. Never changes the output or the exit code of a run.
  - Honours C(no_log) for results and loop labels.
requirements:
  - enable in configuration
options:
  events_path:
    description: File the events are appended to. It is created with mode 0600. Without it the plugin is off.
    type: path
    env:
      - name: ADMIRAL_EVENTS_PATH
    ini:
      - section: callback_admiral_events
        key: events_path
  max_line_bytes:
    description:
      - Longest line in bytes, newline included. Longer results are cut and marked as truncated.
      - Values below 4096 count as 4096. The final statistics are never cut.
    type: int
    default: 262144
    env:
      - name: ADMIRAL_EVENTS_MAX_LINE
    ini:
      - section: callback_admiral_events
        key: max_line_bytes
"""

WIRE_VERSION = 1
PLUGIN_VERSION = 1
DEFAULT_MAX_LINE = 262144
SMALLEST_MAX_LINE = 4096
LONGEST_NAME = 4096
"""Characters kept of a task name, a loop label and other short texts."""
DEEPEST_NESTING = 60
"""JSON readers commonly stop at 128 levels; events add a few of their own."""
MOST_NODES = 500_000
MOST_CHARACTERS = 32 * 1024 * 1024
"""Bounds on the work for one event: YAML anchors can make a small value expand without end."""

CENSORED = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
CENSORED_LABEL = "(censored due to no_log)"
FACT_ACTIONS = frozenset(
    prefix + name for prefix in ("", "ansible.builtin.", "ansible.legacy.") for name in ("setup", "gather_facts")
)
# `include_args` carries the variables of an include and `ansible_loop` all the items of a loop, secret ones among them.
DROPPED_KEYS = frozenset(("invocation", "include_args", "ansible_loop"))


def shorten(text, limit=LONGEST_NAME):
    """Cut `text` to `limit` characters and say how many bytes are missing."""
    if len(text) <= limit:
        return text
    missing = len(text[limit:].encode("utf-8", "replace"))
    return "%s…[truncated %d bytes]" % (text[:limit], missing)


def plain_text(text):
    """A plain `str` without lone surrogates, which no strict JSON reader accepts."""
    if text.isascii():
        return str.__str__(text)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return str.__str__(text)


class PlainJson:
    """Turns whatever Ansible hands over into dicts, lists, strings and numbers; one instance per value."""

    def __init__(self):
        self.truncated = False
        self._nodes = MOST_NODES
        self._characters = MOST_CHARACTERS
        self._open = set()

    def convert(self, value, depth=0):
        """Convert `value`; Ansible's internal `_ansible_*` keys are left out at every level."""
        if value is None or value is True or value is False:
            return value
        self._nodes -= 1
        if self._nodes < 0:
            self.truncated = True
            return "…[truncated]"
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, float):
            number = float(value)
            return number if number - number == 0 else repr(number)
        if isinstance(value, (bytes, bytearray)):
            return self._text(bytes(value).decode("utf-8", "replace"))
        if hasattr(value, "_ciphertext"):
            return "(vault encrypted)"
        if isinstance(value, (Mapping, Sequence, Set)):
            return self._container(value, depth)
        if isinstance(value, (datetime.date, datetime.time)):
            return value.isoformat()
        try:
            return self._text(str(value))
        except Exception:
            return "(%s)" % type(value).__name__

    def _text(self, text):
        self._characters -= len(text)
        if self._characters < 0:
            self.truncated = True
            return "…[truncated %d bytes]" % len(text.encode("utf-8", "replace"))
        return plain_text(text)

    @staticmethod
    def _integer(value):
        number = int(value)
        if -(1 << 63) <= number < 1 << 64:
            return number
        # Readers keep wider numbers as imprecise floats or refuse them; very wide ones have no decimal text in Python.
        return str(number) if number.bit_length() < 4096 else hex(number)

    def _container(self, value, depth):
        if depth >= DEEPEST_NESTING:
            self.truncated = True
            return "…[nested too deeply]"
        if id(value) in self._open:
            return "…[refers to itself]"
        self._open.add(id(value))
        try:
            if isinstance(value, Mapping):
                return {
                    self._key(key): self.convert(entry, depth + 1)
                    for key, entry in value.items()
                    if not (isinstance(key, str) and key.startswith("_ansible_"))
                }
            if isinstance(value, Set):
                value = sorted(value, key=str)
            return [self.convert(entry, depth + 1) for entry in value]
        finally:
            self._open.discard(id(value))

    def _key(self, key):
        converted = self.convert(key, DEEPEST_NESTING - 2)
        return converted if isinstance(converted, str) else json.dumps(converted)


to_json = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def encode(event):
    """One line of the wire format."""
    return to_json(event).encode("ascii") + b"\n"


def encoded_length(value):
    return len(json.dumps(value, ensure_ascii=True))


def string_lengths(value, found):
    """Collect the encoded length of every string in `value`."""
    if isinstance(value, str):
        found.append(encoded_length(value))
    elif isinstance(value, dict):
        for entry in value.values():
            string_lengths(entry, found)
    elif isinstance(value, list):
        for entry in value:
            string_lengths(entry, found)
    return found


def cut_strings(value, longest):
    """A copy of `value` whose strings take about `longest` encoded bytes at most."""
    if isinstance(value, str):
        if len(value) * 12 <= longest:
            return value
        length = encoded_length(value)
        return value if length <= longest else shorten(value, len(value) * longest // length)
    if isinstance(value, dict):
        return {key: cut_strings(entry, longest) for key, entry in value.items()}
    if isinstance(value, list):
        return [cut_strings(entry, longest) for entry in value]
    return value


def cut_level(lengths, excess):
    """The length to cut strings to, so that `excess` bytes go from the longest ones and the others stay whole."""
    mark = 48
    lengths = sorted(lengths, reverse=True)
    saved = 0
    for count, length in enumerate(lengths, 1):
        following = lengths[count] if count < len(lengths) else 0
        saved += (length - following) * count
        if saved >= excess + count * mark:
            return following + (saved - excess - count * mark) // count
    return 0


def fit(event, max_line):
    """Encode `event` in at most `max_line` bytes, at the cost of the longest strings of its result and diff."""
    line = encode(event)
    if len(line) <= max_line:
        return line
    event = dict(event, truncated=True)
    result = event.get("result")
    if isinstance(result, dict):
        # The same text a second time, line by line.
        event["result"] = {
            key: entry
            for key, entry in result.items()
            if not (key in ("stdout_lines", "stderr_lines") and key[:6] in result)
        }
    for _attempt in range(4):
        line = encode(event)
        if len(line) <= max_line:
            return line
        bulk = {key: event[key] for key in ("result", "diff") if key in event}
        level = cut_level(string_lengths(bulk, []), len(line) - max_line + 64)
        if level < 16:
            break
        event.update(cut_strings(bulk, level))
    return _fit_remains(event, max_line)


def _fit_remains(event, max_line):
    """Give up first the result and diff, then lists of hosts, then all that is not needed to place the event."""
    event.pop("diff", None)
    if "result" in event:
        message = event["result"].get("msg")
        if not isinstance(message, str):
            message = "the result is longer than an event may be"
        event["result"] = {"msg": shorten(message, max_line // 48), "truncated": True}
    line = encode(event)
    if len(line) <= max_line:
        return line
    hosts = event.pop("hosts", None)
    data = {key: entry for key, entry in event.get("data", {}).items() if not isinstance(entry, list)}
    if hosts is not None:
        data["hosts_count"] = len(hosts)
    if data:
        event["data"] = data
    line = encode(event)
    if len(line) <= max_line:
        return line
    kept = ("v", "seq", "ts", "event", "play_id", "task_id", "task", "host", "changed", "ignore_errors", "truncated")
    return encode({key: shorten(event[key], 80) if key == "task" else event[key] for key in kept if key in event})


def fit_stats(event, max_line):
    """Encode final statistics: every host stays, whatever the size; only an outsized `custom` is left out."""
    if "custom" in event and encoded_length(event["custom"]) > max_line:
        event = dict(event, truncated=True)
        del event["custom"]
    return encode(event)


def hides(task, result):
    """Whether `no_log` covers `result`, in every way Ansible has of saying so."""
    if result.get("_ansible_no_log"):
        return True
    if str(result.get("censored", "")).startswith("the output has been hidden"):
        return True
    no_log = task.no_log
    if isinstance(no_log, str):
        # A template nobody evaluated, because the task ended before: only an explicit word from Ansible lifts it.
        return "_ansible_no_log" not in result
    return bool(no_log)


def restore_environment():
    """Give variables that were set to have us loaded their former values: what the run starts itself must not inherit ours."""
    try:
        former = json.loads(os.environ.pop("ADMIRAL_EVENTS_RESTORE", "{}"))
        for name, value in former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    except Exception:
        return


def recorded(name, describe):
    """The `v2_*` method that writes what `describe` tells about the event, and lets no exception out."""

    def callback(self, *args, **kwargs):
        try:
            event = describe(self, *args, **kwargs)
            if event is not None:
                self._write(name, event)
        except Exception as error:
            self._report_trouble(name, args, error)

    return callback


class CallbackModule(CallbackBase):
    """Appends events to the file named by the option `events_path`; see the wire format for the fields."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "admiral_events"
    # Whoever names the file for the events has enabled us: a user's own list of enabled callbacks stays as it is.
    CALLBACK_NEEDS_ENABLED = "ADMIRAL_EVENTS_PATH" not in os.environ
    CALLBACK_NEEDS_WHITELIST = CALLBACK_NEEDS_ENABLED

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._descriptor = None
        self._line_broken = False
        self._lost = 0
        self._lost_error = None
        self._max_line = DEFAULT_MAX_LINE
        self._seq = 0
        self._forget_play()

    def set_options(self, task_keys=None, var_options=None, direct=None):
        """Open the events file; without a path, or when it cannot be opened, switch the plugin off."""
        trouble = None
        try:
            super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
            path = self.get_option("events_path")
            self._max_line = max(SMALLEST_MAX_LINE, self.get_option("max_line_bytes"))
        except Exception as error:
            path = os.environ.get("ADMIRAL_EVENTS_PATH")
            trouble = error
        try:
            # O_NONBLOCK: a named pipe without a reader must not stop the run; it changes nothing for a file.
            flags = os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_WRONLY | os.O_NONBLOCK
            self._descriptor = os.open(path, flags, 0o600) if path else None
        except Exception:
            self._descriptor = None
        # A playbook that itself calls ansible-playbook must not mix that run's events into this one's.
        os.environ.pop("ADMIRAL_EVENTS_PATH", None)
        restore_environment()
        self.disabled = self._descriptor is None
        if trouble is not None:
            self._report_trouble("set_options", (), trouble)

    def _forget_play(self):
        self._play = {}
        self._tasks = {}
        self._started = {}
        self._running = {}

    def _describe_nothing(self):
        return {}

    def _describe_playbook(self, playbook):
        data = {"playbook": playbook._file_name, "ansible_version": ANSIBLE_VERSION, "plugin_version": PLUGIN_VERSION}
        return {"data": dict(data, check_mode=bool(context.CLIARGS.get("check")), pid=os.getpid())}

    def _describe_play(self, play):
        self._forget_play()
        self._play = {"play_id": str(play._uuid), "play": shorten(plain_text(play.get_name().strip()))}
        return {"hosts": self._hosts_of(play)}

    def _describe_prompt(self, varname, private=True, prompt=None, *_args, **_kwargs):
        # Neither the default nor the salt: they may be secret.
        return {"data": {"variable": varname, "private": bool(private), "prompt": prompt}}

    def _describe_notification(self, handler, host):
        name = handler.get_name() if hasattr(handler, "get_name") else str(handler)
        return {"host": host.get_name(), "data": {"handler": name}}

    def _describe_include(self, included_file):
        task = included_file._task
        item = self._label(included_file._vars, hides(task, {}))
        hosts = [host.name for host in included_file._hosts]
        return dict(self._task(task), item=item, data={"file": included_file._filename, "hosts": hosts})

    def _describe_stats(self, stats):
        summaries = {host: stats.summarize(host) for host in sorted(stats.processed)}
        return {"stats": summaries, "custom": stats.custom or None}

    @staticmethod
    def _hosts_of(play):
        """Names of the hosts of this play or batch; Ansible has looked them up just before and remembers them."""
        try:
            inventory = play.get_variable_manager()._inventory
            return [host.name for host in inventory.get_hosts(play.hosts)]
        except Exception:
            return None

    def _describe_task(self, task, is_conditional=False):
        """Describe `task` now: only here has the strategy put the templated name in place."""
        self._tasks.pop(task._uuid, None)
        return dict(self._task(task))

    def _task(self, task):
        """The fields that name `task`, remembered for its results."""
        fields = self._tasks.get(task._uuid)
        if fields is None:
            role = task._role
            fields = self._tasks[task._uuid] = {
                "task_id": str(task._uuid),
                "task": shorten(plain_text(task.get_name().strip())),
                "action": self._action(task),
                "path": task.get_path() or None,
                "role": role.get_name() if role else None,
                "handler": True if isinstance(task, Handler) else None,
            }
        elif "{{" in fields["action"]:
            fields["action"] = self._action(task)
        return fields

    @staticmethod
    def _action(task):
        # From 2.19 on `resolved_action` is a property that may print a warning; the attribute behind it does not.
        resolved = getattr(task, "_resolved_action", None) or task.__dict__.get("resolved_action")
        return shorten(plain_text(str(resolved or task.action)), 256)

    def _describe_start(self, host, task):
        name = host.get_name()
        self._started[name, task._uuid] = time.monotonic()
        self._running[name] = task
        return dict(self._task(task), host=name, delegated_to=self._delegate(task))

    @staticmethod
    def _delegate(task):
        delegate = task.delegate_to
        return delegate if isinstance(delegate, str) and delegate and "{{" not in delegate else None

    @staticmethod
    def _parts(result):
        """Host, task and data of a result, by their public names where ansible-core has them (2.19 and later)."""
        if hasattr(result, "task_fields"):
            return result.host.get_name(), result.task, result.result
        return result._host.get_name(), result._task, result._result

    def _result(self, result, task=None, **fields):
        """The fields of any result; `task` stands in for a task that ansible-core made up for itself."""
        host, own_task, data = self._parts(result)
        task = task or own_task
        hidden = hides(own_task, data) or hides(task, data)
        event = dict(self._task(task), host=host, delegated_to=self._delegate(task))
        event["result"] = {"censored": CENSORED} if hidden else self._clean(event["action"], data)
        event.update(fields)
        return event

    @staticmethod
    def _clean(action, data):
        cleaned = {key: entry for key, entry in data.items() if key not in DROPPED_KEYS}
        if "ansible_facts" in cleaned and action in FACT_ACTIONS:
            del cleaned["ansible_facts"]
            cleaned["ansible_facts_dropped"] = True
        if cleaned.get("exception") == "(traceback unavailable)":
            del cleaned["exception"]
        if isinstance(cleaned.get("async_result"), Mapping):
            nested = cleaned["async_result"].items()
            cleaned["async_result"] = {key: entry for key, entry in nested if key != "invocation"}
        return cleaned

    def _final_result(self, result, **fields):
        """The result of a host's whole task. The items of a loop had events of their own."""
        host, task, data = self._parts(result)
        event = self._result(result, changed=bool(data.get("changed")), **fields)
        started = self._started.pop((host, task._uuid), None)
        if started is not None:
            event["duration"] = round(time.monotonic() - started, 6)
        outcome = event["result"]
        if (task.loop is not None or task.loop_with) and ("results" in outcome or "censored" in outcome):
            event["loop"] = True
            items = outcome.pop("results", None)
            if isinstance(items, Sequence):
                outcome["results_count"] = len(items)
        return event

    def _failed_result(self, result, ignore_errors=False):
        return self._final_result(result, ignore_errors=bool(ignore_errors))

    def _unreachable_result(self, result):
        ignored = self._parts(result)[1].ignore_unreachable
        return self._final_result(result, ignore_unreachable=True if ignored else None)

    def _import_result(self, result, file):
        return self._result(result, data={"file": file})

    def _retry_result(self, result):
        data = self._parts(result)[2]
        return self._result(result, data={key: data[key] for key in ("attempts", "retries") if key in data})

    def _item_result(self, result):
        data = self._parts(result)[2]
        event = self._result(result, changed=bool(data.get("changed")))
        hidden = "censored" in event["result"]
        event["item"] = self._label(data, hidden)
        variable = data.get("ansible_loop_var", "item")
        if not hidden and variable in data and data.get("_ansible_item_label") != data[variable]:
            # The author chose a label to show instead of the item, often because the item holds a secret.
            event["result"].pop(variable, None)
        return event

    @staticmethod
    def _label(variables, hidden):
        if hidden:
            return CENSORED_LABEL
        label = variables.get("_ansible_item_label", variables.get("item"))
        if label is not None and not isinstance(label, str):
            label = json.dumps(PlainJson().convert(label), ensure_ascii=False)
        return label if label is None else shorten(plain_text(label))

    def _async_result(self, result):
        host, task, data = self._parts(result)
        # Polls arrive with a made-up `async_status` task; they belong to the task this host is at.
        if task._uuid not in self._tasks:
            task = self._running.get(host, task)
        nested = data.get("async_result")
        job = data.get("ansible_job_id") or (nested.get("ansible_job_id") if isinstance(nested, Mapping) else None)
        # Jobs that ended have these as well, but there they only say so once more.
        details = {} if data.get("finished") else {key: data[key] for key in ("started", "finished") if key in data}
        return self._result(result, task=task, data=dict(details, jid=job))

    def _diff(self, result):
        """A diff, or nothing: Ansible also calls for items without one when the run shows diffs."""
        host, task, data = self._parts(result)
        diff = data.get("diff")
        if not diff or hides(task, data):
            return None
        event = dict(self._task(task), host=host, delegated_to=self._delegate(task), diff=diff)
        if "_ansible_item_label" in data:
            event["item"] = self._label(data, False)
        return event

    def _write(self, name, fields):
        if self._lost and not self._report_lost():
            self._lost += 1
            return
        stats = fields.pop("stats", None)
        converter = PlainJson()
        fields = converter.convert({key: entry for key, entry in fields.items() if entry is not None})
        event = {"v": WIRE_VERSION, "seq": self._seq + 1, "ts": self._now(), "event": name}
        if name not in ("playbook_on_start", "playbook_on_vars_prompt", "playbook_on_stats"):
            event.update(self._play)
        event.update(fields)
        if converter.truncated:
            event["truncated"] = True
        if stats is None:
            self._append(fit(event, self._max_line))
        else:
            event["stats"] = {plain_text(host): summary for host, summary in stats.items()}
            self._append(fit_stats(event, self._max_line))

    @staticmethod
    def _now():
        # A third quicker than `strftime`; what is cut off is `+00:00`.
        return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds")[:-6] + "Z"

    def _report_lost(self):
        """Say how many events a full disk swallowed, once it takes lines again; without that, nothing else is written."""
        error = shorten(plain_text(str(self._lost_error)), 200)
        details = {
            "callback": "write",
            "exception": type(self._lost_error).__name__,
            "lost": self._lost,
            "message": "%d events could not be written: %s" % (self._lost, error),
        }
        event = {"v": WIRE_VERSION, "seq": self._seq + 1, "ts": self._now(), "event": "admiral_plugin_error"}
        event["data"] = details
        lost, self._lost = self._lost, 0
        self._append(encode(event))
        if self._lost:
            # The report itself is not an event that was lost.
            self._lost = lost
            return False
        return True

    def _append(self, line):
        """Write one line with one call. After a line that went in partly, the next starts on a line of its own."""
        if self._descriptor is None:
            return
        started = self._line_broken
        if started:
            line = b"\n" + line
        written = 0
        try:
            while written < len(line):
                count = os.write(self._descriptor, line[written:])
                if count == 0:
                    raise OSError("nothing was written")
                written += count
        except OSError as error:
            if written and written == len(line) - 1:
                # All but its end: the next line brings that along.
                self._line_broken = True
                self._seq += 1
                return
            # Of a line that began only with the end of the broken one before it, that end may be all that went in.
            self._line_broken = started if written == 0 else not (started and written == 1)
            self._lost += 1
            self._lost_error = error
            return
        self._line_broken = False
        self._seq += 1

    def _report_trouble(self, name, args, error):
        """Record that an event was lost. The text of the exception stays out when `no_log` may cover it."""
        try:
            details = {"callback": name, "exception": type(error).__name__}
            event = {"data": details}
            visible = True
            for argument in args:
                if hasattr(argument, "_host") and hasattr(argument, "_task"):
                    host, task, data = self._parts(argument)
                    event.update(host=host, task_id=str(task._uuid))
                    visible = not hides(task, data)
            if visible:
                details["message"] = shorten(plain_text(str(error)), 300)
            self._write("admiral_plugin_error", event)
        except Exception:
            return

    v2_playbook_on_start = recorded("playbook_on_start", _describe_playbook)
    v2_playbook_on_play_start = recorded("playbook_on_play_start", _describe_play)
    v2_playbook_on_no_hosts_matched = recorded("playbook_on_no_hosts_matched", _describe_nothing)
    v2_playbook_on_no_hosts_remaining = recorded("playbook_on_no_hosts_remaining", _describe_nothing)
    v2_playbook_on_vars_prompt = recorded("playbook_on_vars_prompt", _describe_prompt)
    v2_playbook_on_task_start = recorded("playbook_on_task_start", _describe_task)
    v2_playbook_on_handler_task_start = recorded("playbook_on_handler_task_start", _describe_task)
    v2_playbook_on_notify = recorded("playbook_on_notify", _describe_notification)
    v2_playbook_on_include = recorded("playbook_on_include", _describe_include)
    v2_playbook_on_stats = recorded("playbook_on_stats", _describe_stats)
    v2_runner_on_start = recorded("runner_on_start", _describe_start)
    v2_runner_on_ok = recorded("runner_on_ok", _final_result)
    v2_runner_on_skipped = recorded("runner_on_skipped", _final_result)
    v2_runner_on_failed = recorded("runner_on_failed", _failed_result)
    v2_runner_on_unreachable = recorded("runner_on_unreachable", _unreachable_result)
    v2_runner_item_on_ok = recorded("runner_item_on_ok", _item_result)
    v2_runner_item_on_skipped = recorded("runner_item_on_skipped", _item_result)
    v2_runner_item_on_failed = recorded("runner_item_on_failed", _item_result)
    v2_runner_retry = recorded("runner_retry", _retry_result)
    v2_runner_on_async_poll = recorded("runner_on_async_poll", _async_result)
    v2_runner_on_async_ok = recorded("runner_on_async_ok", _async_result)
    v2_runner_on_async_failed = recorded("runner_on_async_failed", _async_result)
    v2_on_file_diff = recorded("on_file_diff", _diff)

    # Declared by ansible-core before 2.19 but sent only by strategies from elsewhere, if at all.
    v2_playbook_on_cleanup_task_start = recorded("playbook_on_cleanup_task_start", _describe_task)
    v2_playbook_on_import_for_host = recorded("playbook_on_import_for_host", _import_result)
    v2_playbook_on_not_import_for_host = recorded("playbook_on_not_import_for_host", _import_result)
