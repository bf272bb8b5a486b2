"""The plain functions behind an event: conversion to JSON and fitting a line into its cap."""

from __future__ import annotations

import datetime
import errno
import json
import os

import admiral_events
import pytest
from admiral_events import CallbackModule, PlainJson, cut_level, fit, fit_stats


class Stringless:
    def __str__(self):
        raise ValueError("no text")


class Tagged(str):
    """Like the strings Ansible marks as unsafe."""


class Vaulted:
    _ciphertext = "$ANSIBLE_VAULT"

    def __str__(self):
        raise AssertionError("must not be decrypted")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (Tagged("text"), "text"),
        ("a\0b", "a\0b"),
        ("x\ud800y", "x\ufffdy"),
        ("\ud83d\ude80", "\N{ROCKET}"),
        (b"a\xffb", "a\ufffdb"),
        ((1, 2), [1, 2]),
        ({"b", "a"}, ["a", "b"]),
        (1 << 64, str(1 << 64)),
        ((1 << 64) - 1, (1 << 64) - 1),
        (-(1 << 63), -(1 << 63)),
        (-(1 << 63) - 1, str(-(1 << 63) - 1)),
        (1 << 40000, hex(1 << 40000)),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (0.5, 0.5),
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (datetime.datetime(2024, 2, 29, 1, 2, 3), "2024-02-29T01:02:03"),
        ({1: "a", None: "b", (1, 2): "c"}, {"1": "a", "null": "b", "[1, 2]": "c"}),
        ({"_ansible_secret": 1, "kept": {"_ansible_nested": 1}}, {"kept": {}}),
        (Stringless(), "(Stringless)"),
        (Vaulted(), "(vault encrypted)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_anything_becomes_plain_json(value, expected):
    converted = PlainJson().convert(value)
    assert converted == expected
    assert type(converted) in (type(None), bool, int, float, str, list, dict)
    json.dumps(converted, allow_nan=False).encode("ascii")


def test_circles_end():
    circle = {"name": "circle"}
    circle["self"] = circle
    assert PlainJson().convert(circle) == {"name": "circle", "self": "…[refers to itself]"}


def test_same_object_twice_is_no_circle():
    shared = ["x"]
    assert PlainJson().convert([shared, shared]) == [["x"], ["x"]]


def test_values_that_expand_without_end_are_bounded(monkeypatch):
    monkeypatch.setattr(admiral_events, "MOST_NODES", 5000)
    value = ["x"]
    for _level in range(50):
        value = [value, value]
    converter = PlainJson()
    assert len(json.dumps(converter.convert(value))) < 1_000_000
    assert converter.truncated is True


def test_repeated_long_texts_are_bounded(monkeypatch):
    monkeypatch.setattr(admiral_events, "MOST_CHARACTERS", 2500)
    converter = PlainJson()
    assert converter.convert(["x" * 1000] * 3) == ["x" * 1000, "x" * 1000, "…[truncated 1000 bytes]"]
    assert converter.truncated is True


def test_cut_level_spares_short_strings():
    level = cut_level([10, 100, 5000, 6000], 4000)
    assert 100 < level < 5000
    assert (5000 - level) + (6000 - level) >= 4000


@pytest.mark.parametrize("text", ["x", "\0", "é", "\N{ROCKET}", 'quote"\n', "xxxxxxxx\N{ROCKET}"])
@pytest.mark.parametrize("cap", [4096, 10000, 262144])
def test_every_kind_of_text_fits(text, cap):
    event = {"v": 1, "seq": 7, "event": "runner_on_ok", "host": "h", "changed": True}
    event["result"] = {"stdout": text * 300000, "msg": text * 50, "rc": 0}
    line = fit(event, cap)
    assert len(line) <= cap and line.endswith(b"\n")
    told = json.loads(line)
    assert {key: told[key] for key in ("seq", "host", "changed", "truncated")} == {
        "seq": 7,
        "host": "h",
        "changed": True,
        "truncated": True,
    }
    assert told["result"]["rc"] == 0 and told["result"]["stdout"].startswith(text)


def test_long_keys_and_lists_of_hosts_fit():
    event = {"v": 1, "seq": 1, "event": "x", "task": "t" * 4096, "result": {"k" * 9000: 1, "msg": "m" * 9000}}
    told = json.loads(fit(dict(event, hosts=["host"] * 5000), 8192))
    assert told["data"] == {"hosts_count": 5000}
    assert told["result"]["truncated"] is True and told["result"]["msg"].startswith("mmm")
    assert json.loads(fit(dict(event, task="\N{ROCKET}" * 4096), 4096))["task"].startswith("\N{ROCKET}")


def test_statistics_keep_every_host():
    stats = {f"host{number}": {"ok": 1} for number in range(1000)}
    event = {"stats": stats, "custom": {"_run": {"text": "x" * 5000}}}
    told = json.loads(fit_stats(event, 4096))
    assert told["stats"] == stats and told["truncated"] is True and "custom" not in told
    assert json.loads(fit_stats({"stats": stats, "custom": {"a": 1}}, 4096))["custom"] == {"a": 1}


@pytest.fixture
def module(tmp_path):
    """The plugin with an open events file, outside of any run."""
    plugin = CallbackModule()
    plugin._descriptor = os.open(tmp_path / "events", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    yield plugin
    os.close(plugin._descriptor)


def test_numbers_advance_only_with_written_lines(module, tmp_path, monkeypatch):
    def refuse(*_args):
        raise OSError(errno.ENOSPC, "no space")

    module._write("one", {})
    with monkeypatch.context() as patch:
        patch.setattr(admiral_events.os, "write", refuse)
        module._write("lost", {})
    module._write("two", {})
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    told = [(event["seq"], event["event"]) for event in events]
    assert told == [(1, "one"), (2, "admiral_plugin_error"), (3, "two")]
    assert events[1]["data"]["lost"] == 1 and events[1]["data"]["exception"] == "OSError"


def test_line_after_a_broken_one_starts_afresh(module, tmp_path, monkeypatch):
    write = os.write
    calls = []

    def write_a_little(descriptor, data):
        calls.append(data)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "no space")
        return write(descriptor, data[:10])

    with monkeypatch.context() as patch:
        patch.setattr(admiral_events.os, "write", write_a_little)
        module._write("broken", {})
    module._write("whole", {})
    broken, report, whole = (tmp_path / "events").read_text().splitlines()
    assert broken == '{"v":1,"se'
    assert (json.loads(report)["seq"], json.loads(report)["data"]["lost"]) == (1, 1)
    assert (json.loads(whole)["seq"], json.loads(whole)["event"]) == (2, "whole")


def test_a_line_without_its_end_is_written_all_the_same(module, tmp_path, monkeypatch):
    write = os.write
    calls = []

    def write_all_but_the_end(descriptor, data):
        calls.append(data)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "no space")
        return write(descriptor, data[:-1])

    with monkeypatch.context() as patch:
        patch.setattr(admiral_events.os, "write", write_all_but_the_end)
        module._write("almost", {})
    module._write("next", {})
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert [(event["seq"], event["event"]) for event in events] == [(1, "almost"), (2, "next")]


def test_one_write_per_event(module, monkeypatch):
    write = os.write
    calls = []
    monkeypatch.setattr(admiral_events.os, "write", lambda *args: calls.append(args) or write(*args))
    module._write("one", {"data": {"text": "x" * 100000}})
    assert len(calls) == 1 and calls[0][1].endswith(b"\n")
