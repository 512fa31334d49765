"""What rss is of: anonymous memory, files, shared memory."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle
from tests.live.test_footprint import gentle  # noqa: F401 - the fixture

if TYPE_CHECKING:
    from pathlib import Path

PAGE = oracle.PAGE


@pytest.mark.parametrize("walked", [False, True])
def test_what_is_anonymous_of_files_and_shared(
    request: pytest.FixtureRequest, tmp_path: Path, walked: bool
) -> None:
    """Of mappings to the byte; of a process the kernel's running count says what is shared."""
    walk = request.getfixturevalue("gentle") if walked else None
    path = tmp_path / "file"
    path.write_bytes(bytes(24 * PAGE))
    fd = os.memfd_create("shmem")
    os.truncate(fd, 64 * PAGE)
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 24 * PAGE, access=mmap.ACCESS_COPY) as of_file,
        mmap.mmap(fd, 64 * PAGE) as shmem,
        mmap.mmap(fd, 64 * PAGE, flags=mmap.MAP_PRIVATE) as copied,
    ):
        os.close(fd)
        shmem.write(b"x" * len(shmem))
        copied.write(b"y" * 10 * PAGE)
        assert not any(memory[at] == 0xFF for memory in (of_file, copied) for at in touched(memory))
        with pagemap.Process("self") as process:
            rows = {row.start: row for row in process.footprints(gentle=walk)}
            whole = process.footprint(gentle=walk)
        found = [
            (row.anon, row.file, row.shmem)
            for memory in (of_file, shmem, copied)
            for row in [rows[oracle.address_of(memory)]]
        ]
    pages = [(0, 24, 0), (0, 0, 64), (10, 0, 54)]
    assert found == [tuple(count * PAGE for count in each) for each in pages]
    for row in rows.values():
        if row.shmem is None:  # of a file on an overlay, whose own may lie on any file system
            continue
        assert (row.anon or 0) + (row.file or 0) + (row.shmem or 0) == row.rss
    assert (whole.anon or 0) + (whole.file or 0) + (whole.shmem or 0) == whole.rss
    few = 64 * PAGE * (os.cpu_count() or 1)  # that lag behind
    assert abs((whole.shmem or 0) - sum(row.shmem or 0 for row in rows.values())) <= few


def touched(memory: mmap.mmap) -> range:
    return range(0, len(memory), PAGE)
