"""Process over a made-up /proc: the states that a live one shows only for a moment."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._native import probes
from tests.unit import fake_proc
from tests.unit.fake_proc import PAGE_SIZE, line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRESENT = 1 << 63
SWAPPED = 1 << 62
GUARD = 1 << 58
FAR = (2**63, 2**63 + PAGE_SIZE)


@pytest.fixture(autouse=True)
def _as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's answer about PFNs is about who runs the tests; here it is always yes."""
    monkeypatch.setattr(probes, "pfns", lambda: True)


def hide_pfns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "pfns", lambda: False)


def fake(root: Path, **how: object) -> pagemap.Process:
    return pagemap.Process(4242, procfs=fake_proc.make(root, **how))  # type: ignore[arg-type]


def test_a_range_is_widened_to_whole_pages(tmp_path: Path) -> None:
    with fake(tmp_path, entries={2: PRESENT | 7}) as process:
        pages = process.pages((PAGE_SIZE + 1, 2 * PAGE_SIZE + 1))
    assert (pages.start, pages.end) == (PAGE_SIZE, 3 * PAGE_SIZE)
    assert pages.entries.tolist() == [0, PRESENT | 7]


def test_fewer_pages_than_asked_for_at_the_end_of_the_address_space(tmp_path: Path) -> None:
    with fake(tmp_path, pages=64) as process:
        assert len(process.pages((60 * PAGE_SIZE, 70 * PAGE_SIZE))) == 4
        assert len(process.pages((70 * PAGE_SIZE, 80 * PAGE_SIZE))) == 0
        found = process.pages_of([(0, PAGE_SIZE), (62 * PAGE_SIZE, 66 * PAGE_SIZE), FAR])
        assert [len(pages) for pages in found] == [1, 2, 0]
        assert [pages.start for pages in found] == [0, 62 * PAGE_SIZE, 2**63]


@pytest.mark.parametrize("where", [(0, 0), (8192, 4096), (-4096, 4096), (0, 2**64 + 1)])
def test_ranges_that_are_none(tmp_path: Path, where: tuple[int, int]) -> None:
    with fake(tmp_path) as process, pytest.raises(pagemap.UsageError, match="is not a range"):
        process.pages(where)


@pytest.mark.parametrize("address", [-1, 2**64, 2**70])
def test_addresses_that_are_none(tmp_path: Path, address: int) -> None:
    with fake(tmp_path) as process:
        for call in (process.virt_to_phys, process.entry):
            with pytest.raises(pagemap.UsageError, match="64 bits"):
                call(address)
        with pytest.raises(ValueError, match="64 bits"):
            process.read_into(bytearray(8), address)


def test_virt_to_phys_is_frame_and_offset(tmp_path: Path) -> None:
    with fake(tmp_path, entries={3: PRESENT | 0x1234}) as process:
        assert process.virt_to_phys(3 * PAGE_SIZE + 0x56) == 0x1234 * PAGE_SIZE + 0x56


def test_why_there_is_no_physical_address(tmp_path: Path) -> None:
    entries = {5: SWAPPED | 3 | 0x77 << 5, 6: SWAPPED | GUARD}
    with fake(tmp_path, maps=line(4, 8, "[heap]"), entries=entries) as process:
        with pytest.raises(pagemap.NotPresent, match=r"\[heap\].*not present") as absent:
            process.virt_to_phys(4 * PAGE_SIZE + 1)
        with pytest.raises(pagemap.SwappedOut, match="swap type 3, offset 0x77") as swapped:
            process.virt_to_phys(5 * PAGE_SIZE)
        with pytest.raises(pagemap.NotPresent, match="guard region"):
            process.virt_to_phys(6 * PAGE_SIZE)
        with pytest.raises(pagemap.NotMapped, match="in no mapping"):
            process.virt_to_phys(9 * PAGE_SIZE)
        with pytest.raises(pagemap.NotMapped, match="past the end"):
            process.virt_to_phys(2**64 - 1)
    assert absent.value.address == 4 * PAGE_SIZE + 1
    assert absent.value.pid == 4242
    assert (swapped.value.swap_type, swapped.value.swap_offset) == (3, 0x77)


