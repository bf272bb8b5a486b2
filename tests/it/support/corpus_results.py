# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes every result of a plain `ansible-playbook`, one JSON object in a line, into the file that CORPUS_RESULTS names."""

DOCUMENTATION = """
name: corpus_results
type: notification
short_description: Writes the results of a plain run, for the tests to compare with
"""

import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "corpus_results"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self):
        super().__init__()
        self.names = {}

    def _write(self, result, status):
        if hasattr(result, "task_fields"):
            host, task, data = result.host, result.task, result.result
        else:
            host, task, data = result._host, result._task, result._result
        # A template in the name may be filled in for one host after the other.
        name = self.names.setdefault(task._uuid, task.get_name().strip())
        line = {"host": host.get_name(), "task": name, "status": status, "changed": bool(data.get("changed"))}
        with open(os.environ["CORPUS_RESULTS"], "a", encoding="utf-8") as results:
            results.write(json.dumps(line) + "\n")

    def v2_playbook_on_task_start(self, task, is_conditional=False):
        self.names[task._uuid] = task.get_name().strip()

    v2_playbook_on_handler_task_start = v2_playbook_on_task_start

    def v2_runner_on_ok(self, result):
        self._write(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_skipped(self, result):
        self._write(result, "skipped")

    def v2_runner_on_unreachable(self, result):
        self._write(result, "unreachable")
