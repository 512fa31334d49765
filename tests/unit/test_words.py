"""A word that the command takes is good for the library, in either spelling.

`dump --only soft-dirty,file` was `only=["soft_dirty", "file_or_shared"]` in Python, which refused
the command's words without a hint, and what lies in swap was `swap` to dump, `swapped` to regions.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._vocabulary.flags import PAGE_WORDS, SCAN_CATEGORIES
from pagemap._vocabulary.names import spell, understand
from tests.property import fake

if TYPE_CHECKING:
    from pathlib import Path

FILE, PRESENT, UFFD_WP = 1 << 61, 1 << 63, 1 << 57
ENTRIES = [0, PRESENT | 7, PRESENT | FILE | 9, PRESENT | UFFD_WP | 11]
POPULATED = 3
PID = 321


@pytest.fixture
def process(tmp_path: Path) -> pagemap.Process:
    maps = b"0-4000 rw-p 00000000 00:00 0 \n"
    fake.write_process(tmp_path, PID, ENTRIES, maps)
    return pagemap.Process(PID, procfs=str(tmp_path))


@pytest.mark.parametrize(
    ("word", "rows"), [("file", 1), ("file_or_shared", 1), ("uffd-wp", 1), ("uffd_wp", 1)]
)
def test_both_spellings(process: pagemap.Process, word: str, rows: int) -> None:
    with process:
        assert pagemap.dump(process, io.BytesIO(), only=[word]) == rows
        assert sum(map(len, process.columns(only=[word]))) == rows
        assert (
            sum(map(len, process.columns(without=[word]))) == len(ENTRIES) - 1 - rows
        )  # one is untouched


def test_the_nearest_is_named(process: pagemap.Process) -> None:
    hint = r"^only knows no 'soft-drity'; did you mean soft_dirty\? choose from soft_dirty, "
    with process:
        with pytest.raises(pagemap.UsageError, match=hint):
            pagemap.dump(process, io.BytesIO(), only=["soft-drity"])
        with pytest.raises(pagemap.UsageError, match=hint):
            process.columns(only=["soft-drity"])
        with pytest.raises(pagemap.UsageError, match=r"^counts knows no 'ress'; did you mean rss"):
            process.tally(["ress"])


def test_counts_take_the_command_s_spelling() -> None:
    """tally(["soft-dirty"]) is no unknown word."""
    with pagemap.Process("self") as process:
        both = [process.tally([word]).total().uffd_wp for word in ("uffd-wp", "uffd_wp")]
    assert None not in both


@pytest.mark.parametrize(
    "known", [[word for word, _ in PAGE_WORDS], [flag.name for flag in SCAN_CATEGORIES]]
)
def test_every_word_is_understood_as_it_is_spelt(known: list[str]) -> None:
    for word in known:
        assert understand(spell(word), known) == understand(word, known) == word
    assert "swap" in known
    assert "swapped" not in known
