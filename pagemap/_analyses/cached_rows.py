"""What was found of files, as rows of a table: those of which enough is cached, each file once."""

from __future__ import annotations

import os
from array import array
from itertools import compress

from pagemap._analyses.file_shares import together
from pagemap._native.cache import (
    CACHESTAT,
    MINCORE,
    NO_PART,
    PARTS,
    RECORD,
    UNTOLD,
    column,
    numbers,
)
from pagemap._tables.table import Lists, Table, Texts
from pagemap._vocabulary.checks import check_int
from pagemap._vocabulary.rows.cached_file import CACHED_FILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from pagemap._analyses.file_shares import Share
    from pagemap._vocabulary.rows.cached_file import CachedFileRow

__all__ = ["Rows"]

_WORDS = {UNTOLD: "", CACHESTAT: "cachestat", MINCORE: "mincore"}
_AMOUNTS = ("size", "cached", "dirty", "writeback", "evicted", "recently_evicted")
_MARKS = ("active", "mapped", "mapcount")
assert list(_WORDS) == [0, 1, 2], "who told is also the code of a word"


class Rows:
    """Rows of files of which `least` bytes or more are cached; with 0, of all files.

    With `untold` those are among them of which nobody tells. `kept` are the places, in what was
    added last, of the files that became rows.
    """

    def __init__(self, least: int, *, untold: bool = False) -> None:
        self._least = check_int("least", least, 0, 1 << 63)
        self._untold = untold
        self._met: set[tuple[int, int]] = set()
        self._paths: list[str] = []
        self._records = bytearray()
        self._parts = bytearray()
        self._shares: list[Share | None] = []
        self.kept: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self._paths)

    def add(
        self,
        folder: str,
        names: list[str],
        records: bytes,
        *,
        remember: bool,
        parts: bytes = b"",
    ) -> list[tuple[int, int]]:
        """Take what was found of the files of these names; the errors, by the place of the name.

        `remember` says that these files may be met again, however many links they have. `parts`
        are how much of each part of each file is cached, or empty.
        """
        cached, errors = column(records, "cached"), numbers(records, "error")
        if self._least:
            keep = [size >= self._least for size in cached]
            if self._untold:
                keep = [one or bool(error) for one, error in zip(keep, errors, strict=True)]
        else:
            told = numbers(records, "told")
            keep = [bool(who or error) for who, error in zip(told, errors, strict=True)]
        links = column(records, "links")
        if remember or self._met or max(links, default=0) > 1:
            self._keep_first(keep, records, links, remember=remember)
        base = os.path.join(folder, "")
        self.kept = kept = [at for at, one in enumerate(keep) if one]
        if len(kept) == len(keep):
            self._records += records
            self._parts += parts
        elif kept:
            self._records += _chosen(records, kept, RECORD)
            self._parts += _chosen(parts, kept, PARTS) if parts else b""
        self._paths += [base + name for name in compress(names, keep)]
        return [(at, error) for at, error in enumerate(errors) if error] if any(errors) else []

    def share(self, shares: Iterable[list[Share] | None]) -> None:
        """Take what is known of the frames of the files that were kept last, in order."""
        self._shares += [None if each is None else together(each) for each in shares]

    def _keep_first(
        self, keep: list[bool], records: bytes, links: memoryview[int], *, remember: bool
    ) -> None:
        """Of files that are met again, only the first."""
        identities = zip(column(records, "device"), column(records, "inode"), strict=True)
        for at, identity in enumerate(identities):
            if not keep[at]:
                continue
            if identity in self._met:
                keep[at] = False
            elif remember or links[at] > 1:
                self._met.add(identity)

    def table(self, about: dict[str, object], *, lacking: bool = False) -> Table[CachedFileRow]:
        """The rows so far, which are gone from here; `lacking` where other files could not be read.

        Of no rows the sums are then unknown, and not 0.
        """
        records, paths = self._records, self._paths
        parts, shares = self._parts, self._shares
        self._records, self._paths = bytearray(), []
        self._parts, self._shares = bytearray(), []
        told = numbers(records, "told")
        values: dict[str, Any] = {
            name: column(records, name) for name in (*_AMOUNTS, "share", "links", "inode")
        }
        values["dev"] = _devices(column(records, "device"))
        values["told"] = Texts(told, list(_WORDS.values()))
        values["path"] = Texts(memoryview(array("i", range(len(paths)))).toreadonly(), paths)
        none = memoryview(bytes(8 * len(paths)))
        unknown = none[: len(paths)].cast("?")
        valid: dict[str, memoryview[bool]] = {}
        if lacking and not paths:
            valid = dict.fromkeys(_AMOUNTS, unknown)
        if any(who != CACHESTAT for who in told):
            valid = dict.fromkeys(_AMOUNTS[2:], _known(who == CACHESTAT for who in told))
            valid |= dict.fromkeys(("cached", "share", "told"), _known(map(bool, told)))
        values["residency"] = _residency(parts, len(paths))
        valid["residency"] = _known(map(bool, told)) if parts else unknown
        if shares:
            valid |= dict.fromkeys(_MARKS, _known(each is not None for each in shares))
            for name in _MARKS:
                cells = array("q", [0 if each is None else getattr(each, name) for each in shares])
                values[name] = memoryview(cells).toreadonly()
        else:
            valid |= dict.fromkeys(_MARKS, unknown)
            values |= dict.fromkeys(_MARKS, none.cast("q"))
        return Table(CACHED_FILES, values, valid=valid, about=about)


def _chosen(records: bytes, kept: Sequence[int], size: int) -> bytes:
    return b"".join([records[at * size : at * size + size] for at in kept])


def _residency(parts: bytearray, rows: int) -> Lists:
    """The percents of the parts of each file, few of which are different as a rule."""
    if not parts:
        return Lists(memoryview(bytes(4 * rows)).cast("i"), [()])
    words: dict[bytes, int] = {}
    codes = array("i")
    for at in range(rows):
        word = bytes(parts[at * PARTS : at * PARTS + PARTS]).rstrip(bytes([NO_PART]))
        codes.append(words.setdefault(word, len(words)))
    return Lists(memoryview(codes).toreadonly(), [tuple(word) for word in words])


def _known(values: Iterable[bool]) -> memoryview[bool]:
    return memoryview(array("B", values)).cast("B").cast("?").toreadonly()


def _devices(devices: memoryview[int]) -> Texts:
    """Devices as /proc/PID/maps has them."""
    codes = {device: code for code, device in enumerate(dict.fromkeys(devices))}
    words = [f"{os.major(device):02x}:{os.minor(device):02x}" for device in codes]
    if len(words) > 1:
        numbered = array("i", map(codes.__getitem__, devices))
    else:
        numbered = array("i", bytes(4 * len(devices)))
    return Texts(memoryview(numbered).toreadonly(), words)
