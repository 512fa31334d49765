"""Where no proc file system is mounted every command says so, and exits with the same code."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import pytest

from pagemap._cli.commands import COMMANDS
from tests.cli.test_lacking_lines import behind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Pagemap

# A line of each command, and with PAGEMAP_BREADTH=1 more.
BREADTH = int(os.environ.get("PAGEMAP_BREADTH", "0")) > 0
LINES = [
    *(
        "dump self",
        "dump 1",
        "dump sh",
        "maps self",
        "maps 1",
        "regions 1",
        "virt-to-phys 1 0x1000",
    ),
    *("footprint", "footprint self", "footprint 1", "footprint --by path", "footprint --gentle"),
    *("types", "types 1", "who --pfn 0x1", "who 1 0x1000", "sharing", "sharing 1", "doctor"),
    *("doctor 1", "huge", "huge 1", "memory", "memory --blocks", "memory --swap", "segments 1"),
    *("memory --by cgroup", "memory --blockers", "memory --figures", "segments self"),
    *(
        "diff 1 2",
        "diff self 1",
        "snapshot 1 -o x.pagemap",
        "snapshot self 1 -o -",
        "record 1 -o x.pagemap",
    ),
    *("cache /etc/passwd", "contents /etc/passwd", "free-if 1", "free-if --by name"),
    *("wss 1", "wss self", "writes 1", "writes self", "writes 1 --inject"),
]


def test_every_command_is_here() -> None:
    assert {name for name, _, _ in COMMANDS} <= {line.split()[0] for line in LINES}


FIRST = {line.split()[0]: line for line in reversed(LINES)}


@pytest.mark.parametrize("line", LINES if BREADTH else list(FIRST.values()))
def test_without_proc(pagemap: Pagemap, tmp_path: Path, line: str) -> None:
    """It was exit 66 of some, 69 of others, and "there is no process 1 (it has ended)"."""
    inside = behind(shlex.join(["mount", "--bind", str(tmp_path), "/proc"]), pagemap)
    code, out, err = inside(*line.split())
    assert (code, out) == (69, b"")
    said = "no proc file system is mounted at /proc, and all information comes from there"
    assert err == [f"pagemap: {said}; mount it: mount -t proc proc /proc"]