def test_many_addresses_at_once(tmp_path: Path) -> None:
    """A row for each, in their order, and why where there is none."""
    entries = {3: PRESENT | 0x1234, 5: SWAPPED | 3 | 0x77 << 5}
    asked = [5 * PAGE_SIZE, 3 * PAGE_SIZE + 0x56, 4 * PAGE_SIZE, 9 * PAGE_SIZE, 3 * PAGE_SIZE]
    maps = line(3, 4) + line(4, 8, "[heap]")
    with fake(tmp_path, maps=maps, entries=entries) as process:
        table = process.translate(iter(asked))
        assert table.about["pid"] == 4242
        assert [(row.pid, row.address) for row in table] == [(4242, each) for each in asked]
        at = 0x1234 * PAGE_SIZE
        assert [row.physical for row in table] == [None, at + 0x56, None, None, at]
        assert [row.pfn for row in table] == [None, 0x1234, None, None, 0x1234]
        errors = ["swapped_out", None, "not_present", "not_mapped", None]
        assert [row.error for row in table] == errors
        assert "swap type 3, offset 0x77" in str(table[0].detail)
        assert len(process.translate([])) == 0


def test_hidden_is_never_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide_pfns(monkeypatch)
    entries = {1: PRESENT, 2: SWAPPED}
    with fake(tmp_path, maps=line(1, 4), entries=entries) as process:
        with pytest.raises(pagemap.PfnsHidden, match="CAP_SYS_ADMIN"):
            process.virt_to_phys(PAGE_SIZE)
        with pytest.raises(pagemap.SwappedOut, match="hides") as swapped:
            process.virt_to_phys(2 * PAGE_SIZE)
        hidden = process.translate([PAGE_SIZE])[0]
        assert (hidden.physical, hidden.pfn, hidden.error) == (None, None, "pfns_hidden")
        pages = process.pages((PAGE_SIZE, 3 * PAGE_SIZE))
        rows = io.BytesIO()
        assert pagemap.dump(process, rows) == 3
    assert (swapped.value.swap_type, swapped.value.swap_offset) == (None, None)
    assert (pages[0].pfn, pages[0].physical_address) == (None, None)
    assert (pages[1].swap_type, pages[1].swap_offset) == (None, None)
    assert pages.pfns().tolist() == [2**64 - 1] * 2
    assert pages.column("swap_type").tolist() == [255] * 2
    assert pages.column("swap_offset").tolist() == [2**64 - 1] * 2
    shown = [row.split()[1] for row in rows.getvalue().splitlines()[1:]]
    assert shown == [b"-", b"-", b"0"]


def test_a_kernel_thread_opens_and_has_nothing(tmp_path: Path) -> None:
    with fake(tmp_path, pages=0, stat=fake_proc.KERNEL_THREAD, auxv=b"") as process:
        assert process.kernel_thread
        assert not len(process.maps())
        process.check()
        rows = io.BytesIO()
        assert pagemap.dump(process, rows, progress=lambda _done, _total: None) == 0
        assert rows.getvalue().count(b"\n") == 1
        with pytest.raises(pagemap.NotMapped, match="kernel thread"):
            process.virt_to_phys(PAGE_SIZE)


def test_a_zombie_does_not_open(tmp_path: Path) -> None:
    with pytest.raises(pagemap.NoSuchProcess, match="zombie"):
        fake(tmp_path, pages=0, stat=fake_proc.ZOMBIE, auxv=b"")


def test_a_kernel_without_pagemap_says_so(tmp_path: Path) -> None:
    procfs = fake_proc.make(tmp_path)
    (tmp_path / "4242/pagemap").unlink()
    with pytest.raises(pagemap.Unsupported, match="CONFIG_PROC_PAGE_MONITOR"):
        pagemap.Process(4242, procfs=procfs)


