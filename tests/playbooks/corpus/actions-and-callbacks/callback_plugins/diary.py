"""Writes which tasks began."""

DOCUMENTATION = """
name: diary
type: notification
short_description: Writes which tasks began
"""

import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "diary"

    def v2_playbook_on_play_start(self, play):
        folder = play.get_variable_manager().extra_vars.get("output_dir")
        self.path = os.path.join(str(folder), "diary.txt")

    def v2_playbook_on_task_start(self, task, is_conditional):
        with open(self.path, "a", encoding="utf-8") as diary:
            diary.write(f"{task.get_name()}\n")
