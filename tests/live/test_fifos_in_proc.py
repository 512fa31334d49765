"""A proc out of another's hand: the C library waits for no fifo in it, and no number overflows."""

from __future__ import annotations

import os
import pathlib
from errno import EIO, ESPIPE
from typing import TYPE_CHECKING

import pytest

from pagemap._core import ffi, lib
from tests.held_process import PAGE, sized

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


@pytest.fixture
def proc(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of what there is of this process, as number 77, and fifos."""
    folder = tmp_path / "77"
    folder.mkdir()
    (tmp_path / "self" / "fdinfo").mkdir(parents=True)
    for name in ("auxv", "maps", "stat", "statm", "status"):
        (folder / name).write_bytes(pathlib.Path("/proc/self", name).read_bytes())
    (folder / "pagemap").write_bytes(bytes(1 << 16))
    for name in ("kpageflags", "kpagecount", "kpagecgroup", "self/fdinfo/5"):
        os.mkfifo(tmp_path / name)
    return tmp_path


def made(kind: str, make: Callable[[Any], int]) -> Any:
    out = ffi.new(f"struct {kind} **")
    assert make(out) == 0
    return out[0]


def test_none_is_waited_for(proc: pathlib.Path) -> None:
    place = ffi.new("char[]", os.fsencode(proc))
    options = sized("pm_open_options", procfs=place)
    process = made("pm_process", lambda out: lib.pm_process_open(77, options, out))
    told = sized("pm_capabilities")
    assert lib.pm_process_capabilities(process, told) == 0
    lib.pm_frames_close(made("pm_frames", lambda out: lib.pm_frames_open(place, 7, out)))
    wanted = lib.PM_AMOUNT_USS | lib.PM_AMOUNT_PRESENT
    sampler = made("pm_sampler", lambda out: lib.pm_sampler_open(process, wanted, out))
    amounts = sized("pm_amounts")
    assert lib.pm_sampler_sample(sampler, ffi.NULL, 0, amounts) == 0
    os.unlink(proc / "77" / "maps")
    os.mkfifo(proc / "77" / "maps")  # where it is opened for each sample
    assert lib.pm_sampler_sample(sampler, ffi.NULL, 0, amounts) in (0, -ESPIPE)
    lib.pm_sampler_close(sampler)
    lib.pm_process_close(process)
    options.flags, options.pidfd = lib.PM_OPEN_PIDFD, 5
    assert lib.pm_process_open(77, options, ffi.new("struct pm_process **")) == -ESPIPE
    words = ffi.string(lib.pm_strerror(-ESPIPE))
    assert b"fifo" in words


def test_numbers_of_no_kernel(proc: pathlib.Path) -> None:
    """A resident set of 25 digits became another number, by an overflow of signed ones."""
    place = ffi.new("char[]", os.fsencode(proc))
    options = sized("pm_open_options", procfs=place)
    process = made("pm_process", lambda out: lib.pm_process_open(77, options, out))
    sampler = made(
        "pm_sampler", lambda out: lib.pm_sampler_open(process, lib.PM_AMOUNT_PRESENT, out)
    )
    amounts = sized("pm_amounts")
    most = ((1 << 63) - 1) // PAGE
    for digits, rss in ((most, most * PAGE), (most + 1, -EIO), (8 * 10**25, -EIO)):
        (proc / "77" / "statm").write_text(f"1 {digits} 3 4 5 6 7\n")
        assert lib.pm_sampler_rss(sampler) == rss
    for digits in (1 << 53, 8 * 10**25):
        (proc / "77" / "status").write_text(f"Name:\tx\nHugetlbPages:\t{digits} kB\n")
        assert lib.pm_sampler_sample(sampler, ffi.NULL, 0, amounts) == -EIO
    lib.pm_sampler_close(sampler)
    lib.pm_process_close(process)
