"""A folder like /tmp, and another user who is up to no good in it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import Pagemap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def pagemap(command: list[str]) -> Pagemap:
    """The command, run as this user."""
    return Pagemap(command)


@pytest.fixture
def sticky() -> Iterator[Path]:
    """A folder where everybody may make files and remove only their own."""
    # Not a tmp_path: that lies in a folder of this user alone.
    folder = Path(tempfile.mkdtemp(prefix="pagemap-sticky-"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


class Stranger:
    """Another user, and what he does: each time in a process of his own, forked from this one.

    He may not be able to read a Python that is root's.
    """

    def __init__(self) -> None:
        about = pwd.getpwnam("nobody")
        self.user, self.group = about.pw_uid, about.pw_gid

    @contextlib.contextmanager
    def doing(self, what: Callable[[], object]) -> Iterator[None]:
        """Let him do something for as long as the block lasts."""
        pid = self._begin(what)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGKILL)
            status = os.waitpid(pid, 0)[1]
        assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)

    def does(self, what: Callable[[], object]) -> None:
        """Let him do something, to its end."""
        assert os.waitpid(self._begin(what), 0)[1] == 0

    def _begin(self, what: Callable[[], object]) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups([])
                os.setgid(self.group)
                os.setuid(self.user)
                what()
                os._exit(0)
            finally:
                os._exit(1)
        return pid


@pytest.fixture
def stranger(need_root: None) -> Stranger:
    """A user without rights."""
    return Stranger()
