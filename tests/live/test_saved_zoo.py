"""A snapshot says what the stopped process said, in every command: each kind of the zoo."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pytest

import pagemap
from pagemap._cli import main
from pagemap._native.descriptors import CLOSED
from pagemap._space.machine import Machine
from tests import everyone
from tests.looks import TRIES
from tests.workloads import Unavailable
from tests.zoo import ZOO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.target import Target

ADDRESSES = 40
FRAMES = "frames.pagemap"
# What the process alone changes. Strangers change pss, uss, clean, dirty and referenced of pages
# of a library, whenever they start and end.
OWN_SUMS = "rss,anon,file,shmem,swap,thp,locked,lazyfree,hugetlb"
OWN_SUMS_OF_MAPS = (
    "rows,size,rss,anon,file,shmem,huge,present,zero,hugetlb,swap,guard,marker,migrating,poisoned,"
    "device,soft_dirty,uffd_wp,lazyfree,locked,ksm,anon_huge,shmem_huge,file_huge"
)
SHARED_SUMS = "uss,pss,swap_pss,referenced,dirty,clean"
WAYS_OF_FRAMES = int(os.environ.get("PAGEMAP_ZOO_WAYS", "6"))
# What is said of a live process alone, and in the place of it of a snapshot.
SAID_OF_EITHER = (
    "run with sudo",
    "--frames tells",
    "without CAP_SYS_ADMIN",
    "was taken without",
    "the snapshot does not tell which",
    "tell which pages are guard",
    "soft-dirty is 0 for every page",
    "of one process alone nothing is shared",
    "looked at the processes of the snapshot only",
)


class Said(NamedTuple):
    """What a command wrote, and how it ended."""

    code: int
    out: bytes
    err: list[str]


@pytest.fixture(scope="module", name="animal", params=ZOO)
def _animal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Target, Path]]:
    """A process of each kind, stopped, and its snapshot."""
    file = tmp_path_factory.mktemp("saved") / "one.pagemap"
    try:
        with ZOO[request.param]() as target:
            family = [target.pid, *target.children]
            for pid in family:
                os.kill(pid, signal.SIGSTOP)
            try:
                take(target, file)
                yield target, file
            finally:
                for pid in family:
                    os.kill(pid, signal.SIGCONT)
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(autouse=True)
def no_map_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have bit 56 be as the page table has it, of the process too: so it is in the snapshot."""
    monkeypatch.setattr(Machine, "open_frames", lambda *_: CLOSED)


def take(target: Target, file: Path) -> None:
    """Take the snapshot, or take it again: with frames, of the whole family, or with smaps."""
    if file.name == FRAMES:
        family = list(map(str, [target.pid, *target.children]))
        assert main(["snapshot", *family, "--frames", "-o", str(file)]) == 0
    else:
        assert main(["snapshot", str(target.pid), "--smaps", "-o", str(file)]) == 0


def agree(look: Callable[[], tuple[Any, Any]], target: Target, file: Path, of: object) -> None:
    """Assert that both of `look` are equal: others may map and unmap the target's files meanwhile.

    Bit 56 of these pages changes with that, of a stopped process too.
    """
    for _ in range(TRIES):
        live, saved = look()
        if live == saved:
            return
        time.sleep(0.02)
        take(target, file)
    assert live == saved, of


def said(words: list[str], target: str, path: Path) -> Said:
    """What the command says of a target."""
    told = io.StringIO()
    path.unlink(missing_ok=True)
    with contextlib.redirect_stderr(told):
        code = main([target if word == "TARGET" else word for word in [*words, "-o", str(path)]])
    lines = [
        line for line in told.getvalue().splitlines() if not any(map(line.count, SAID_OF_EITHER))
    ]
    return Said(code, path.read_bytes() if path.exists() else b"", lines)


def addresses(pid: int) -> list[str]:
    """Some of each mapping, and some of none."""
    with pagemap.Process(pid) as process:
        mappings = list(process.maps())
    found = [each.start + 17 for each in mappings] + [each.end - 1 for each in mappings]
    return [f"{each:#x}" for each in [*found[:ADDRESSES], 0, 1 << 40]]


