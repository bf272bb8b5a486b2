"""Runs real playbooks with the real ansible-playbook of every supported version.

`ADMIRAL_TEST_ANSIBLE_BINS` lists the `bin` directories of the Ansible installations to test, separated by colons; by
default both environments of `scripts/ansible-env all --test`. A listed installation that is missing is an error.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PLUGIN_DIRECTORY = REPOSITORY / "ansible" / "callback_plugins"
PLAYBOOKS = Path(__file__).resolve().parent / "playbooks"
DEADLINE_SECONDS = 300

sys.path.insert(0, str(PLUGIN_DIRECTORY))


@dataclasses.dataclass(frozen=True)
class Run:
    """What one ansible-playbook process left behind."""

    returncode: int
    stdout: str
    stderr: str
    raw_events: bytes
    work_dir: Path

    @property
    def lines(self) -> list[bytes]:
        return self.raw_events.splitlines(keepends=True)

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.lines]

    def select(self, event: str, **fields) -> list[dict]:
        """Events of one kind whose fields have the given values."""
        return [
            found
            for found in self.events
            if found["event"] == event and all(found.get(key) == value for key, value in fields.items())
        ]

    def only(self, event: str, **fields) -> dict:
        """The one event that `select` finds."""
        found = self.select(event, **fields)
        assert len(found) == 1, f"{len(found)} events {event} with {fields}\n{self.stdout}\n{self.stderr}"
        return found[0]


@dataclasses.dataclass(frozen=True)
class Ansible:
    """One installation of ansible-core."""

    bin_dir: Path
    version: tuple[int, ...]

    def python(self, code: str) -> str:
        """Run `code` with this installation's Python and return what it printed."""
        command = [self.bin_dir / "python", "-c", code]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=DEADLINE_SECONDS).stdout

    def play(
        self,
        playbook: str,
        work_dir: Path,
        *arguments: str,
        plugin_directory: Path | None = PLUGIN_DIRECTORY,
        events_path: str | Path | None = None,
        **environment: str,
    ) -> Run:
        """Run a playbook of this suite. Without a plugin directory it runs as it would without Admiral.

        Further keywords are environment variables; an empty one is left out.
        """
        work_dir.mkdir(parents=True, exist_ok=True)
        home = work_dir / "home"
        home.mkdir()
        events_path = work_dir / "events.jsonl" if events_path is None else events_path
        env = {
            "PATH": f"{self.bin_dir}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "ANSIBLE_ASYNC_DIR": str(work_dir / "async"),
            "LANG": "C.UTF-8",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
        }
        if plugin_directory is not None:
            env["ANSIBLE_CALLBACK_PLUGINS"] = str(plugin_directory)
            env["ANSIBLE_CALLBACKS_ENABLED"] = "admiral_events"
            env["ADMIRAL_EVENTS_PATH"] = str(events_path)
        env.update(environment)
        env = {name: value for name, value in env.items() if value}
        variables = {"work_dir": str(work_dir), "events_path": str(events_path)}
        command = [self.bin_dir / "ansible-playbook", "-i", "inventory.ini", playbook, "-e", json.dumps(variables)]
        done = subprocess.run(
            [*command, *arguments],
            cwd=PLAYBOOKS,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=DEADLINE_SECONDS,
        )
        recorded = Path(events_path)
        raw = recorded.read_bytes() if recorded.is_file() else b""
        return Run(done.returncode, done.stdout, done.stderr, raw, work_dir)


@functools.cache
def installations() -> list[Ansible]:
    listed = os.environ.get("ADMIRAL_TEST_ANSIBLE_BINS", ".venv/bin:.venv-oldest/bin")
    found = []
    for entry in filter(None, listed.split(":")):
        bin_dir = REPOSITORY / entry
        if not (bin_dir / "ansible-playbook").exists():
            raise pytest.UsageError(f"no ansible-playbook in {entry}; run: scripts/ansible-env all --test")
        code = "from ansible.release import __version__; print(__version__)"
        printed = subprocess.run([bin_dir / "python", "-c", code], check=True, capture_output=True, text=True).stdout
        found.append(Ansible(bin_dir, tuple(int(part) for part in printed.split(".")[:2])))
    if not found:
        raise pytest.UsageError("ADMIRAL_TEST_ANSIBLE_BINS names no installation")
    return found


def pytest_generate_tests(metafunc):
    if "ansible" in metafunc.fixturenames:
        found = installations()
        names = [".".join(map(str, each.version)) for each in found]
        metafunc.parametrize("ansible", found, ids=names, scope="session", indirect=True)


@pytest.fixture(scope="session")
def ansible(request) -> Ansible:
    return request.param


@pytest.fixture(scope="module")
def fresh_dir(tmp_path_factory):
    """Makes a new empty directory per call, for runs shared by the tests of a module."""
    return lambda: tmp_path_factory.mktemp("run")


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory):
    """Runs a playbook once per installation, side by side, for all the tests that only look at the outcome."""
    pool = ThreadPoolExecutor(max_workers=2)
    runs = {}

    def outcome(ansible: Ansible, playbook: str, **environment: str) -> Run:
        what = (playbook, *environment.items())
        for each in installations():
            if (each, what) not in runs:
                runs[each, what] = pool.submit(each.play, playbook, tmp_path_factory.mktemp("run"), **environment)
        return runs[ansible, what].result()

    yield outcome
    pool.shutdown()
