"""The matrix: each kind of mapping, each door of pagemap, word by word against the kernel.

A cell is equal, mapping by mapping where the door tells that, or tests/zoo_reasons.py says what it
is instead, and why.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import oracle, zoo_doors, zoo_kernel
from tests.looks import settled
from tests.workloads import Unavailable
from tests.zoo import ZOO
from tests.zoo_doors import WHOLE
from tests.zoo_reasons import REASONS, reason_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.target import Target
    from tests.zoo_doors import Rows
    from tests.zoo_reasons import Reason

    Truth = dict[int, dict[str, int]]

PAGE = oracle.PAGE


@pytest.fixture(scope="module", name="animal", params=ZOO)
def _animal(request: pytest.FixtureRequest) -> Iterator[tuple[str, Target]]:
    try:
        with ZOO[request.param]() as target:
            yield request.param, target
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session", name="frames")
def _frames(pfns_visible: bool) -> bool:
    return pfns_visible and oracle.may_read("/proc/kpageflags")


@pytest.fixture(scope="session", name="here")
def _here(frames: bool) -> frozenset[str]:
    """What reasons may depend on for all of a run: see zoo_reasons.Reason.when."""
    guard_install = 102
    with mmap.mmap(-1, PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as page:
        start = oracle.address_of(page)
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(PAGE), guard_install)
        (entry,) = oracle.entries(os.getpid(), start, start + PAGE)
    here = {"always", "frames" if frames else "hidden"}
    if not oracle.has(entry, "guard"):
        here.add("no guards")
    pagemap_scan = 0xC0606610
    with Path("/proc/self/pagemap").open("rb", buffering=0) as file:
        try:
            fcntl.ioctl(file.fileno(), pagemap_scan, bytes(96))
        except OSError as error:
            if error.errno == errno.ENOTTY:
                here.add("no scan")
    return frozenset(here)


def truth(target: Target, *, frames: bool, common: bool) -> Truth:
    """The kernel's words: of each mapping by its start, and of all together."""
    rows = {row.start: dict(row.words) for row in zoo_kernel.by_pages(target.pid, frames=frames)}
    for row in zoo_kernel.by_smaps(target.pid):
        rows.setdefault(row.start, {}).update(row.words)
    names = set.intersection(*(set(words) for words in rows.values()))
    whole = {name: sum(words[name] for words in rows.values()) for name in names}
    whole["pss"] = zoo_kernel.rollup(target.pid)["pss"]  # which rounds but once
    if common:
        whole["family"] = zoo_kernel.in_common([target.pid, *target.children])
    return {**rows, WHOLE: whole}


def differences(
    reasons: dict[str, Reason | None], ours: Rows, before: Truth, after: Truth
) -> dict[str, object]:
    """Words that are neither what the kernel said before nor what it said after."""
    found: dict[str, object] = {}
    for start, row in ours.items():
        for word, value in row.items():
            reason = reasons.get(word)
            instead = (word,) if reason is None or reason.instead is None else reason.instead
            if value is None and reason is not None and reason.instead is None:
                continue
            if not all(each in moment[start] for moment in (before, after) for each in instead):
                continue  # the kernel hides it from this user, or lacks the line
            wanted = {sum(moment[start][each] for each in instead) for moment in (before, after)}
            if value not in wanted:
                found[f"{start:x} {word}"] = (value, wanted, reason and reason.why)
    for word, reason in reasons.items():
        unknown = any(word in row and row[word] is None for row in ours.values())
        if reason is not None and reason.instead is None and not unknown:
            found[word] = ("known everywhere", reason.why)
    return found


@pytest.mark.parametrize("door", zoo_doors.DOORS)
def test_each_word_is_the_kernels(
    animal: tuple[str, Target], door: str, frames: bool, here: frozenset[str]
) -> None:
    kind, target = animal
    if door in zoo_doors.FRAMES and not frames:
        pytest.skip("PFNs or /proc/kpageflags are hidden: needs CAP_SYS_ADMIN and root")

    def found() -> dict[str, object] | None:
        """Ours, the kernel's, and the reason that is written down."""
        before = truth(target, frames=frames, common=door == "sharing")
        ours = zoo_doors.DOORS[door](target)
        after = truth(target, frames=frames, common=door == "sharing")
        if before.keys() != after.keys() or not ours.keys() <= before.keys():
            return None
        now = here | {"came back"} if oracle.came_back() else here
        reasons = {word: reason_for(kind, door, word, now) for word in zoo_doors.WORDS[door]}
        return differences(reasons, ours, before, after)

    settled(found)


def test_each_reason_is_of_a_cell() -> None:
    for reason in REASONS:
        assert reason.word in zoo_doors.WORDS[reason.door], reason
        assert set(reason.kinds) <= set(ZOO), reason


def test_the_zoo_is_large() -> None:
    assert len(ZOO) >= 25
