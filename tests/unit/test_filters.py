"""The language of filters: what it says, and what it refuses."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses.categories import BITS, bits_of, chosen
from pagemap._vocabulary.filters import Filter, parse_filters, words_of
from tests.property import fake

if TYPE_CHECKING:
    from pathlib import Path

read = words_of(["present", "file_or_shared", "swap", "soft_dirty"])


@pytest.mark.parametrize(
    ("text", "all_of", "none_of", "any_of", "exact"),
    [
        ("present", ["present"], [], [], False),
        ("present,file", ["present", "file_or_shared"], [], [], False),
        (" present , ~file", ["present"], ["file_or_shared"], [], False),
        ("~soft-dirty", [], ["soft_dirty"], [], False),
        ("present/swap,~file", [], ["file_or_shared"], [("present", "swap")], False),
        ("present,file=present", ["present"], ["file_or_shared"], [], False),
        ("present,file=", [], ["present", "file_or_shared"], [], False),
        ("=present,file", ["present", "file_or_shared"], [], [], True),
        ("=", [], [], [], True),
    ],
)
def test_the_language(
    text: str, all_of: list[str], none_of: list[str], any_of: list[tuple[str, ...]], exact: bool
) -> None:
    (found,) = parse_filters([text], [], read)
    assert found == Filter(tuple(all_of), tuple(none_of), tuple(any_of), exact)


def test_several_must_all_hold() -> None:
    found = parse_filters(["present", "~file"], ["swap,soft-dirty", "swap"], read)
    assert [each.all_of for each in found] == [("present",), (), ()]
    assert found[2].none_of == ("swap", "soft_dirty")
    assert parse_filters([], [], read) == []


@pytest.mark.parametrize(
    ("only", "without", "said"),
    [
        ("presen", "", r"only knows no 'presen'; did you mean present\? choose from present, "),
        ("", "", "only has an empty word; separate words by commas"),
        ("present,,swap", "", "only has an empty word"),
        ("~", "", "only has an empty word"),
        ("present/", "", "only has an empty word"),
        ("present,~present", "", "no page is both present and not present"),
        ("present", "present", "no page is both present and not present"),
        ("swap=present", "", "only 'swap=present' matches nothing: present is not before the ="),
        ("~swap=swap", "", "only '~swap=swap': = cannot be combined with ~ and /"),
        ("swap=~swap", "", "= cannot be combined"),
        ("swap/file=swap", "", "= cannot be combined"),
        ("~~swap", "", "only '~swap': ~ is not allowed there"),
        ("~swap/file", "", "only '~swap': ~ is not allowed there"),
        ("swap==swap", "", "only '=swap': = is not allowed there"),
        ("swap", "~file", "without '~file': ~ is not allowed there"),
        ("swap", "file/present", "without 'file/present': / is not allowed there"),
    ],
)
def test_what_cannot_be_understood(only: str, without: str, said: str) -> None:
    with pytest.raises(pagemap.UsageError, match=said):
        parse_filters([only], [without] if without else [], read)
    with pytest.raises(pagemap.UsageError, match=said.replace("only", "--only")):
        parse_filters([only], [without] if without else [], read, names=("--only", "without"))


def test_no_sequence_of_texts() -> None:
    with pytest.raises(TypeError, match="only must be a sequence of str"):
        parse_filters("present", [], read)


def test_filters_of_a_dump(tmp_path: Path) -> None:
    present, file, swapped, guard = 1 << 63, 1 << 61, 1 << 62, 1 << 58
    entries = [0, present | 7, present | file | 9, swapped | 1 << 5, swapped | guard]
    fake.write_process(tmp_path, 321, entries, b"1000-5000 rw-p 00000000 00:00 0 \n")
    with pagemap.Process(321, procfs=str(tmp_path)) as process:
        process.pfns_visible = False

        def rows(*only: str) -> list[int]:
            file = io.BytesIO()
            pagemap.dump(process, file, only=only, header=False)
            found = [int(line.split()[0], 16) >> 12 for line in file.getvalue().splitlines()]
            tables = list(process.columns(only=only, populated=False))
            assert [row.address >> 12 for table in tables for row in table] == found
            return found

        assert rows("present,~file") == rows("present,file=present") == [1]
        assert rows("present/swap") == [1, 2, 3]
        assert rows("guard/swap") == [3, 4]
        assert rows("=present,file") == [2]
        with pytest.raises(
            pagemap.UsageError, match="only kinds of entries can be combined with /"
        ):
            rows("file/swap")


def test_filters_of_regions() -> None:
    present, swap, file = (bits_of([word]) for word in ("present", "swap", "file"))
    assert chosen(["present/swap"], ["file"]) == (present | swap, 0, file, 0)
    assert chosen(["present,~file"], []) == (0, present, file, 0)
    assert chosen([], []) == (0, 0, 0, 0)
    others = sum(BITS.values()) & ~(present | file)
    assert chosen(["=present,file"], []) == (0, present | file, 0, others)
    with pytest.raises(
        pagemap.UsageError, match="--only: only one group of categories with / is allowed"
    ):
        chosen(["present/swap", "file/huge"], [], ("--only", "--without"))
