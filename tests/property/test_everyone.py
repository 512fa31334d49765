"""Many made-up processes: who maps a frame and who shares what, against plain loops."""

from __future__ import annotations

import array
import itertools
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

import pagemap
from tests import oracle
from tests.property.fake import write_process

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = oracle.PAGE
PRESENT, FILE, EXCLUSIVE = 1 << 63, 1 << 61, 1 << 56
MMAP, ANON, SWAPBACKED, KSM, ZERO = 1 << 11, 1 << 12, 1 << 14, 1 << 21, 1 << 24
RESERVED = 1 << 32
FREED = 0  # since the process was read
KINDS = {
    MMAP: "file",
    MMAP | SWAPBACKED: "shmem",
    MMAP | ANON | SWAPBACKED: "anon",
    MMAP | ANON | KSM: "ksm",
    ZERO: "zero",
    RESERVED: "other",
}
FRAMES = 40
PATHS = ["", "[heap]", "/lib/a", "/lib/b, c"]

# A mapping: its path, and for each of its pages the frame, 0 for none.
mappings = st.lists(
    st.tuples(st.sampled_from(PATHS), st.lists(st.integers(0, FRAMES - 1), max_size=12)),
    max_size=4,
)
machines = st.tuples(
    st.lists(mappings, min_size=1, max_size=6),
    st.lists(st.sampled_from([*KINDS, FREED]), min_size=FRAMES, max_size=FRAMES),
)

Machine = tuple[list[list[tuple[str, list[int]]]], list[int]]


class Fake:
    """A /proc of these processes, in a folder of its own."""

    def __init__(self, machine: Machine, folder: str) -> None:
        processes, self.flags = machine
        self.procfs = Path(folder)
        self.pages: list[tuple[int, int, int, str]] = []  # pid, address, frame, path
        for pid, layout in enumerate(processes, 1):
            vpn = 1
            for path, frames in layout:
                for frame in frames:
                    if frame:
                        self.pages.append((pid, vpn * PAGE, frame, path))
                    vpn += 1
                vpn += 1
        self.counts = Counter(frame for _, _, frame, _ in self.pages)
        for pid, layout in enumerate(processes, 1):
            self._write(pid, layout)
        for name, words in (
            ("kpageflags", self.flags),
            ("kpagecount", [self.counts[frame] for frame in range(FRAMES)]),
        ):
            (self.procfs / name).write_bytes(array.array("Q", words).tobytes())
        (self.procfs / "meminfo").write_text("MemAvailable:  1048576 kB\n")

    def _write(self, pid: int, layout: list[tuple[str, list[int]]]) -> None:
        entries, lines, vpn = [0], [], 1
        for path, frames in layout:
            if frames:
                inode = 7 if path.startswith("/") else 0
                start, end = vpn * PAGE, (vpn + len(frames)) * PAGE
                lines.append(f"{start:x}-{end:x} rw-p 00000000 00:00 {inode} {path}\n")
            entries += [self._entry(frame) for frame in frames] + [0]
            vpn += len(frames) + 1
        write_process(self.procfs, pid, entries, "".join(lines).encode())

    def _entry(self, frame: int) -> int:
        if not frame:
            return 0
        alone = EXCLUSIVE if self.counts[frame] == 1 else 0
        return PRESENT | alone | frame

    def groups(self, targets: set[int]) -> dict[tuple[tuple[int, ...], str], Counter[str]]:
        """The frames that are shared, by a target too, by who they are and the first's path."""
        result: dict[tuple[tuple[int, ...], str], Counter[str]] = {}
        for frame in range(1, FRAMES):
            if self.flags[frame] == FREED:
                continue
            users = [(pid, path) for pid, _, at, path in self.pages if at == frame]
            # targets come first
            users.sort(key=lambda user: user[0] not in targets)
            pids = tuple(dict.fromkeys(pid for pid, _ in users))
            # what KSM merged within one process is shared by its mappings
            merged = len(users) > 1 and KINDS[self.flags[frame]] == "ksm"
            if (len(pids) > 1 or merged) and (not targets or targets & set(pids)):
                key = pids, users[0][1]
                result.setdefault(key, Counter())[KINDS[self.flags[frame]]] += 1
        return result


def fakes(machine: Machine) -> Iterator[Fake]:
    """One, while the kernel seems to show PFNs."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("pagemap._native.probes.pfns", return_value=True),
    ):
        yield Fake(machine, folder)


@given(machines, st.sets(st.integers(0, FRAMES - 1), max_size=8))
def test_owners(machine: Machine, wanted: set[int]) -> None:
    for fake in fakes(machine):
        # frames whose kind would not allow where they are mapped here are not looked for there
        honest = [frame for frame in wanted if self_evident(fake, frame)]
        table = pagemap.owners(honest, procfs=str(fake.procfs), threads=1)
        found = [(each.pid, each.address, each.pfn, each.path) for each in table]
        assert found == [page for page in fake.pages if page[2] in honest]
        about: Any = table.about
        assert [frame["unexplained"] for frame in about["frames"]] == [0] * len(honest)
        assert all(each.exclusive == (fake.counts[each.pfn] == 1) for each in table)


def self_evident(fake: Fake, frame: int) -> bool:
    """Whether a frame of a file is mapped by files alone."""
    paths = {path for _, _, at, path in fake.pages if at == frame}
    anonymous = fake.flags[frame] & (ANON | ZERO) or not fake.flags[frame]
    return frame > 0 and (bool(anonymous) or not paths & {"", "[heap]"})


def kinds(row: Any) -> Counter[str]:
    """Pages by kind."""
    return +Counter({kind: getattr(row, kind) // PAGE for kind in set(KINDS.values())})


@given(machines, st.sets(st.integers(1, 6), max_size=2), st.integers(1, 50))
def test_sharing(machine: Machine, chosen: set[int], window: int) -> None:
    for fake in fakes(machine):
        pids = range(1, len(machine[0]) + 1)
        targets = sorted(chosen & set(pids))
        told = pagemap.sharing(
            targets, procfs=str(fake.procfs), top=10_000, window=window, threads=1
        )
        expected = fake.groups(set(targets))
        real = {key: count for key, count in expected.items() if set(count) - {"zero"}}
        got = {(each.pids, each.path): kinds(each) for each in told.groups}
        assert got == real
        assert kinds(told.total[0]) == sum(expected.values(), Counter())
        for one, other in itertools.combinations(pids, 2):
            if targets and not {one, other} & set(targets):
                continue
            both = sum((c for (who, _), c in expected.items() if {one, other} <= {*who}), Counter())
            pair = [each for each in told.pairs if {each.pid, each.other_pid} == {one, other}]
            assert [kinds(each) for each in pair] == ([both] if set(both) - {"zero"} else [])
        frames = {each.pfn: each for each in told.frames}
        assert len(frames) == sum(sum(count.values()) for count in expected.values())
        assert all(KINDS[fake.flags[pfn]] == each.kind for pfn, each in frames.items())
        assert all(each.mapcount == fake.counts[pfn] for pfn, each in frames.items())
