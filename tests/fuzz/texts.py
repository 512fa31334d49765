"""Fuzz what parses text, with Atheris: `python -m tests.fuzz.texts TARGET [libFuzzer option...]`.

Each target takes the input and judges what comes of it: by a naive twin, or by what must hold of
any answer. Whatever is refused is refused by an error that callers are told of.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import atheris

with atheris.instrument_imports(include=["pagemap"]):
    from pagemap._analyses.page_filter import Choice
    from pagemap._cli import targets
    from pagemap._errors import PagemapError, UsageError
    from pagemap._kernel import maps, smaps
    from pagemap._native.lines import Lines
    from pagemap._vocabulary import page_flags, units
    from pagemap._vocabulary.filters import parse_filters

from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Callable

# What a caller of a parser may see, besides its answer.
REFUSED = (PagemapError, ValueError)

_LINE = re.compile(
    rb"[0-9a-f]{1,16}-[0-9a-f]{1,16} [-r][-w][-x][ps] [0-9a-f]{1,16} "
    rb"[0-9a-f]{1,8}:[0-9a-f]{1,8} \d{1,19} +(.*)"
)
_PLAIN_PATH = re.compile(rb"[^ \\\n\0][^\\\n\0]*")


def _kernels_own(data: bytes) -> bool:
    """Whether each line could be the kernel's, and its path means just what it says."""
    lines = data.removesuffix(b"\n").split(b"\n")
    found = [_LINE.fullmatch(line) for line in lines]
    if not all(each and (not each[1] or _PLAIN_PATH.fullmatch(each[1])) for each in found):
        return False
    bounds = [bound for line in oracle.parse_maps(data) for bound in (line.start, line.end)]
    return all(
        one < other if at % 2 == 0 else one <= other
        for at, (one, other) in enumerate(itertools.pairwise(bounds))
    )


def maps_text(data: bytes) -> None:
    """The lines of maps."""
    wanted = oracle.parse_maps(data) if _kernels_own(data) else None
    try:
        got = maps.parse(data)
    except REFUSED:
        assert wanted is None, data
        return
    assert len(got) <= data.count(b"\n") + 1
    if wanted is not None:
        assert [tuple(each)[:7] for each in got] == [(*line[:6], line.path) for line in wanted]
        ranges = [(line.start, line.end, line.path) for line in wanted]
        assert list(Lines(data).ranges()) == ranges


def _kept(data: bytes) -> list[tuple[int, int]]:
    """Start and end of each mapping that a reader of smaps finds."""
    return [(each.start, each.end) for each in oracle.parse_smaps(data)]


def smaps_text(data: bytes) -> None:
    """Any bytes as smaps and smaps_rollup; then smaps of numbers that the input chose."""
    names = ("Rss", "Pss", "Private_Clean", "Private_Dirty", "Shared_Clean", "Shared_Dirty", "Swap")
    lines = {name.encode() for name in names}
    for parse in (
        lambda: list(smaps.parse([data], lines)),
        lambda: [smaps.parse_rollup(data, lines)],
    ):
        try:
            rows: list[Any] = parse()
        except REFUSED:
            continue
        assert len(rows) <= data.count(b"\n") + 1
    source = atheris.FuzzedDataProvider(data)
    text, wanted = b"", []
    for number in range(source.ConsumeIntInRange(0, 4)):
        sizes = [source.ConsumeIntInRange(0, 1 << 49) for _ in names]
        start = 4096 * (number + 1)
        text += b"%08x-%08x rw-p 00000000 00:00 0 \n" % (start, start + 4096)
        text += b"".join(
            b"%-16s%8d kB\n" % (name.encode() + b":", size)
            for name, size in zip(names, sizes, strict=True)
        )
        text += b"VmFlags: rd wr mr mw me ac sd \n"
        wanted.append([1024 * size for size in sizes])
    got = list(smaps.parse([text], lines))
    assert [(m.start, m.end) for m, _ in got] == _kept(text)
    for (_, found), sizes in zip(got, wanted, strict=True):
        told = [found[name.encode()] for name in names]
        assert told == sizes, (text, told)


def numbers(data: bytes) -> None:
    """Addresses and ranges, as people type them."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        address = units.parse_address(text)
    except UsageError:
        pass
    else:
        bare = text.removeprefix("0x").removeprefix("0X")
        assert 0 <= address < 1 << 64
        assert bare.isascii()
        assert address in {int(bare, base) for base in (10, 16) if _is_number(bare, base)}
    try:
        start, end = units.parse_range(text)
    except UsageError:
        return
    assert 0 <= start < end < 1 << 64
    first, last = (int(part, 16) for part in text.split("-"))
    assert (start, end) == (first, last)
    low, high = units.page_range(start, end)
    assert low <= start < end <= high
    assert low % units.PAGE_SIZE == high % units.PAGE_SIZE == 0


def _is_number(text: str, base: int) -> bool:
    digits = "0123456789abcdefABCDEF"[: 10 if base == 10 else None]
    return bool(text) and set(text) <= set(digits) and len(text) < 4000


def filters(data: bytes) -> None:
    """Filters of pages, by their flags and by their entries."""
    text = data[1:].decode("utf-8", "surrogateescape")
    try:
        parsed = parse_filters([text], [], page_flags.read_word)
        flags, entries = page_flags.divide(parsed, raw=bool(data[:1] > b"\x7f"))
    except UsageError:
        return
    assert all(0 <= int(value) < 1 << 64 for each in flags for value in each), (text, flags)
    assert parse_filters([text], [], page_flags.read_word) == parsed
    try:
        choice = Choice(filters=entries)
    except UsageError:
        return
    assert 0 <= choice.all_of | choice.none_of < 1 << 64


_FOLDER = tempfile.TemporaryDirectory(prefix="pagemap-fuzz-")


def pid_file(data: bytes) -> None:
    """What a pid file holds, which anybody may have written."""
    path = f"{_FOLDER.name}.pid"
    with open(path, "wb") as file:
        file.write(data)
    try:
        pid = targets.one(f"@{path}")
    except PagemapError as refused:
        message = str(refused)
    else:
        # resolve may hand on more than the number, by what it was chosen; then that is its first
        assert int(pid) == int(data.split()[0]) > 0
        return
    assert len(message) < 400, message  # whatever is in the file


def seeds(name: str) -> list[bytes]:
    """What the fuzzer begins with, since nobody guesses the form of a line."""
    with open("/proc/self/maps", "rb") as file:
        lines = file.read().splitlines(keepends=True)
    with open("/proc/self/smaps", "rb") as file:
        sums = file.read(4096).splitlines(keepends=True)
    texts = {
        "maps_text": [*lines[:3], b"".join(lines[-4:])],
        "smaps_text": [b"".join(sums[:30]), b"1-2\n" + b"".join(sums[1:8])],
        "numbers": [b"0x7f12", b"1234", b"1000-2000", b"0x10-0X20", b"ff", b"0b1"],
        "filters": [b"\x01anon,~dirty", b"\xffmmap=mmap,anon", b"\x010x10=0x10", b"\x01~lru"],
        "pid_file": [b"4242\n", b"1\n/var/lib/x\n"],
    }
    return texts.get(name, [])


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (maps_text, smaps_text, numbers, filters, pid_file)
}
"""By name."""


if __name__ == "__main__":
    name = sys.argv.pop(1)
    for number, seed in enumerate(seeds(name)):
        with open(os.path.join(_FOLDER.name, f"seed-{number}"), "wb") as file:
            file.write(seed)
    sys.argv.append(_FOLDER.name)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()
