from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = {
            "dest": self._task.args["dest"],
            "content": "== " + self._task.args["text"] + " ==\n",
        }
        result.update(self._execute_module("stamp_file", module_args=arguments, task_vars=task_vars))
        return result
