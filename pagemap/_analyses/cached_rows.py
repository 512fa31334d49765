"""What was found of files, as rows of a table: those of which enough is cached, each file once."""

from __future__ import annotations

import os
from array import array
from itertools import compress

from pagemap._native.cache import CACHESTAT, MINCORE, RECORD, UNTOLD, column, numbers
from pagemap._tables.table import Table, Texts
from pagemap._vocabulary.rows.cached_file import CACHED_FILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pagemap._vocabulary.rows.cached_file import CachedFileRow

__all__ = ["Rows"]

_WORDS = {UNTOLD: "", CACHESTAT: "cachestat", MINCORE: "mincore"}
_AMOUNTS = ("size", "cached", "dirty", "writeback", "evicted", "recently_evicted")
assert list(_WORDS) == [0, 1, 2], "who told is also the code of a word"


class Rows:
    """Rows of files of which `least` bytes or more are cached; with 0, of all files."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._met: set[tuple[int, int]] = set()
        self._paths: list[str] = []
        self._records = bytearray()

    def __len__(self) -> int:
        return len(self._paths)

    def add(
        self, folder: str, names: list[str], records: bytes, *, remember: bool
    ) -> list[tuple[int, int]]:
        """Take what was found of the files of these names; the errors, by the place of the name.

        `remember` says that these files may be met again, however many links they have.
        """
        cached, errors = column(records, "cached"), numbers(records, "error")
        if self._least:
            keep = [size >= self._least for size in cached]
        else:
            told = numbers(records, "told")
            keep = [bool(who or error) for who, error in zip(told, errors, strict=True)]
        links = column(records, "links")
        if remember or self._met or max(links, default=0) > 1:
            self._keep_first(keep, records, links, remember=remember)
        base = os.path.join(folder, "")
        if all(keep):
            self._records += records
        elif any(keep):
            at = compress(range(0, len(records), RECORD), keep)
            self._records += b"".join([records[each : each + RECORD] for each in at])
        self._paths += [base + name for name in compress(names, keep)]
        return [(at, error) for at, error in enumerate(errors) if error] if any(errors) else []

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

    def table(self, about: dict[str, object]) -> Table[CachedFileRow]:
        """The rows so far, which are gone from here."""
        records, paths = self._records, self._paths
        self._records, self._paths = bytearray(), []
        told = numbers(records, "told")
        values: dict[str, Any] = {
            name: column(records, name) for name in (*_AMOUNTS, "share", "links", "inode")
        }
        values["dev"] = _devices(column(records, "device"))
        values["told"] = Texts(told, list(_WORDS.values()))
        values["path"] = Texts(memoryview(array("i", range(len(paths)))).toreadonly(), paths)
        valid: dict[str, memoryview[bool]] = {}
        if any(who != CACHESTAT for who in told):
            known = _known(who != UNTOLD for who in told)
            valid = dict.fromkeys(_AMOUNTS[2:], _known(who == CACHESTAT for who in told))
            valid |= dict.fromkeys(("cached", "share", "told"), known)
        return Table(CACHED_FILES, values, valid=valid, about=about)


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
