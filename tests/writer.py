"""A child of this process that writes to memory as it is told."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from typing import TYPE_CHECKING

from tests import mappings
from tests.mappings import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pagemap

_PDEATHSIG = 1


class Writer:
    """Its pid, and its memory: `pages` from address `start` on, all of them written."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.start = mappings.alone(pages)
        mine, theirs = os.pipe(), os.pipe()
        self.pid = os.fork()
        if not self.pid:
            ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
            os.close(mine[1])
            os.close(theirs[0])
            self._obey(mine[0], theirs[1])
        os.close(mine[0])
        os.close(theirs[1])
        self._orders, self._answers = mine[1], theirs[0]
        assert self.do("write") == self.start

    def do(self, order: str) -> int:
        """Have it done, and wait for that; returns where its memory is now."""
        os.write(self._orders, f"{order}\n".encode())
        answer = os.read(self._answers, 64)
        assert answer, f"the writer ended at {order!r}"
        self.start = int(answer)
        return self.start

    def begin(self, order: str) -> None:
        """Do not wait."""
        os.write(self._orders, f"{order}\n".encode())

    def end(self) -> None:
        """Kill it, and give its memory back here, too."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._orders)
        os.close(self._answers)

    def _obey(self, orders: int, answers: int) -> None:
        try:
            with open(orders) as lines:
                while line := lines.readline():
                    self._do(*line.split())
                    os.write(answers, str(self.start).encode())
        finally:
            os._exit(1)

    def _do(self, order: str, *numbers: str) -> None:
        pages = list(map(int, numbers))
        if order == "write":
            mappings.write(self.start, pages)
        elif order == "move":
            self.start = mappings.moved(self.start, self.pages)
        elif order == "replace":
            mappings.unmap(self.start, self.pages)
            mappings.map_at(self.start, self.pages)
            mappings.write(self.start, pages)
        elif order == "unmap":
            mappings.unmap(self.start, self.pages)
        elif order == "fork" and not os.fork():
            ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
            mappings.write(self.start, pages)
            signal.pause()
        elif order == "exec":
            os.execv("/bin/sleep", ["sleep", "60"])
        elif order == "exit":
            os._exit(0)
        elif order == "spin":
            while True:
                mappings.write(self.start, pages)


@contextlib.contextmanager
def writer(pages: int = 64) -> Iterator[Writer]:
    """One that ends with the test, at the latest."""
    made = Writer(pages)
    start = made.start
    try:
        yield made
    finally:
        made.end()
        mappings.free(start, pages)


def found(rows: pagemap.Table[pagemap.WrittenRow], start: int, pages: int) -> list[int]:
    """The numbers of the pages from `start` on that are in these rows, as often as they are."""
    return [
        (at - start) // PAGE
        for row in rows
        for at in range(row.start, row.end, PAGE)
        if start <= at < start + pages * PAGE
    ]
