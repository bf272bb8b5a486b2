from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        whom = self._task.args.get("whom")
        if not whom:
            raise AnsibleActionFail("whom is required")
        colour = self._templar.template(task_vars["colour"])
        result.update(changed=False, text=f"hello {whom} from {colour}")
        return result
