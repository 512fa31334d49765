"""The checks of memory for tests: of pages that are written, huge, resident and shared."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import signal
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

import pagemap
from pagemap._pytest import plugin
from pagemap._pytest.areas import Area
from pagemap._pytest.huge_setting import huge_page, why_none
from tests import mappings
from tests.live.as_nobody import without_admin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = mappings.PAGE
HUGE = 2 << 20
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


@pytest.fixture
def memory() -> Iterator[mmap.mmap]:
    """64 pages of this process alone, all of them there."""
    with mmap.mmap(-1, 64 * PAGE, PRIVATE) as made:
        made[:] = bytes(len(made))
        yield made


def write(memory: mmap.mmap, *pages: int) -> None:
    for page in pages:
        memory[page * PAGE] = 1


@contextmanager
def child(work: Callable[[], object] = lambda: None) -> Iterator[int]:
    """A child that has done its work, and waits."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if not pid:
        work()
        os.write(write_end, b"x")
        signal.pause()
        os._exit(0)
    try:
        os.read(read_end, 1)
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(read_end)
        os.close(write_end)


def test_written(need_own_tracking: None, memory: mmap.mmap) -> None:
    with pagemap.assert_written(memory, at_most=2) as tracker:
        memory[0] = memory[5 * PAGE] = 1
    assert tracker.written.total().pages == 2
    said = r"^3 pages written, at most 2 allowed \(by user"
    with pytest.raises(AssertionError, match=said), pagemap.assert_written(memory, at_most=2):
        write(memory, 0, 5, 9)
    with pytest.raises(IndexError), pagemap.assert_written(memory, at_most=0):
        write(memory, 0, 64)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    with pagemap.assert_written((start, start + PAGE), at_most=1):
        memory[0] = memory[5 * PAGE] = 1


def test_written_of_mappings_by_name(need_own_tracking: None, tmp_path: Path) -> None:
    """Also of one that comes meanwhile."""
    path = tmp_path / "of a name"
    path.write_bytes(bytes(8 * PAGE))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE) as mapped:
        with pagemap.assert_written("of a name", at_most=2):
            mapped[0] = mapped[3 * PAGE] = 1
        others = []

        def work() -> None:
            others.append(mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE))
            write(others[0], 0, 1, 2)
            write(mapped, 0)

        said = r"^4 pages written, .*: mappings '/.*/of a name'"
        with (
            pytest.raises(AssertionError, match=said),
            pagemap.assert_written(str(path), at_most=3),
        ):
            work()
        others.pop().close()
    with (
        pytest.raises(pagemap.UsageError, match="has no mapping 'of a name'"),
        pagemap.assert_written("of a name", at_most=2),
    ):
        pass


def test_a_check_without_with_is_told(memory: mmap.mmap) -> None:
    with pytest.warns(RuntimeWarning, match="checked nothing"):
        pagemap.assert_written(memory, at_most=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match="at_most must be an int"):
            pagemap.assert_written(memory, at_most=1.5)  # type: ignore[arg-type]
        with pytest.raises(BufferError, match="contiguous"):
            pagemap.assert_written(memoryview(memory)[::2], at_most=1)


def need_scan_of_huge_pages() -> None:
    """Skip where the kernel does not find huge pages."""
    with pagemap.Process("self") as process:
        if not process.can_scan:
            pytest.skip("needs PAGEMAP_SCAN (Linux 6.7), which finds huge pages")


