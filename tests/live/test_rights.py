"""Users without rights: what the kernel hides is `-` or None, what it forbids says why."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle, workloads
from tests.live.as_nobody import NOBODY, as_nobody

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Start

PAGE = oracle.PAGE


def own_pages() -> tuple[bytes, bytes, bool]:
    """A dump of our own written memory, what it should be, and whether we see PFNs."""
    import mmap

    with mmap.mmap(-1, 64 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        for at in range(0, 64 * PAGE, 2 * PAGE):
            memory[at] = 1
        start = oracle.address_of(memory)
        where = (start, start + 64 * PAGE)
        file = io.BytesIO()
        with pagemap.Process("self") as process:
            pagemap.dump(process, file, header=False, ranges=[where])
            label = next(line.label for line in oracle.maps(os.getpid()) if line.end > start)
            entries = oracle.entries(os.getpid(), *where)
            expected = b"".join(
                oracle.text_row(entry, start + i * PAGE, label, hidden=not process.pfns_visible)
                for i, entry in enumerate(entries)
            )
            return file.getvalue(), expected, process.pfns_visible


def test_hidden_pfns(need_root: None) -> None:
    own_pages()  # what is imported late, nobody may be unable to read
    got, expected, visible = as_nobody(own_pages)
    assert not visible
    assert got == expected
    rows = [row.split(b" ") for row in got.splitlines()]
    # Flags are true all the same: every second page was written.
    assert [row[5] for row in rows] == [b"1", b"0"] * 32
    assert [row[1] for row in rows] == [b"-", b"0"] * 32


def test_own_pages_with_what_rights_we_have(pfns_visible: bool) -> None:
    got, expected, visible = own_pages()
    assert visible == pfns_visible
    assert got == expected


def translate_own() -> int:
    memory = bytearray(b"x") * PAGE
    return pagemap.virt_to_phys("self", id(memory))


def own_page() -> tuple[int | None, int | None, int | None, bool]:
    value = object()
    with pagemap.Process("self") as process:
        page = process.entry(id(value))
    return page.pfn, page.physical_address, page.swap_type, page.present


def test_translation_of_hidden_pfns(need_root: None) -> None:
    with pytest.raises(pagemap.PfnsHidden, match="CAP_SYS_ADMIN") as caught:
        as_nobody(translate_own)
    assert isinstance(caught.value, PermissionError)
    assert as_nobody(own_page) == (None, None, None, True)


def test_translation_with_what_rights_we_have(pfns_visible: bool) -> None:
    if pfns_visible:
        assert translate_own() > 0
    else:
        with pytest.raises(pagemap.PfnsHidden, match="CAP_SYS_ADMIN"):
            translate_own()
        assert own_page() == (None, None, None, True)


def test_rights_are_those_of_the_opening(need_root: None, need_pfns: None, start: Start) -> None:
    """A Process opened as root goes on showing PFNs after the rights are dropped."""
    target = start(workloads.dense(4 * PAGE))
    with pagemap.Process(target.pid) as process:
        # the child inherits the descriptors
        frame = as_nobody(lambda: process.entry(target.first.start).pfn)
    assert frame is not None


def denied(pid: int) -> Callable[[], object]:
    return lambda: pagemap.Process(pid)


def check_denied(error: pagemap.AccessDenied, pid: int) -> None:
    assert error.pid == pid
    assert isinstance(error, PermissionError)
    assert "CAP_SYS_PTRACE" in str(error)
    assert str(pid) in str(error)


def test_another_users_process(need_root: None, start: Start) -> None:
    target = start(workloads.idle())
    with pytest.raises(pagemap.AccessDenied) as caught:
        as_nobody(denied(target.pid))
    check_denied(caught.value, target.pid)


def test_init_of_another_user(command: list[str]) -> None:
    if oracle.may_read("/proc/1/pagemap"):
        pytest.skip("process 1 may be read: needs a user without rights")
    with pytest.raises(pagemap.AccessDenied) as caught:
        pagemap.Process(1)
    check_denied(caught.value, 1)
    done = subprocess.run(
        [*command, "dump", "1"], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 77
    assert "CAP_SYS_PTRACE" in done.stderr
    assert done.stdout == ""


def test_command_without_rights(need_root: None, command: list[str]) -> None:
    """`dump self` and a root's process, by the command itself, as nobody."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            check=False,
            capture_output=True,
            text=True,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            timeout=120,
        )

    try:
        readable = run(sys.executable, "-c", "import pagemap._native").returncode == 0
    except PermissionError:
        readable = False
    if not readable:
        pytest.skip("user nobody cannot read this Python or pagemap: they lie in a closed folder")

    done = run(*command, "dump", "self")
    assert done.returncode == 0, done.stderr
    notes = [line for line in done.stderr.splitlines() if "soft-dirty is 0" not in line]
    assert len(notes) == 1
    assert "CAP_SYS_ADMIN" in notes[0]
    rows = [row.split(" ", 6) for row in done.stdout.splitlines()[1:]]
    assert all((row[1] == "-") == (row[4] == "1" or row[5] == "1") for row in rows)
    assert any(row[5] == "1" for row in rows)

    done = run(*command, "dump", str(os.getpid()))
    assert done.returncode == 77
    assert "CAP_SYS_PTRACE" in done.stderr

    address = rows[[row[5] for row in rows].index("1")][0]
    done = run(*command, "virt-to-phys", str(os.getpid()), f"0x{address}")
    assert done.returncode == 77
    assert done.stdout == ""
