DOCUMENTATION = """
name: pretend
short_description: Only says who it is
options:
  become_user:
    description: Who
    default: root
    vars: [{name: ansible_become_user}]
    env: [{name: ANSIBLE_BECOME_USER}]
    keyword: [{name: become_user}]
"""

from ansible.plugins.become import BecomeBase


class BecomeModule(BecomeBase):
    name = "pretend"

    def build_become_command(self, cmd, shell):
        super().build_become_command(cmd, shell)
        if not cmd:
            return cmd
        return f"env BECAME={self.get_option('become_user')} {self._build_success_command(cmd, shell)}"
