"""Kinds of entries against the naive twin; what types mean, against layouts written out by hand."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagemap import _native
from pagemap._kernel import release as release_names
from pagemap._kernel import swap_types
from pagemap._vocabulary.flags import ENTRY_KINDS
from tests import oracle
from tests.property import strategies

NUMBERS = {kind.name: kind.number for kind in ENTRY_KINDS}
OF_A_TYPE = ["swap", "marker", "migrating", "poisoned", "device"]

tables = st.lists(st.sampled_from(OF_A_TYPE), min_size=32, max_size=32)


def test_the_kinds_are_those_of_the_twin_and_of_c() -> None:
    from pagemap._core import lib

    assert [kind.name for kind in ENTRY_KINDS] == oracle.KINDS
    for kind in ENTRY_KINDS:
        assert getattr(lib, f"PM_ENTRY_{kind.name.upper()}") == kind.number
    assert len(ENTRY_KINDS) == lib.PM_ENTRY_KINDS


@given(strategies.entries(), st.one_of(st.just(oracle.swap_type_names()), tables))
def test_kinds(entries: list[int], types: list[str]) -> None:
    table = bytes(NUMBERS[name] for name in types)
    view = strategies.view(entries)
    expected = [oracle.kind(entry, types) for entry in entries]
    assert [oracle.KINDS[number] for number in _native.kinds(view, table)] == expected
    if table == swap_types.kinds():
        assert [swap_types.kind_of(entry) for entry in entries] == expected
    assert _native.kind_counts(view, table) == [expected.count(name) for name in oracle.KINDS]


ALL = frozenset({"MIGRATION", "MEMORY_FAILURE", "DEVICE_PRIVATE", "PTE_MARKER"})


@pytest.mark.parametrize(
    ("version", "options", "top"),
    [
        # from type 31 down, as include/linux/swap.h of that kernel has them
        ((6, 18), ALL, "marker device*3 migrating*3 poisoned"),
        ((6, 12), ALL, "marker device*4 migrating*3 poisoned"),
        ((6, 18), frozenset({"MIGRATION"}), "marker migrating*3"),
        ((6, 18), frozenset(), "marker"),
        ((6, 1), ALL, "poisoned marker device*4 migrating*3 poisoned"),
        ((6, 1), ALL - {"PTE_MARKER"}, "poisoned device*4 migrating*3 poisoned"),
        ((5, 15), ALL, "device*4 migrating*2 poisoned"),
        ((5, 10), ALL, "device*2 migrating*2 poisoned"),
        ((5, 10), frozenset({"MEMORY_FAILURE"}), "poisoned"),
    ],
)
def test_layouts(version: tuple[int, int], options: frozenset[str], top: str) -> None:
    names: list[str] = []
    for word in top.split():
        name, _, times = word.partition("*")
        names += [name] * int(times or 1)
    expected = ["swap"] * (32 - len(names)) + names[::-1]
    assert [oracle.KINDS[number] for number in swap_types.layout(version, options)] == expected


@given(st.tuples(st.integers(3, 9), st.integers(0, 30)), st.sets(st.sampled_from(sorted(ALL))))
def test_22_types_are_swap_everywhere(version: tuple[int, int], options: set[str]) -> None:
    for known in (frozenset(options), None):
        table = swap_types.layout(version, known)
        assert len(table) == 32
        assert set(table[:22]) == {NUMBERS["swap"]}


def test_the_options_are_those_of_this_kernel() -> None:
    release = os.uname().release
    texts = [Path("/proc/config.gz"), Path(f"/boot/config-{release}")]
    found = next((path for path in texts if os.access(path, os.R_OK)), None)
    if found is None:
        pytest.skip("this kernel's configuration is in no file that may be read")
    raw = found.read_bytes()
    text = gzip.decompress(raw) if found.suffix == ".gz" else raw
    words = dict(
        line.split("=", 1) for line in text.decode().splitlines() if line.startswith("CONFIG_")
    )
    on = {name for name in ALL if words.get(f"CONFIG_{name}") == "y"}
    assert swap_types.options_of(text) == on
    version = tuple(int(part) for part in release.split("-")[0].split(".")[:2])
    assert swap_types.kinds() == swap_types.layout((version[0], version[1]), frozenset(on))


def test_a_release_that_says_nothing_is_the_newest() -> None:
    for release, expected in {"6.1.0-18-amd64": (6, 1), "5.10": (5, 10)}.items():
        assert release_names.version(release) == expected
    assert release_names.version("custom") > (6, 18)