# Of file pages others come and go, and the kernel marks them as it ages them.
OF_FRAMES = [
    ["huge", "TARGET", "--sizes", "--cont", "64K,2M", "--format", "csv"],
    ["segments", "TARGET", "--format", "csv"],
    ["types", "TARGET", "--only", "anonymous", "--format", "csv"],
    ["huge", "FAMILY", "--by", "process", "--format", "csv"],
    ["sharing", "FAMILY", "--targets-only", "--what", "total", "--format", "csv"],
    ["sharing", "FAMILY", "--targets-only", "--what", "groups", "--format", "csv"],
    ["segments", "TARGET", "--transfer", "8192", "--by", "node", "--format", "csv"],
    ["types", "TARGET", "--list", "--only", "anonymous", "--format", "csv"],
    ["types", "TARGET", "--list-each", "--only", "anonymous", "--columns", "address,mapcount"],
    *(
        ["sharing", "FAMILY", "--targets-only", "--what", part, "--format", "csv"]
        for part in ("processes", "pairs", "paths")
    ),
]

WAYS = [
    ["dump", "TARGET"],
    ["dump", "TARGET", "--populated"],
    ["dump", "TARGET", "--format", "csv"],
    ["dump", "TARGET", "--format", "jsonl", "--populated"],
    ["dump", "TARGET", "--format", "csv", "--only", "swap/guard/marker"],
    ["dump", "TARGET", "--format", "csv", "--only", "present,~file_or_shared"],
    ["dump", "TARGET", "--format", "csv", "--columns", "address,pfn,kind,swap_offset"],
    ["dump", "TARGET", "--map", "[anon]", "--map", "[stack]"],
    ["maps", "TARGET", "--format", "csv"],
    ["maps", "TARGET", "--format", "jsonl", "--columns", "start,uss,uffd_wp,rss,swap,huge,guard"],
    [
        *("maps", "TARGET", "--by", "path", "--sort", "rss"),
        *("--format", "csv", "--columns", f"path,{OWN_SUMS_OF_MAPS}"),
    ],
    [
        *("maps", "TARGET", "--by", "path", "--map", "[anon]"),
        *("--format", "csv", "--columns", f"path,{SHARED_SUMS}"),
    ],
    ["maps", "TARGET"],
    ["regions", "TARGET", "--format", "csv"],
    ["regions", "TARGET", "--format", "csv", "--only", "present", "--tell", "huge,file,pfnzero"],
    [
        "regions",
        "TARGET",
        "--format",
        "csv",
        "--without",
        "present",
        "--range",
        "0x0-0x800000000000",
    ],
    ["regions", "TARGET", "--only", "huge", "--max-pages", "100", "--format", "csv"],
    ["footprint", "TARGET", "--format", "csv", "--columns", f"pid,sharers,name,{OWN_SUMS}"],
    ["footprint", "TARGET", "--by", "mapping", "--format", "csv", "--columns", f"start,{OWN_SUMS}"],
    ["footprint", "TARGET", "--by", "path", "--format", "csv", "--columns", f"path,{OWN_SUMS}"],
]


def test_each_command_says_the_same(
    animal: tuple[Target, Path], tmp_path: Path, pfns_visible: bool
) -> None:
    target, file = animal
    out = tmp_path / "out"
    ways = list(WAYS)
    if pfns_visible:  # why they are hidden is another reason for each
        ways.append(["virt-to-phys", "TARGET", *addresses(target.pid)])
        ways.append([*ways[-1], "--format", "csv"])

    def both(words: list[str]) -> tuple[Said, Said]:
        return said(words, str(target.pid), out), said(words, str(file), out)

    for words in ways:
        agree(partial(both, words), target, file, words)


