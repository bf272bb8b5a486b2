"""The strategies of a run that is accelerated with Mitogen: `linear`, `free` and `host_pinned` under their own names.

Admiral writes this file into the run's folder once for each name, and Ansible finds it there before its own of that name.
So a play keeps the strategy that it asks for, callbacks see the names they know, and `ansible.builtin.linear` is still the
unaccelerated one.
"""

from __future__ import annotations

import importlib
import os
import sys

import ansible.plugins.loader
import ansible_mitogen.affinity
import ansible_mitogen.connection
import ansible_mitogen.strategy
import mitogen.ssh
import mitogen.unix
from ansible.errors import AnsibleError


def _stock():
    """Ansible's own strategy of this name, whose place in `sys.modules` the plugin loader has just given to this module.

    It stays there: the loader keeps its plugins by path, and other code means Ansible's own when it imports that name.
    """
    name, _ = os.path.splitext(os.path.basename(__file__))
    module = "ansible.plugins.strategy." + (name.removeprefix("mitogen").lstrip("_") or "linear")
    if getattr(sys.modules.get(module), "__file__", None) == __file__:
        del sys.modules[module]
    return importlib.import_module(module)


class StrategyModule(ansible_mitogen.strategy.StrategyMixin, _stock().StrategyModule):
    """The stock strategy, with Mitogen underneath."""

    def _smuggle_to_connection_reset(self, task, *args, **kwargs):
        """Hands Mitogen a templar whose `_loader` it may read: ansible-core 2.19 calls that deprecated.

        Only this templar: a playbook's own plugins are still told when they do the same.
        """
        play_context = super()._smuggle_to_connection_reset(task, *args, **kwargs)
        for value in play_context.vars.get("_mitogen.smuggled.reset_connection", ()):
            if isinstance(getattr(type(value), "_loader", None), property):
                value.__class__ = type("Templar", (type(value),), {"_loader": self._loader})
        return play_context


class _Display:
    """Ansible's display, but for the one thing it says about every strategy that is not its own.

    Only the plugin loader gets this one: a playbook's own deprecations, other plugins' included, are shown as ever.
    """

    def __init__(self, display):
        self._display = display

    def __getattr__(self, name):
        return getattr(self._display, name)

    def deprecated(self, msg, *args, **kwargs):
        if not str(msg).startswith("Use of strategy plugins not included in ansible.builtin"):
            self._display.deprecated(msg, *args, **kwargs)


class _ConnectionMethods(dict):
    """Mitogen's ways to connect and to become, which says so when there is none; a plain `KeyError` says only the name."""

    def __missing__(self, name):
        raise AnsibleError(
            f"Mitogen has no way to connect or to become another user with {name!r}; "
            "launch with the accelerator none, or give the play strategy: ansible.builtin.linear"
        )


_ssh_command = mitogen.ssh.Connection.get_boot_command


def _ssh_command_as_configured(self):
    """What `ssh_args` say, first: of an option that is given twice `ssh` takes the first.

    Mitogen's own come before them. With `host_key_checking` its `StrictHostKeyChecking yes` would refuse every host that is
    new, and without it any host would do. Admiral's `accept-new` and its list of known hosts hold either way, as they do
    without Mitogen.
    """
    command = _ssh_command(self)
    return command[:1] + list(self.options.ssh_args or ()) + command[1:]


def _prepare():
    """Once in a process: each strategy that a playbook uses is a module of its own."""
    if getattr(ansible_mitogen, "_admiral_prepared", False):
        return
    ansible_mitogen._admiral_prepared = True
    ansible.plugins.loader.display = _Display(ansible.plugins.loader.display)
    ansible_mitogen.connection.CONNECTION_METHOD = _ConnectionMethods(ansible_mitogen.connection.CONNECTION_METHOD)
    # Mitogen pins each process to a processor of its choice: the same ones in every run on this machine.
    ansible_mitogen.affinity.policy = ansible_mitogen.affinity.Policy()
    mitogen.ssh.Connection.get_boot_command = _ssh_command_as_configured
    # Its socket goes where the supervisor removes it, however the run ends.
    folder = os.environ.get("ADMIRAL_SOCKETS_PATH")
    if folder:
        mitogen.unix.make_socket_path = lambda: os.path.join(folder, f"mitogen-{os.getpid()}.sock")


_prepare()
