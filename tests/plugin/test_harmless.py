"""Whatever happens to the plugin, the run and its output stay as they would be without it."""

from __future__ import annotations

import os
import re

import pytest
from conftest import PLUGIN_DIRECTORY

# What differs from run to run: times, and the names of temporary files.
TIMINGS = re.compile(r'"(start|end|delta|src)": "[^"]*"|ansible-local-[^/"]+/tmp\w+')


def shown(run):
    """Exit code and output, without timings and the directory of the run."""

    def settle(text):
        return TIMINGS.sub("", text.replace(str(run.work_dir), "WORK_DIR"))

    return run.returncode, settle(run.stdout), settle(run.stderr)


@pytest.fixture(scope="module")
def bare(ansible, fresh_dir):
    """The short run as it is without Admiral."""
    run = ansible.play("small.yml", fresh_dir(), plugin_directory=None)
    assert run.returncode == 2 and run.raw_events == b""
    return run


@pytest.mark.parametrize("arguments", [("-v",), ("--check", "--diff")], ids=" ".join)
def test_output_is_the_same_with_and_without_the_plugin(ansible, fresh_dir, arguments):
    without = ansible.play("output.yml", fresh_dir(), *arguments, plugin_directory=None)
    events = ansible.play("output.yml", fresh_dir(), *arguments)
    assert events.select("playbook_on_stats") != []
    assert shown(events) == shown(without)


@pytest.mark.parametrize("path", ["/dev/full", "missing/events.jsonl", "."])
def test_unwritable_events_file_changes_nothing(ansible, fresh_dir, bare, path):
    work_dir = fresh_dir()
    assert shown(ansible.play("small.yml", work_dir, events_path=work_dir / path)) == shown(bare)


def test_pipe_without_a_reader_does_not_stop_the_run(ansible, fresh_dir, bare):
    work_dir = fresh_dir()
    os.mkfifo(work_dir / "pipe")
    assert shown(ansible.play("small.yml", work_dir, events_path=work_dir / "pipe")) == shown(bare)


def test_without_a_path_the_plugin_is_off(ansible, fresh_dir, bare):
    run = ansible.play("small.yml", fresh_dir(), ADMIRAL_EVENTS_PATH="")
    assert shown(run) == shown(bare)
    assert run.raw_events == b""


def test_path_can_come_from_the_configuration_file(ansible, fresh_dir, bare):
    work_dir = fresh_dir()
    configuration = work_dir / "ansible.cfg"
    events = work_dir / "configured.jsonl"
    configuration.write_text(f"[callback_admiral_events]\nevents_path = {events}\nmax_line_bytes = 5000\n")
    run = ansible.play("small.yml", work_dir, ADMIRAL_EVENTS_PATH="", ANSIBLE_CONFIG=str(configuration))
    assert shown(run) == shown(bare)
    assert b"playbook_on_stats" in events.read_bytes()


def test_bad_cap_is_reported_as_an_event(ansible, fresh_dir, bare):
    run = ansible.play("small.yml", fresh_dir(), ADMIRAL_EVENTS_MAX_LINE="plenty")
    assert shown(run) == shown(bare)
    assert run.events[0]["event"] == "admiral_plugin_error"
    assert run.events[0]["data"]["callback"] == "set_options"
    assert run.only("playbook_on_stats")["stats"]["alpha"]["failures"] == 1


def broken_plugin(directory, code):
    """The plugin with a bug: `code` runs at the end of its module."""
    source = (PLUGIN_DIRECTORY / "admiral_events.py").read_text()
    (directory / "admiral_events.py").write_text(source + "\n" + code)
    return directory


def test_bugs_become_events_and_the_play_goes_on(ansible, fresh_dir, bare):
    broken = broken_plugin(
        fresh_dir(),
        "def _result(self, result, *args, **kwargs):\n"
        "    raise RuntimeError('trouble with ' + str(self._parts(result)[1].args))\n"
        "CallbackModule._result = _result\n",
    )
    run = ansible.play("small.yml", fresh_dir(), plugin_directory=broken)
    assert shown(run) == shown(bare)
    first, quiet, last = run.select("admiral_plugin_error")
    assert first["data"]["callback"] == "runner_on_ok"
    assert first["data"]["exception"] == "RuntimeError"
    assert first["data"]["message"].startswith("trouble with ")
    assert first["host"] == "alpha"
    assert first["task_id"] == run.only("playbook_on_task_start", task="First")["task_id"]
    assert "message" not in quiet["data"] and b"quiet-canary" not in run.raw_events
    assert last["data"]["callback"] == "runner_on_failed"
    assert [event["seq"] for event in run.events] == list(range(1, len(run.events) + 1))
    assert run.events[-1]["event"] == "playbook_on_stats"


def test_bugs_in_reporting_bugs_stay_silent(ansible, fresh_dir, bare):
    code = "def _write(self, *args):\n    raise RuntimeError('no')\nCallbackModule._write = _write\n"
    run = ansible.play("small.yml", fresh_dir(), plugin_directory=broken_plugin(fresh_dir(), code))
    assert shown(run) == shown(bare)
    assert run.raw_events == b""


def test_a_nested_run_writes_nothing_into_the_events_of_the_outer_one(ansible, fresh_dir):
    run = ansible.play("nested.yml", fresh_dir())
    assert run.returncode == 0, run.stdout
    assert "inner task" in run.only("runner_on_ok", task="Run another playbook")["result"]["stdout"]
    assert {event.get("task") for event in run.events} <= {None, "Run another playbook"}
    assert len(run.select("playbook_on_stats")) == 1