def test_exec_between_maps_and_pagemap_is_noticed(tmp_path: Path) -> None:
    """The pid stays, the descriptors stay readable, and the mappings are another program's."""
    with fake(tmp_path, maps=line(1, 4), entries={1: PRESENT | 1}) as process:
        (tmp_path / "4242/auxv").write_bytes(b"auxv of the next image")
        with pytest.raises(pagemap.TargetVanished, match="exec"):
            process.maps()
        with pytest.raises(pagemap.TargetVanished, match="exec"):
            process.check()
        with pytest.raises(pagemap.TargetVanished, match="exec"):
            pagemap.dump(process, io.BytesIO())


def test_exit_midway_keeps_the_rows_read(tmp_path: Path) -> None:
    maps = line(1, 3) + line(3, 5, "/b")
    with fake(tmp_path, maps=maps, entries={1: PRESENT | 1}) as process:
        os.truncate(tmp_path / "4242/pagemap", 0)  # what a descriptor of a dead one reads as
        (tmp_path / "4242/auxv").unlink()
        rows = io.BytesIO()
        with pytest.raises(pagemap.TargetVanished, match="exited"):
            pagemap.dump(process, rows)
        assert rows.getvalue().count(b"\n") == 1
        with pytest.raises(pagemap.TargetVanished, match="exited") as error:
            process.pages((0, PAGE_SIZE))
    assert error.value.pid == 4242


def test_a_folder_that_goes_away_is_a_process_that_vanished(tmp_path: Path) -> None:
    with fake(tmp_path, maps=line(1, 3)) as process:
        (tmp_path / "4242/auxv").unlink()
        (tmp_path / "4242/comm").unlink()
        with pytest.raises(pagemap.TargetVanished, match="exited"):
            process.maps()
        with pytest.raises(pagemap.TargetVanished):
            process.name  # noqa: B018 - asking is what fails


def test_maps_are_read_from_the_file_opened_along_with_the_pagemap(tmp_path: Path) -> None:
    """Where addresses are not randomised, only the open file tells one image from another."""
    with fake(tmp_path, maps=line(1, 3, "/old")) as process:
        (tmp_path / "4242/maps").unlink()
        (tmp_path / "4242/maps").write_bytes(line(1, 3, "/new"))
        assert [mapping.path for mapping in process.maps()] == ["/old"]
        assert [mapping.path for mapping in process.maps()] == ["/old"]


def test_maps_can_be_read_while_they_are_being_read(tmp_path: Path) -> None:
    with fake(tmp_path, maps=line(1, 3, "/a") + line(3, 4, "/b")) as process:
        blocks = process.maps_blocks()
        first = next(blocks)
        assert len(process.maps()) == 2
        assert first + b"".join(blocks) == line(1, 3, "/a") + line(3, 4, "/b")
        blocks = process.maps_blocks()
        next(blocks)
        blocks.close()
        assert len(process.maps()) == 2


@contextlib.contextmanager
def without_rights_to(path: Path) -> Iterator[None]:
    """Be somebody who may not read a file; root may read all, and is nobody meanwhile."""
    path.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        yield
    finally:
        os.seteuid(user)


def test_a_folder_closed_to_us_since_it_was_opened(tmp_path: Path) -> None:
    """Rights were dropped: what is open is read on. Gone, it was exec of a setuid program."""
    with (
        fake(tmp_path, maps=line(1, 3), entries={1: PRESENT | 1}) as process,
        open(tmp_path / "4242/pagemap", "r+b") as pagemap_file,
        without_rights_to(tmp_path / "4242/auxv"),
    ):
        assert len(process.maps()) == 1
        assert pagemap.dump(process, io.BytesIO()) == 2
        pagemap_file.truncate(0)
        with pytest.raises(pagemap.TargetVanished, match="exec"):
            pagemap.dump(process, io.BytesIO())


def test_a_path_longer_than_any_buffer(tmp_path: Path) -> None:
    path = "/" + "d" * 700_000
    with fake(tmp_path, maps=line(1, 3, path) + line(3, 4, "/b")) as process:
        assert [mapping.path for mapping in process.maps()] == [path, "/b"]
        for form in ("text", "csv", "json", "jsonl"):
            rows = io.BytesIO()
            assert pagemap.dump(process, rows, format=form, header=False) == 3
            assert rows.getvalue().count(path.encode()) == 2


