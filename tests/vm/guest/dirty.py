"""The process of tests/vm/dirty.c: stopped, cleared, and let on to write again."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from tests import build, oracle, target

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = 64
MARK = 1 << 55
PRESENT = 1 << 63
WRITTEN_SINCE = [1, 0, 0] * 21 + [1]


class Dirty:
    """Areas of PAGES pages each, `untouched`, `written` and `seen`, which was only read."""

    def __init__(self, process: target.Target) -> None:
        self.process = process
        self.pid = process.pid
        self.areas = dict(process.areas)

    def clear(self) -> None:
        """Have the kernel forget what was written."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("4")

    def write(self) -> None:
        """Let it write to every third page of `untouched` and `written`, and map `later`."""
        self.process.resume()
        self.process.tell("w")
        self.process.wait_ready()
        self.process.stop()
        self.areas |= self.process.areas

    def entries(self, name: str) -> list[int]:
        """The entries of an area, read one by one."""
        return oracle.entries(self.pid, self.areas[name].start, self.areas[name].end)


@contextlib.contextmanager
def stopped() -> Iterator[Dirty]:
    """A process with new memory, of which nothing was cleared."""
    with target.run(build.program(Path(__file__).parents[1] / "dirty.c")) as process:
        process.stop()
        yield Dirty(process)
