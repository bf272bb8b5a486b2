"""What `no_log` hides stays out of the events file, in every shape that a result can have."""

from __future__ import annotations

import pytest

CENSORED = {"censored": "the output has been hidden due to the fact that 'no_log: true' was specified for this result"}
CENSORED_LABEL = "(censored due to no_log)"


@pytest.fixture(scope="module")
def run(ansible, shared_run):
    return shared_run(ansible, "no_log.yml")


def test_the_secret_is_nowhere(run):
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.only("runner_on_ok", task="Open")["result"]["msg"] == "open-canary"
    assert b"sesame-canary" not in run.raw_events
    assert run.select("admiral_plugin_error") == []


@pytest.mark.parametrize(
    ("event", "task"),
    [
        ("runner_on_ok", "Hidden ok"),
        ("runner_on_ok", "Hidden handler"),
        ("runner_on_ok", "Hidden by a template"),
        ("runner_on_ok", "Hidden fact"),
        ("runner_on_failed", "Hidden failed"),
        ("runner_on_failed", "Hidden error of a template"),
        ("runner_on_skipped", "Hidden skipped"),
        ("runner_on_skipped", "Hidden skipped by a template"),
        ("runner_on_failed", "Hidden error of a condition"),
        ("runner_on_async_ok", "Hidden background"),
        ("runner_on_ok", "Hidden background"),
        ("runner_on_async_failed", "Hidden background failure"),
        ("runner_on_failed", "Hidden background failure"),
        ("runner_on_async_failed", "Hidden background timeout"),
        ("runner_on_failed", "Hidden background timeout"),
        ("runner_on_ok", "Hidden retry"),
        ("runner_on_unreachable", "Hidden unreachable"),
        ("runner_on_ok", "Hidden by the play"),
    ],
)
def test_results_are_censored(run, event, task):
    assert run.only(event, task=task)["result"] == CENSORED


@pytest.mark.parametrize(
    ("event", "task", "items"),
    [
        ("runner_item_on_ok", "Hidden with_items", 1),
        ("runner_item_on_ok", "Hidden loop", 1),
        ("runner_item_on_failed", "Hidden loop", 1),
        ("runner_item_on_skipped", "Hidden skipped items", 1),
        ("runner_item_on_ok", "Hidden diff", 2),
    ],
)
def test_items_and_their_labels_are_censored(run, event, task, items):
    found = run.select(event, task=task)
    assert [(each["result"], each["item"]) for each in found] == [(CENSORED, CENSORED_LABEL)] * items


def test_summaries_of_hidden_loops_are_censored(run):
    for event, task in (("runner_on_ok", "Hidden with_items"), ("runner_on_failed", "Hidden loop")):
        summary = run.only(event, task=task)
        assert summary["loop"] is True
        assert {key: value for key, value in summary["result"].items() if key != "results_count"} == CENSORED


def test_only_the_items_that_ask_for_it_are_hidden(run):
    items = run.select("runner_item_on_ok", task="Hidden items by a template")
    assert len(items) == 2
    assert (items[0]["item"], items[0]["result"]["stdout"]) == ("open-item", "open-item")
    assert (items[1]["item"], items[1]["result"]) == (CENSORED_LABEL, CENSORED)


def test_changed_survives_censoring(run):
    assert run.only("runner_on_ok", task="Hidden ok")["changed"] is True
    assert run.only("runner_on_ok", task="Hidden by a template")["changed"] is False


def test_hidden_diffs_and_includes_say_no_more_than_that_they_happened(run):
    assert run.select("on_file_diff", task="Hidden diff") == []
    assert run.only("playbook_on_include", task="Hidden include")["item"] == CENSORED_LABEL


def test_a_label_replaces_the_item(run):
    item = run.only("runner_item_on_ok", task="Hidden by a label")
    assert (item["item"], item["result"]["msg"]) == ("someone", "hello someone")
    assert "item" not in item["result"]


def test_a_failed_request_is_told_without_its_password(run):
    failed = run.only("runner_on_failed", task="Hidden by the module")
    assert "Connection refused" in failed["result"]["msg"]
    assert run.only("runner_on_failed", task="Hidden by the module in the background")["result"]["status"] == -1
