"""The fields of every kind of event, from one run of `playbooks/coverage.yml` per version of Ansible."""

from __future__ import annotations

import json
import re

import pytest
from admiral_events import CallbackModule

KINDS = {
    "on_file_diff",
    "playbook_on_handler_task_start",
    "playbook_on_include",
    "playbook_on_no_hosts_matched",
    "playbook_on_no_hosts_remaining",
    "playbook_on_notify",
    "playbook_on_play_start",
    "playbook_on_start",
    "playbook_on_stats",
    "playbook_on_task_start",
    "playbook_on_vars_prompt",
    "runner_item_on_failed",
    "runner_item_on_ok",
    "runner_item_on_skipped",
    "runner_on_async_failed",
    "runner_on_async_ok",
    "runner_on_async_poll",
    "runner_on_failed",
    "runner_on_ok",
    "runner_on_skipped",
    "runner_on_start",
    "runner_on_unreachable",
    "runner_retry",
}


@pytest.fixture(scope="module")
def run(ansible, shared_run):
    return shared_run(ansible, "coverage.yml")


def test_all_23_kinds_are_reached_and_nothing_else(run):
    assert {event["event"] for event in run.events} == KINDS, run.stdout + run.stderr
    assert len(KINDS) == 23


def test_every_callback_of_this_version_is_implemented(ansible):
    code = "from ansible.plugins.callback import CallbackBase as base; print(*vars(base))"
    offered = {name for name in ansible.python(code).split() if name.startswith("v2_")} - {"v2_on_any"}
    assert {f"v2_{kind}" for kind in KINDS} <= offered
    assert offered <= set(vars(CallbackModule))


def test_lines_are_ascii_json_numbered_without_gaps(run):
    assert run.raw_events.endswith(b"\n")
    for number, line in enumerate(run.lines, 1):
        event = json.loads(line.decode("ascii"))
        assert json.dumps(event, separators=(",", ":")).encode() + b"\n" == line
        assert (event["v"], event["seq"]) == (1, number)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["ts"])
        assert None not in event.values()
    assert [event["ts"] for event in run.events] == sorted(event["ts"] for event in run.events)


def test_events_file_is_private(run):
    assert (run.work_dir / "events.jsonl").stat().st_mode & 0o777 == 0o600


def test_run_starts_with_the_playbook_and_ends_with_statistics(ansible, run):
    first, last = run.events[0], run.events[-1]
    assert (first["event"], last["event"]) == ("playbook_on_start", "playbook_on_stats")
    assert first["data"]["playbook"].endswith("coverage.yml")
    assert first["data"]["ansible_version"].startswith(".".join(map(str, ansible.version)) + ".")
    assert (first["data"]["plugin_version"], first["data"]["check_mode"]) == (1, False)
    assert first["data"]["pid"] > 1
    assert "play" not in first and "play" not in last


def test_statistics_agree_with_the_output(run):
    stats = run.only("playbook_on_stats")
    recap = {}
    for line in run.stdout.split("PLAY RECAP", 1)[1].splitlines()[1:]:
        if ":" in line:
            host, counters = line.split(":", 1)
            recap[host.strip()] = {key: int(value) for key, value in (each.split("=") for each in counters.split())}
    assert recap.keys() == {"alpha", "beta", "gamma", "delta"}
    told = {
        host: {"failed" if key == "failures" else key: value for key, value in counters.items()}
        for host, counters in stats["stats"].items()
    }
    assert told == recap
    assert stats["stats"]["beta"]["rescued"] == 1
    assert stats["custom"]["alpha"] == {"configured": 1}


def test_plays_name_their_hosts(run):
    plays = {event["play"]: event for event in run.select("playbook_on_play_start")}
    assert plays["Nobody here"]["hosts"] == []
    assert sorted(plays["Configure everything"]["hosts"]) == ["alpha", "beta", "delta", "gamma"]
    assert len({event["play_id"] for event in plays.values()}) == 6
    assert run.only("playbook_on_no_hosts_matched")["play"] == "Nobody here"
    assert {event["play"] for event in run.select("playbook_on_no_hosts_remaining")} == {"Nobody survives"}


