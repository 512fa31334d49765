"""A process whose memory changes in one known way (tests/target_changes.c)."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from tests import build
from tests.target import PAGE, Area, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.target import Target

PAGES = 64
_SOURCE = Path(__file__).with_name("target_changes.c")
_PARTS = [_SOURCE.with_name(f"target_{each}.h") for each in ("collapse", "mappings")]


def program() -> Path:
    """The compiled program."""
    return build.program(_SOURCE, reads=_PARTS)


class Changing:
    """A target, the area that it has, and what it does to that at `change`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.pid = target.pid
        self.area: Area = target.first

    def change(self) -> Area:
        """Have it done; gives the area as it is now."""
        self._target.tell("c")
        self._target.wait_ready()
        self.area = self._target.first
        return self.area


@contextlib.contextmanager
def changing(name: str, folder: Path) -> Iterator[Changing]:
    """The target that makes the change of this name."""
    path = folder / "file of a changing process"
    path.write_bytes(bytes(range(1, 65)) * (PAGE // 64) * PAGES)
    with run(program(), name, path) as target:
        yield Changing(target)
