"""Results that are too long or not proper JSON, from the real Ansible."""

from __future__ import annotations

import json

import pytest

DEFAULT_CAP = 262144
SMALL_CAP = 8192


# From 2.19 on Ansible refuses text that is not UTF-8 unless told otherwise; before, the setting does not exist.
LENIENT = {"ANSIBLE_MODULE_STRICT_UTF8_RESPONSE": "False"}


@pytest.fixture(scope="module")
def run(ansible, shared_run):
    return shared_run(ansible, "awkward.yml", **LENIENT)


@pytest.fixture(scope="module")
def small_run(ansible, shared_run):
    return shared_run(ansible, "awkward.yml", ADMIRAL_EVENTS_MAX_LINE=str(SMALL_CAP), **LENIENT)


def test_lines_stay_within_the_cap(run, small_run):
    assert run.returncode == small_run.returncode == 0, run.stdout[-2000:] + run.stderr
    assert max(map(len, run.lines)) <= DEFAULT_CAP
    assert max(map(len, small_run.lines)) <= SMALL_CAP
    assert [event["seq"] for event in small_run.events] == list(range(1, len(run.lines) + 1))


def test_strange_values_become_plain_json(run):
    result = run.only("runner_on_ok", task="Strange values")["result"]
    assert (result["nul"], result["emoji"]) == ("a\0b", "\N{ROCKET}")
    assert (result["nan"], result["infinite"]) == ("nan", "-inf")
    assert result["huge"] == "123456789012345678901234567890"
    assert "nested too deeply" in json.dumps(result["deep"])


def test_invalid_text_has_replacement_characters(run):
    stdout = run.only("runner_on_ok", task="Invalid text")["result"]["stdout"]
    assert stdout == "a\ufffdb\0c"


def test_gathered_facts_are_dropped(run):
    result = run.only("runner_on_ok", task="Gathering Facts")["result"]
    assert result["ansible_facts_dropped"] is True and "ansible_facts" not in result


@pytest.mark.parametrize(
    ("task", "event"), [("One long text", "runner_on_ok"), ("Long and failed", "runner_on_failed")]
)
def test_the_longest_strings_are_cut(run, small_run, task, event):
    for found, cap in ((run, DEFAULT_CAP), (small_run, SMALL_CAP)):
        cut = found.only(event, task=task)
        kept, mark = cut["result"]["msg"].split("…[truncated ")
        missing = int(mark.removesuffix(" bytes]"))
        width = len(kept[0].encode())
        assert (cut["truncated"], cut["host"], cut["changed"]) == (True, "alpha", False)
        assert len(kept) * width + missing == 300000 * width
        assert len(found.lines[cut["seq"] - 1]) > cap * 0.8, "more was cut than needed"


def test_long_output_keeps_its_beginning(run):
    cut = run.only("runner_on_ok", task="Many lines")
    assert cut["result"]["stdout"].startswith("1\n2\n3\n")
    assert (cut["truncated"], cut["changed"], cut["result"]["rc"]) == (True, True, 0)
    assert "stdout_lines" not in cut["result"]


def test_what_has_no_long_strings_is_replaced(run):
    cut = run.only("runner_on_ok", task="Many numbers")
    assert cut["truncated"] is True and cut["result"].keys() == {"msg", "truncated"}


def test_long_diffs_are_cut(small_run):
    diff = small_run.only("on_file_diff", task="Long diff")
    assert diff["truncated"] is True
    assert diff["diff"][0]["after"].startswith("line\nline\n")
    assert "…[truncated " in diff["diff"][0]["after"]


def test_long_items_are_shortened(run):
    item = run.only("runner_item_on_ok", task="Long item")
    assert item["item"].startswith("iii") and item["item"].endswith(" bytes]")
    assert item["result"]["msg"] == "short"


def test_short_results_are_left_alone(run, small_run):
    for found in (run, small_run):
        short = found.only("runner_on_ok", task="Short")
        assert short["result"]["msg"] == "short" and "truncated" not in short
