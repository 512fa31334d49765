"""Names that the text of maps cannot tell apart."""

from __future__ import annotations

import io
import json
import mmap
import os
from errno import ENOTTY
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._kernel import maps, maps_blocks
from pagemap._native import procmap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ["back\\012slash", "new\nline", "both\\012and\nof them\\", "\\012", "octal\\134012"]


@pytest.fixture(params=NAMES)
def mapped(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, int]]:
    path = tmp_path / request.param
    path.write_bytes(bytes(mmap.PAGESIZE))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
        assert memory[0] == 0
        yield str(path), path.stat().st_ino


def can_ask() -> bool:
    with pagemap.Process("self") as process:
        first = process.maps()[0].start
    fd = os.open("/proc/self/maps", os.O_RDONLY)
    try:
        procmap.name_at(fd, first)
    except OSError as error:
        return error.errno != ENOTTY  # before Linux 6.11
    finally:
        os.close(fd)
    return True


def test_a_backslash_is_no_newline(mapped: tuple[str, int]) -> None:
    """A file really named with backslash, 0, 1, 2 was shown with a newline in its name."""
    if not can_ask():
        pytest.skip("needs PROCMAP_QUERY (Linux 6.11)")
    path, inode = mapped
    with pagemap.Process("self") as process:
        (mapping,) = (each for each in process.maps() if each.inode == inode)
        assert mapping.path == path
        tallied = [each.path for each in process.tally(["present"]) if each.inode == inode]
        assert tallied == [path]
        rows, text = io.BytesIO(), io.BytesIO()
        wanted: dict[str, Any] = {"header": False, "select": lambda each: each == path}
        assert pagemap.dump(process, rows, format="jsonl", **wanted) == 1
        assert json.loads(rows.getvalue())["path"] == path
        pagemap.dump(process, text, **wanted)
        # the seed's table has what the kernel wrote
        assert text.getvalue().endswith(os.fsencode(path).replace(b"\n", b"\\012") + b"\n")


def test_where_the_kernel_cannot_be_asked_a_newline_is_meant() -> None:
    line = b"1000-2000 r--p 00000000 fe:00 658    /tmp/back\\012slash\n"
    fd = os.memfd_create("a copy of maps")
    try:
        assert maps_blocks.settled(line, fd) == line
    finally:
        os.close(fd)
    assert maps.parse(line)[0].path == "/tmp/back\nslash"