def test_a_path_that_grows_past_every_piece_when_quoted(tmp_path: Path) -> None:
    path = "/" + "\x01" * 700_000
    with fake(tmp_path, maps=line(1, 3, path)) as process:
        rows = io.BytesIO()
        assert pagemap.dump(process, rows, format="jsonl", header=False) == 2
    assert json.loads(rows.getvalue().splitlines()[1])["path"] == path


@pytest.mark.parametrize("address", [1.5, None, "4096"])
def test_what_is_no_address_at_all(tmp_path: Path, address: object) -> None:
    with fake(tmp_path) as process:
        for call in (process.entry, process.virt_to_phys):
            with pytest.raises(TypeError):
                call(address)  # type: ignore[arg-type]


def test_mappings_seen_twice_are_dumped_once(tmp_path: Path) -> None:
    """Between two reads of maps a mapping may grow backwards over lines already read."""
    maps = line(1, 3, "/a") + line(2, 5, "/merged") + line(3, 4, "/a")
    with fake(tmp_path, maps=maps) as process:
        rows = io.BytesIO()
        assert pagemap.dump(process, rows, header=False) == 4
    found = [(int(row.split()[0], 16), row.split()[-1]) for row in rows.getvalue().splitlines()]
    assert found == [
        (1 * PAGE_SIZE, b"/a"),
        (2 * PAGE_SIZE, b"/a"),
        (3 * PAGE_SIZE, b"/merged"),
        (4 * PAGE_SIZE, b"/merged"),
    ]


@pytest.mark.parametrize("target", ["bash", "4242", "@x"])
def test_a_name_is_not_a_target_of_the_library(target: str) -> None:
    with pytest.raises(pagemap.UsageError, match="find"):
        pagemap.Process(target)


@pytest.mark.parametrize("target", [None, 1.5, True, object()])
def test_what_is_no_target_at_all(target: object) -> None:
    with pytest.raises(TypeError, match="a pid"):
        pagemap.Process(target)  # type: ignore[arg-type]


@pytest.mark.parametrize("pid", [0, -1, 2**31 - 1, 2**40])
def test_no_such_process(pid: int) -> None:
    with pytest.raises(pagemap.NoSuchProcess) as error:
        pagemap.Process(pid)
    assert error.value.pid == pid
    assert isinstance(error.value, ProcessLookupError)


def test_an_object_with_a_pid_is_a_target() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            with pagemap.Process(child) as process:
                assert process.pid == child.pid
        finally:
            child.kill()


def test_a_closed_process_refuses_everything(tmp_path: Path) -> None:
    process = fake(tmp_path, maps=line(1, 3))
    process.close()
    process.close()
    assert process.closed
    calls = [
        process.maps,
        process.fileno,
        process.alive,
        process.check,
        lambda: process.name,
        lambda: process.reserved_pages,
        lambda: process.pages((0, PAGE_SIZE)),
        lambda: process.pages_of([(0, PAGE_SIZE)]),
        lambda: process.read_into(bytearray(8), 0),
        lambda: process.entry(0),
        lambda: process.virt_to_phys(0),
        lambda: pagemap.dump(process, io.BytesIO()),
        process.__enter__,
    ]
    for call in calls:
        with pytest.raises(pagemap.ClosedProcess, match="closed"):
            call()


def test_exec_at_every_moment_of_opening_gives_up(tmp_path: Path) -> None:
    """Each page table that is opened is an old image's, and gone by the time it is looked at."""
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(pagemap.NoSuchProcess, match="exec again and again"):
        fake(tmp_path, pages=0)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_buffer_of_the_other_byte_order_is_refused(tmp_path: Path) -> None:
    word = ctypes.c_uint64
    kind = word.__ctype_be__ if sys.byteorder == "little" else word.__ctype_le__
    with fake(tmp_path, entries={0: PRESENT | 1}) as process:
        with pytest.raises(ValueError, match="format"):
            process.read_into((kind * 4)(), 0)
        ours = (ctypes.c_uint64 * 1)()
        assert process.read_into(ours, 0) == 1
        assert ours[0] == PRESENT | 1