def test_huge() -> None:
    need_scan_of_huge_pages()
    with mmap.mmap(-1, 4 * HUGE, PRIVATE) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        memory[:] = bytes(len(memory))
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        inner = ((start + HUGE - 1) & -HUGE) - start
        smaps = Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace")
        lines = smaps.partition(f"{start:x}-")[2].splitlines()
        told = next(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages:"))
        if told < 3 * HUGE >> 10:
            pytest.skip("needs three huge pages, which the kernel did not give")
        pagemap.assert_huge(memory)
        memory.madvise(mmap.MADV_DONTNEED, inner + PAGE, PAGE)  # its page is a huge one no more
        pagemap.assert_huge(memory, at_least=0.5)
        whole = (start + len(memory)) // HUGE - (start + inner) // HUGE
        with pytest.raises(
            AssertionError,
            match=rf"^{(whole - 1) * 512} of {whole * 512} pages are in huge pages, at least 100% "
            rf"must be: {whole} whole huge pages in mmap of 8388608 bytes",
        ):
            pagemap.assert_huge(memory)
    with pytest.raises(pagemap.UsageError, match="has no whole huge page"):
        pagemap.assert_huge(bytearray(HUGE // 2))
    for wrong in (0, 1.5, 100):
        with pytest.raises(pagemap.UsageError, match="at_least must be a share, above 0 and"):
            pagemap.assert_huge(bytearray(HUGE * 2), at_least=wrong)


def test_huge_where_there_can_be_none(tmp_path: Path) -> None:
    """A setting of one size goes before that of all."""
    size = tmp_path / f"hugepages-{huge_page() >> 10}kB"
    size.mkdir()
    memory = mmap.mmap(-1, PAGE, PRIVATE), mmap.mmap(-1, PAGE)
    private, shared = map(Area, memory)
    with pagemap.Process("self") as process:

        def why() -> str | None:
            return why_none(process, private, str(tmp_path))

        assert why() is None
        (tmp_path / "enabled").write_text("always madvise [never]\n")
        assert "/enabled says 'never'" in str(why())
        assert why_none(process, shared, str(tmp_path)) is None
        (size / "enabled").write_text("always [inherit] madvise never\n")
        assert "/enabled says 'never'" in str(why())
        (size / "enabled").write_text("[always] inherit madvise never\n")
        assert why() is None
        (tmp_path / "shmem_enabled").write_text("always within_size advise never [deny] force\n")
        assert "/shmem_enabled says 'deny'" in str(why_none(process, shared, str(tmp_path)))


def test_resident(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(bytes(10 * PAGE + 1))
        file.flush()
        pagemap.assert_resident(path)
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)  # no readahead
        file.read(4 * PAGE)
    if pagemap.cache([str(path)], least=0)[0].cached != 4 * PAGE:
        pytest.skip("needs a file system that lets go of cached pages: this keeps them")
    pagemap.assert_resident(path, at_least=0.36)
    with pytest.raises(
        AssertionError, match=r"^4 of 11 pages are in the page cache, at least 37% must be \(by"
    ):
        pagemap.assert_resident(path, at_least=0.37)


def test_resident_of_what_has_no_pages(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(pagemap.UsageError, match="is empty"):
        pagemap.assert_resident(path)
    with pytest.raises(pagemap.UsageError, match="is a directory"):
        pagemap.assert_resident(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="No such file"):
        pagemap.assert_resident(path)
    for nothing, error in ((None, TypeError), ("", pagemap.UsageError)):
        with pytest.raises(error, match=r"must be an object|names no memory"):
            pagemap.assert_huge(nothing)  # type: ignore[arg-type]


def test_shared_with_children(need_pfns: None, memory: mmap.mmap) -> None:
    with child() as first, child(lambda: memory.__setitem__(5 * PAGE, 1)) as second:
        pagemap.assert_shared([first], of=memory)
        pagemap.assert_shared([first, second], of=memory, at_least=0.98)
        memory[0] = 1
        pagemap.assert_shared([first], of=memory, at_least=63 / 64)
        with pytest.raises(
            AssertionError,
            match=rf"^62 of 64 pages are shared by all 3 processes, at least 100% must be "
            rf"\(1 are not those of process {first}, 2 are not those of process {second}\): mmap",
        ):
            pagemap.assert_shared([first, second], of=memory)
        with mmap.mmap(-1, PAGE) as empty, pytest.raises(pagemap.UsageError, match="has no page"):
            pagemap.assert_shared([first], of=empty)
    with pytest.raises(pagemap.NoSuchProcess):
        pagemap.assert_shared([first], of=memory)
    with pytest.raises(pagemap.UsageError, match="at least one"):
        pagemap.assert_shared([], of=memory)


def test_shared_by_the_name_of_a_file(need_pfns: None, tmp_path: Path) -> None:
    """At other addresses, and another part of it: what is compared is the file's."""
    path = tmp_path / "shared.bin"
    path.write_bytes(bytes(8 * PAGE))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 8 * PAGE) as mapped:
        mapped[:] = b"x" * len(mapped)

        def elsewhere() -> None:
            mapped.close()
            place = mmap.mmap(-1, 64 * PAGE)
            part = mmap.mmap(file.fileno(), 6 * PAGE, offset=2 * PAGE)
            kept.extend([place, part, part[::PAGE]])

        kept: list[object] = []
        with child(elsewhere) as pid:
            pagemap.assert_shared([pid], of="shared.bin", at_least=6 / 8)
            with pytest.raises(AssertionError, match=r"^6 of 8 pages are shared by all 2 proc"):
                pagemap.assert_shared([pid], of="shared.bin")


@pytest.mark.parametrize("scan", [True, False])
def test_shared_where_frames_are_hidden(
    need_root: None, memory: mmap.mmap, monkeypatch: pytest.MonkeyPatch, scan: bool
) -> None:
    """That a process has pages alone is seen by everybody; that they are shared is not.

    Of huge pages the kernel may tell for all what is so of the first: where it does not say which
    pages are huge, it is not known that a process has any alone.
    """
    if scan:
        need_scan_of_huge_pages()
    else:
        monkeypatch.setenv("PAGEMAP_DISABLE", "scan")

    def told(pid: int) -> str:
        try:
            pagemap.assert_shared([pid], of=memory)
        except (AssertionError, pagemap.PfnsHidden, pytest.skip.Exception) as outcome:
            return f"{type(outcome).__name__}: {outcome}"
        return "passed"

    with child() as pid:
        hidden = "(Skipped: cannot be held here|PfnsHidden): "
        if not scan:
            memory[7 * PAGE] = 1
            said = without_admin(lambda: told(pid))
            assert re.match(f"{hidden}whether these pages are the same in all is told by f", said)
            return
        said = without_admin(lambda: told(pid))
        assert re.match(f"{hidden}no process has these pages alone, but whether these p", said)
        memory[7 * PAGE] = 1
        said = without_admin(lambda: told(pid))
        assert said.startswith("AssertionError: 63 of 64 pages are shared by all 2 processes")


def test_without_a_run_of_pytest_errors_are_raised(
    monkeypatch: pytest.MonkeyPatch, memory: mmap.mmap
) -> None:
    monkeypatch.setattr(plugin, "_running", [])

    def refuse(*_: object) -> NoReturn:
        raise pagemap.Unsupported("not here")

    monkeypatch.setattr("pagemap._pytest.checks.Writes", refuse)
    with (
        pytest.raises(pagemap.Unsupported, match="not here"),
        pagemap.assert_written(memory, at_most=1),
    ):
        pass
