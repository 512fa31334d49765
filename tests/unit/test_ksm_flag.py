"""Whether the kernel's flag of merged pages is to be believed: tried with a page of our own."""

from __future__ import annotations

import array
import errno
import itertools
import struct
from typing import TYPE_CHECKING
from unittest import mock

import pytest

import pagemap
from pagemap._kernel.frames import FrameReader
from tests.unit.test_frames import PRESENT, fake

if TYPE_CHECKING:
    from pathlib import Path

ANON, KSM = 1 << 12, 1 << 21


def entry_of(monkeypatch: pytest.MonkeyPatch, root: Path, *entries: int) -> None:
    """Let a page of our own be seen as these, one after another."""
    (root / "self").unlink(missing_ok=True)
    (root / "self").mkdir()
    (root / "self/pagemap").touch()
    seen = itertools.cycle(memoryview(array.array("Q", [entry])) for entry in entries)
    monkeypatch.setattr("pagemap._kernel.frames.read", lambda *_: next(seen))


@pytest.mark.parametrize(
    ("entry", "word", "told"),
    [
        (PRESENT | 7, ANON, True),
        (
            PRESENT | 7,
            ANON | KSM,
            False,
        ),  # a page of our own, just written, is merged with no other
        # nothing to go by: past the last frame, hidden, not present, a frame that is another's now
        (PRESENT | 1000, ANON, None),
        (PRESENT, ANON, None),
        (0, ANON, None),
        (PRESENT | 7, 0, None),
        (PRESENT | 7, KSM, None),
    ],
)
def test_whether_merged_pages_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: int, word: int, told: bool | None
) -> None:
    (tmp_path / "kpageflags").write_bytes(struct.pack("=50Q", *[word] * 50))
    with FrameReader(procfs=str(tmp_path)) as reader:
        assert reader.tells_ksm() is None  # a copy of /proc, without any process
        entry_of(monkeypatch, tmp_path, entry)
        assert reader.tells_ksm() is told


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        # its frame became another's between the looks at it, and the third time it did not
        ([7, 8, 7, 9, 3, 3], False),
        ([7, 8], None),
    ],
)
def test_a_page_that_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: list[int], told: bool | None
) -> None:
    words = [ANON] * 50
    words[3] = ANON | KSM
    (tmp_path / "kpageflags").write_bytes(struct.pack("=50Q", *words))
    entry_of(monkeypatch, tmp_path, *(PRESENT | pfn for pfn in entries))
    with FrameReader(procfs=str(tmp_path)) as reader:
        assert reader.tells_ksm() is told


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.EACCES, pagemap.AccessDenied), (errno.EMFILE, pagemap.PagemapError)],
)
def test_an_own_page_table_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    """As after setuid, which makes a process undumpable."""
    entry_of(monkeypatch, tmp_path, 0)
    monkeypatch.setattr("pagemap._kernel.frames.read", mock.Mock(side_effect=OSError(code, "no")))
    with FrameReader(procfs=fake(tmp_path)) as reader, pytest.raises(kind):
        reader.tells_ksm()


def test_frames_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is of their file, not of a process."""
    entry_of(monkeypatch, tmp_path, PRESENT | 7)
    with (
        FrameReader(procfs=fake(tmp_path, without="kpageflags")) as reader,
        pytest.raises(pagemap.Unsupported) as caught,
    ):
        reader.tells_ksm()
    assert caught.value.path == f"{tmp_path}/kpageflags"
