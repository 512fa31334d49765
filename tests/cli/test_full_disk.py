"""`-o FILE` on a disk that fills up: the partial file goes, an older one stays."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import workloads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start


@pytest.mark.parametrize("older", [None, b"older"])
def test_a_limit_of_file_size(pagemap: Pagemap, tmp_path: Path, older: bytes | None) -> None:
    """What a full disk does, for users who cannot mount one: EFBIG instead of ENOSPC."""
    path = tmp_path / "dump"
    if older is not None:
        path.write_bytes(older)
    limit = ("bash", "-c", 'ulimit -f 4; exec "$@"', "bash")
    process = pagemap.start("dump", "self", "-o", path.as_posix(), prefix=limit)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, b"")
    assert err.decode().splitlines()[-1] == f"pagemap: cannot write {path}: File too large"
    assert os.listdir(tmp_path) == ([] if older is None else ["dump"])
    assert older is None or path.read_bytes() == older


@pytest.fixture
def small_disk(tmp_path: Path, need_root: None) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder.as_posix()]
    done = subprocess.run(mount, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        pytest.skip(f"cannot mount a small file system: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True, timeout=120)


@pytest.mark.parametrize("older", [None, b"older"])
def test_a_full_disk(pagemap: Pagemap, start: Start, small_disk: Path, older: bytes | None) -> None:
    path = small_disk / "dump"
    if older is not None:
        path.write_bytes(older)
    target = start(workloads.sparse())
    code, out, err = pagemap("dump", target.pid, "-o", path.as_posix())
    assert (code, out) == (1, b"")
    assert err[-1] == f"pagemap: cannot write {path}: No space left on device"
    assert os.listdir(small_disk) == ([] if older is None else ["dump"])
    assert older is None or path.read_bytes() == older