def test_each_command_that_needs_frames_says_the_same(
    animal: tuple[Target, Path], tmp_path: Path, need_root: None, need_pfns: None
) -> None:
    """Of one process, and of all that the file has; who maps a page, a naive search says."""
    target, one = animal
    file = one.with_name(FRAMES)
    take(target, file)
    out = tmp_path / "out"
    pids = [str(target.pid), *map(str, target.children)]

    def both(words: list[str]) -> tuple[Said, Said]:
        if "FAMILY" not in words:
            return said(words, pids[0], out), said(words, f"{file}#{pids[0]}", out)
        at = words.index("FAMILY")
        live = [*words[:at], *pids, *words[at + 1 :]]
        return said(live, "", out), said([*live[:at], str(file), *words[at + 1 :]], "", out)

    for words in OF_FRAMES[:WAYS_OF_FRAMES]:
        if "FAMILY" in words and not target.children and len(OF_FRAMES) > WAYS_OF_FRAMES:
            continue  # nothing that one process alone would not tell
        agree(partial(both, words), target, file, words)
    if everyone.status(target.pid, "State").startswith("Z"):
        return  # nobody can read its maps but through another thread
    with pagemap.Snapshot(file) as snapshot:
        process = snapshot.process(target.pid)
        pages = [page for _, some in process.populated() for page in some if page.pfn][-3:]
        found = snapshot.owners([page.pfn or 0 for page in pages])
    expected = {
        (pid, address, page.pfn)
        for page in pages
        for pid, address in everyone.mappers(page.pfn or 0, snapshot_pids(found))
    }
    assert {(row.pid, row.address, row.pfn) for row in found} == expected
    assert {(target.pid, page.address) for page in pages} <= {
        (row.pid, row.address) for row in found
    }


def snapshot_pids(found: pagemap.Table[pagemap.OwnerRow]) -> list[int]:
    """Those that were looked at: one of each address space."""
    pids = found.about["pids"]
    assert isinstance(pids, list)
    return pids


def test_json_says_the_same_of_all_but_itself(animal: tuple[Target, Path], tmp_path: Path) -> None:
    """And that it is of a snapshot, and when that was taken."""
    target, file = animal
    out = tmp_path / "out"
    abouts: list[dict[str, Any]] = []

    def rest(words: list[str], whose: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(said(words, whose, out).out)
        abouts.append(found.pop("about"))
        return found

    def both(words: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        return rest(words, str(target.pid)), rest(words, str(file))

    for words in (["maps", "TARGET", "--json"], ["dump", "TARGET", "--format", "json"]):
        agree(partial(both, words), target, file, words)
        of_live, of_saved = abouts[-2:]
        assert of_saved.pop("snapshot") == str(file)
        assert of_saved.pop("complete") is True
        assert of_saved.pop("stopped") is False
        assert of_saved.keys() == of_live.keys()
        assert of_saved["begin"] <= of_saved["end"] < of_live["begin"]


def test_the_library_says_the_same(animal: tuple[Target, Path]) -> None:
    target, file = animal

    def look() -> tuple[list[object], list[object]]:
        with (
            pagemap.Process(target.pid) as live,
            pagemap.Snapshot(file) as snapshot,
            snapshot.process() as saved,
        ):
            assert snapshot.processes == [target.pid]
            return said_by(live), said_by(saved)

    agree(look, target, file, "the library")


def said_by(process: pagemap.Process | pagemap.SavedProcess) -> list[object]:
    """What the methods say that no command calls."""
    mappings = list(process.maps())
    room = bytearray(8 * 64)
    footprints = process.footprints()
    columns: Any = pa.table(process.columns())
    return [
        (process.pid, process.name, process.page_size, process.reserved_pages),
        mappings,
        columns.to_pydict(),
        [
            (bytes(each.entries), [page.kind for page in each[:9]], each.counts())
            for each in process.pages_of(mappings)
        ],
        (process.read_into(room, mappings[0].start), bytes(room)),
        process.entry(mappings[0].start),
        [(mapping, bytes(pages.entries)) for mapping, pages in process.populated()],
        # the rest of smaps is shared with others, who come and go
        [list(footprints[name]) for name in ("start", "path", "rss", "anon", "swap", "locked")],
    ]
