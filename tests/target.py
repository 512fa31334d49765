"""A child process with known memory: started, told what to do, stopped, and always reaped."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.kernel_settings import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAGE = os.sysconf("SC_PAGESIZE")
# First touch of memory is slow on virtual machines: 8 GiB took 30 s where this was written.
READY_SECONDS = 300.0


class Area(NamedTuple):
    """A range of a target's addresses, in bytes, whose contents its kind describes."""

    name: str
    start: int
    end: int

    @property
    def pages(self) -> int:
        """The number of pages."""
        return (self.end - self.start) // PAGE


class Target:
    """A child process that waits; `areas` by name, `first` the first of them.

    `children` are the pids of processes that it made for its memory's sake.
    """

    def __init__(self, command: Sequence[str | bytes | Path]) -> None:
        self.areas: dict[str, Area] = {}
        self.children: list[int] = []
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.pid = self._process.pid
        self._pending = b""

    @property
    def first(self) -> Area:
        """The area that was named first."""
        return next(iter(self.areas.values()))

    def read_line(self) -> str:
        """The next line that the target prints; Unavailable when it says that it cannot."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + READY_SECONDS
        while b"\n" not in self._pending:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                raise TimeoutError(f"target {self.pid} printed nothing for {READY_SECONDS} s")
            piece = os.read(self._process.stdout.fileno(), 4096)
            if not piece:
                raise EOFError(f"target {self.pid} ended with status {self._process.wait()}")
            self._pending += piece
        line, _, self._pending = self._pending.partition(b"\n")
        word, _, rest = line.decode().partition(" ")
        if word == "cannot":
            raise Unavailable(rest)
        return line.decode()

    def wait_ready(self) -> None:
        """Take in the areas until the target says that all its memory is in place."""
        self.areas.clear()
        self.children.clear()
        while (line := self.read_line()) != "ready":
            word, name, *bounds = line.split()
            if word == "child":
                self.children.append(int(name))
            else:
                start, end = (int(bound, 16) for bound in bounds)
                self.areas[name] = Area(name, start, end)

    def tell(self, command: str) -> None:
        """Send a one-letter command (see tests/targets.c)."""
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode())

    def ask(self, command: str) -> int:
        """Send a command that is answered by a number, as `child PID` or `thread TID`."""
        self.tell(command)
        return int(self.read_line().split()[1])

    def stop(self) -> None:
        """Stop it with SIGSTOP and wait until it has stopped: its page table then rests."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a stopped target go on."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill and reap it, and wait until its children's memory is free.

        Its pid may be reused from here on.
        """
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        for child in self.children:
            wait_until(partial(_has_no_memory, child))


def _has_no_memory(pid: int) -> bool:
    try:
        return not Path(f"/proc/{pid}/maps").read_bytes()
    except OSError:
        return True


@contextlib.contextmanager
def run(*command: str | bytes | Path) -> Iterator[Target]:
    """A target by its command line, ready and running."""
    target = Target(command)
    try:
        target.wait_ready()
        yield target
    finally:
        target.kill()


def wait_until(happened: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Wait for what another process is about to do; TimeoutError when it does not."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(0.001)
