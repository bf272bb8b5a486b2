from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return dict(super().run(tmp, task_vars), msg="whatever", changed=True)