def test_prompt_without_a_terminal_tells_no_default(run):
    prompt = run.only("playbook_on_vars_prompt")
    assert prompt["data"] == {"variable": "release", "private": True, "prompt": "Which release?"}
    assert b"prompt-default-canary" not in run.raw_events
    assert run.only("runner_on_ok", task="Release was prompted", host="alpha")["result"]["msg"] == "21 characters"


def test_task_fields_are_the_same_from_start_to_result(run):
    start = run.only("playbook_on_task_start", task="Say hello to hello")
    assert start["action"] in ("debug", "ansible.builtin.debug")
    assert re.search(r"coverage\.yml:\d+$", start["path"])
    assert "handler" not in start and "role" not in start
    for event in run.select("runner_on_start", task_id=start["task_id"]) + run.select(
        "runner_on_ok", task_id=start["task_id"]
    ):
        assert {key: event[key] for key in ("task", "action", "path", "play_id")} == {
            key: start[key] for key in ("task", "action", "path", "play_id")
        }
    assert len(run.select("runner_on_ok", task_id=start["task_id"])) == 3


def test_every_start_has_one_final_result_with_a_duration(run):
    finals = ("runner_on_ok", "runner_on_failed", "runner_on_skipped", "runner_on_unreachable")
    started = [(event["task_id"], event["host"]) for event in run.select("runner_on_start")]
    ended = [event for event in run.events if event["event"] in finals and "duration" in event]
    assert sorted(started) == sorted((event["task_id"], event["host"]) for event in ended)
    assert all(event["duration"] > 0 for event in ended)
    assert all(isinstance(event["changed"], bool) for event in run.events if event["event"] in finals)


def test_ok_changed_and_skipped(run):
    unchanged = run.only("runner_on_ok", task="Reach every host", host="alpha")
    assert (unchanged["changed"], unchanged["result"]["ping"]) == (False, "pong")
    changed = run.only("runner_on_ok", task="Change something", host="beta")
    assert (changed["changed"], changed["result"]["stdout"]) == (True, "changed")
    assert "invocation" not in changed["result"]
    skipped = run.only("runner_on_skipped", task="Only for the database", host="alpha")
    assert skipped["result"]["skip_reason"] == "Conditional result was False"
    assert run.only("runner_on_ok", task="Only for the database", host="gamma")["changed"] is False


def test_failures_ignored_rescued_and_final(run):
    ignored = run.only("runner_on_failed", task="Fails but is ignored", host="alpha")
    assert (ignored["ignore_errors"], ignored["result"]["rc"]) == (True, 1)
    rescued = run.only("runner_on_failed", task="Fails and is rescued", host="beta")
    assert rescued["ignore_errors"] is False
    assert run.only("runner_on_ok", task="Rescue it")["host"] == "beta"
    assert len(run.select("runner_on_ok", task="Always tidy up")) == 3
    final = run.only("runner_on_failed", task="Fails for good")
    assert (final["ignore_errors"], final["result"]["msg"]) == (False, "this is the end")
    assert run.returncode == 2


def test_unreachable_and_unreachable_but_ignored(run):
    lost = run.only("runner_on_unreachable", host="delta")
    assert "ignore_unreachable" not in lost and "Connection refused" in lost["result"]["msg"]
    assert run.only("runner_on_unreachable", host="gamma")["ignore_unreachable"] is True


def test_loop_items_have_labels_and_the_summary_a_count(run):
    items = [
        (event["event"], event["item"], event["changed"])
        for event in run.events
        if event.get("task") == "Loop over items" and event.get("host") == "alpha" and "item" in event
    ]
    assert items == [
        ("runner_item_on_ok", "one", True),
        ("runner_item_on_skipped", "two", False),
        ("runner_item_on_ok", "three", True),
    ]
    summary = run.only("runner_on_ok", task="Loop over items", host="alpha")
    assert (summary["loop"], summary["changed"], summary["result"]["results_count"]) == (True, True, 3)
    assert "results" not in summary["result"]
    failed = run.only("runner_item_on_failed", task="Loop with a failing item")
    assert (failed["item"], failed["result"]["rc"], failed["result"]["item"]) == ("bad", 1, "bad")
    whole = run.only("runner_on_failed", task="Loop with a failing item")
    assert (whole["loop"], whole["ignore_errors"]) == (True, True)
    assert "loop" not in run.only("runner_on_ok", task="Change something", host="alpha")


def test_retry_counts_attempts(run):
    retry = run.only("runner_retry", task="Try until it works")
    assert retry["data"] == {"attempts": 1, "retries": 4}
    assert retry["host"] == "alpha"
    assert run.only("runner_on_ok", task="Try until it works", host="alpha")["result"]["attempts"] == 2


def test_diffs_of_files_and_of_items(run):
    diff = run.only("on_file_diff", task="Write a file", host="gamma")
    assert diff["diff"][0]["after"] == "host = gamma\n"
    assert run.only("runner_on_ok", task="Write a file", host="gamma")["result"]["diff"] == diff["diff"]
    items = run.select("on_file_diff", task="Write files in a loop")
    assert [(event["host"], event["item"]) for event in items] == [("beta", "first"), ("beta", "second")]
    assert items[1]["diff"][0]["after"] == "item = second\n"


def test_handlers_are_notified_and_marked(run):
    notified = {(event["host"], event["data"]["handler"]) for event in run.select("playbook_on_notify")}
    assert {(host, "Restart service") for host in ("alpha", "beta", "gamma")} <= notified
    start = run.only("playbook_on_handler_task_start", task="Restart service")
    assert start["handler"] is True
    results = run.select("runner_on_ok", task_id=start["task_id"])
    assert len(results) == 3 and all(event["handler"] is True for event in results)
    assert len(run.select("runner_on_ok", task="Reload on topic")) == 3


def test_run_once_and_delegation(run):
    assert len(run.select("runner_on_ok", task="Asked once for all")) == 1
    delegated = run.only("runner_on_ok", task="Done elsewhere")
    assert (delegated["host"], delegated["delegated_to"]) == ("alpha", "gamma")
    assert "delegated_to" not in run.only("runner_on_ok", task="Change something", host="alpha")


def test_include_names_file_and_hosts(run):
    include = run.only("playbook_on_include")
    assert include["data"]["file"].endswith("included.yml")
    assert sorted(include["data"]["hosts"]) == ["alpha", "beta", "gamma"]
    assert "item" not in include
    included = run.only("runner_on_ok", task="From an included file", host="beta")
    assert re.search(r"included\.yml:1$", included["path"])


def test_background_events_belong_to_the_task_that_waits(run):
    good = run.only("playbook_on_task_start", task="Wait with polls")["task_id"]
    bad = run.only("playbook_on_task_start", task="Fails in the background")["task_id"]
    polls = run.select("runner_on_async_poll")
    assert {event["task_id"] for event in polls} == {good, bad}
    done = run.only("runner_on_async_ok")
    assert (done["task_id"], done["result"]["stdout"]) == (good, "waited")
    assert done["data"]["jid"] in {event["data"]["jid"] for event in polls if event["task_id"] == good}
    failed = run.only("runner_on_async_failed")
    assert (failed["task_id"], failed["result"]["rc"]) == (bad, 3)
    assert all(not event["data"]["finished"] and event["host"] == "alpha" for event in polls)


def test_roles_and_the_free_strategy(run):
    results = run.select("runner_on_ok", play="Every host at its own pace")
    assert sorted((event["task"], event["host"]) for event in results) == [
        ("web : Role handler", "alpha"),
        ("web : Role handler", "beta"),
        ("web : Role task", "alpha"),
        ("web : Role task", "beta"),
    ]
    assert {event["role"] for event in results} == {"web"}


def test_facts_of_setup_are_dropped(run):
    gathered = run.only("runner_on_ok", task="Gather a few facts")["result"]
    assert gathered["ansible_facts_dropped"] is True and "ansible_facts" not in gathered


def test_check_mode_with_diffs(ansible, fresh_dir):
    run = ansible.play("output.yml", fresh_dir(), "--check", "--diff")
    assert run.events[0]["data"]["check_mode"] is True
    assert run.only("on_file_diff", task="Diff")["diff"][0]["after"] == "some\ntext\n"
    assert not (run.work_dir / "diff.conf").exists()
