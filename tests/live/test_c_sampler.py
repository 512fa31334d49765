"""The sampler of the C library: as the kernel counts, in parts, at the end, and in handlers.

`ffi.errno` is kept by every call; the programs link the archive that the wheel carries.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap import Sampler
from pagemap._core import ffi, lib
from tests import build, workloads
from tests.live.sampling import lag, made_dense, queries_maps  # noqa: F401 - a fixture
from tests.live.test_sampler import in_child, rollup
from tests.looks import agreed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Start
    from tests.workloads import Target

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20
NAMES = ("rss", "swap", "anon", "file_or_shared", "huge", "uss", "present", "zero", "hugetlb")
ALL = (1 << len(NAMES)) - 1
ESRCH, ECHILD, EINVAL, ENXIO, ESTALE = 3, 10, 22, 6, 116
ARCHIVE = Path(pagemap.get_library_dir()) / "libpagemap.a"
ROOT = Path(os.environ.get("PAGEMAP_SOURCE", Path(__file__).parents[2]))
# 60 where there is time for it.
SIGNALS_SECONDS = float(os.environ.get("PAGEMAP_SIGNALS", "0.4"))


@contextlib.contextmanager
def opened(pid: int, wanted: int = ALL) -> Iterator[Any]:
    process, sampler = ffi.new("struct pm_process **"), ffi.new("struct pm_sampler **")
    assert lib.pm_process_open(pid, ffi.NULL, process) == 0
    try:
        assert lib.pm_sampler_open(process[0], wanted, sampler) == 0
        yield sampler[0]
        lib.pm_sampler_close(sampler[0])
    finally:
        lib.pm_process_close(process[0])


def take(sampler: Any, resume: int = 0, **limits: int) -> tuple[int, Any]:
    """What a call gives, and the amounts that are known."""
    out = ffi.new("struct pm_amounts *", {"size": ffi.sizeof("struct pm_amounts")})
    given = ffi.new("struct pm_limits *", {"size": ffi.sizeof("struct pm_limits"), **limits})
    ffi.errno = 4711
    got = lib.pm_sampler_sample(sampler, given if limits else ffi.NULL, resume, out)
    assert ffi.errno == 4711
    return got, out


def known(out: Any) -> dict[str, int]:
    return {name: getattr(out, name) for i, name in enumerate(NAMES) if out.known >> i & 1}


def test_as_the_kernel_counts(kind: str, stopped: Target) -> None:
    def look() -> tuple[dict[str, int], object]:
        kernels, (got, out) = rollup(stopped.pid), take(sampler)
        assert (got, out.partial, out.resume) == (0, 0, 0)
        amounts = known(out)
        told = {"present", "swap", "uss"}
        if kind == "hugetlb" and not queries_maps():
            told -= {"uss"}  # nobody tells it which pages are of hugetlb
        assert told <= amounts.keys()
        names = [name for name in kernels if name in amounts]
        return {name: amounts[name] for name in names}, {name: kernels[name] for name in names}

    with opened(stopped.pid) as sampler:
        agreed(look)
        assert abs(lib.pm_sampler_rss(sampler) - rollup(stopped.pid)["rss"]) <= lag()


def test_the_same_as_the_sampler_of_python(dense: Target) -> None:

    def look() -> tuple[object, object]:
        theirs = python.sample()._asdict()
        return known(take(sampler)[1]), {
            name: theirs[name] for name in NAMES if theirs[name] is not None
        }

    with Sampler(dense.pid) as python, opened(dense.pid) as sampler:
        agreed(look)


@pytest.mark.parametrize("limits", [{"max_pages": 500}, {"max_ns": 1}], ids=str)
def test_parts_add_up(dense: Target, limits: dict[str, int]) -> None:
    with opened(dense.pid, lib.PM_AMOUNT_RSS | lib.PM_AMOUNT_ANON) as sampler:
        _, whole = take(sampler)
        rss = anon = resume = parts = 0
        while resume or not parts:
            got, out = take(sampler, resume, **limits)
            assert (got, out.partial) == (0, 1)
            if not out.known & lib.PM_AMOUNT_RSS:
                pytest.skip("only sums of the whole tell rss here: Linux before 6.7, no PFNs")
            rss, anon, resume, parts = rss + out.rss, anon + out.anon, out.resume, parts + 1
    assert parts > 2
    assert (rss, anon) == (whole.rss, whole.anon)


@pytest.mark.parametrize(("end", "error"), [("x", ESRCH), ("e", ESTALE)])
def test_the_target_ends(start: Start, end: str, error: int) -> None:
    target = start(workloads.idle())
    with opened(target.pid) as sampler:
        assert take(sampler)[0] == 0
        target.tell(end)
        workloads.wait_until(lambda: take(sampler)[0] != 0)
        # between the two images, or at the end, either may be told for a moment
        workloads.wait_until(lambda: take(sampler)[0] == -error)
        assert lib.pm_sampler_rss(sampler) == -error


def test_a_child_of_fork_opens_its_own() -> None:
    with opened(os.getpid()) as sampler:

        def child() -> None:
            assert take(sampler)[0] == -ECHILD
            assert lib.pm_sampler_rss(sampler) == -ECHILD
            with opened(os.getpid()) as own:
                assert take(own)[0] == 0

        in_child(child)


def test_what_cannot_be_asked(dense: Target) -> None:
    process, out = ffi.new("struct pm_process **"), ffi.new("struct pm_sampler **")
    assert lib.pm_process_open(dense.pid, ffi.NULL, process) == 0
    for wanted in (0, ALL + 1, 1 << 63):
        assert lib.pm_sampler_open(process[0], wanted, out) == -EINVAL
    assert lib.pm_sampler_open(process[0], 1, ffi.NULL) == -EINVAL
    assert lib.pm_sampler_open(ffi.NULL, 1, out) == -EINVAL
    lib.pm_process_close(process[0])
    lib.pm_sampler_close(ffi.NULL)
    assert lib.pm_sampler_rss(ffi.NULL) == -EINVAL
    with opened(dense.pid) as sampler:
        assert take(ffi.NULL)[0] == -EINVAL
        assert take(sampler, 1)[0] == -EINVAL
        assert take(sampler, flags=1)[0] == -EINVAL
        assert lib.pm_sampler_sample(sampler, ffi.NULL, 0, ffi.NULL) == -EINVAL
        amounts = ffi.new("struct pm_amounts *")
        for size in (0, 8, ffi.sizeof("struct pm_amounts") - 8, 1 << 31):
            amounts.size = size
            assert lib.pm_sampler_sample(sampler, ffi.NULL, 0, amounts) == -EINVAL


def test_a_larger_struct_of_a_newer_program(dense: Target) -> None:
    """What the library does not know reads as 0."""
    size = ffi.sizeof("struct pm_amounts")
    buffer = ffi.new("uint64_t[]", [2**64 - 1] * (size // 8 + 3))
    amounts = ffi.cast("struct pm_amounts *", buffer)
    amounts.size = size + 16
    with opened(dense.pid, lib.PM_AMOUNT_PRESENT) as sampler:
        assert lib.pm_sampler_sample(sampler, ffi.NULL, 0, amounts) == 0
    assert (amounts.size, amounts.known) == (size + 16, lib.PM_AMOUNT_PRESENT)
    assert list(buffer[size // 8 : size // 8 + 3]) == [0, 0, 2**64 - 1]


def test_a_thread_of_the_kernel() -> None:
    process, out = ffi.new("struct pm_process **"), ffi.new("struct pm_sampler **")
    if lib.pm_process_open(2, ffi.NULL, process):
        pytest.skip("no thread of the kernel may be opened here")
    assert lib.pm_sampler_open(process[0], 1, out) == -ENXIO
    lib.pm_process_close(process[0])


def numbers(program: Path, *arguments: str) -> dict[str, float]:
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    found = dict(line.split() for line in done.stdout.splitlines())
    assert done.returncode == 0, (found, done.stderr)
    return {name: float(value) for name, value in found.items()}


def test_amid_malloc_and_forks_in_a_handler() -> None:
    """At 1 kHz: no deadlock, no errno lost, nothing allocated, and the answers are right."""
    header = ROOT / "csrc" / "include" / "pagemap.h"
    source = ROOT / "tests" / "sampler_signals.c"
    try:
        program = build.program(
            source, ARCHIVE, flags=["-O2", f"-I{ROOT / 'csrc'}"], reads=[header]
        )
    except build.CompilerMissing as reason:
        pytest.skip(str(reason))
    found = numbers(program, str(SIGNALS_SECONDS))
    assert found["taken"] > 0
    assert found["forks"] > 0
    assert (found["wrong"], found["lost"], found["allocations"]) == (0, 0, 0)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_the_sampler_in_cpp(compiler: str, tmp_path: Path) -> None:
    path = shutil.which(compiler)
    if path is None:
        package = {"g++": "g++", "clang++": "clang"}[compiler]
        pytest.skip(f"needs {compiler} (Debian: apt install {package})")
    program = tmp_path / "rss_sampler"
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    built = subprocess.run(
        [
            *(path, "-std=c++17", "-O1", *strict, "-pthread", f"-I{ROOT / 'csrc' / 'include'}"),
            *("-o", program, ROOT / "examples" / "rss_sampler.cpp", ARCHIVE),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr
    found = numbers(program, "200", "48", "60000000")
    assert found["samples"] >= 2
    # it wrote to so much, and the C++ library takes a little besides
    assert abs(found["rss_last"] - found["rss_first"] - 48 * MIB) < 2 * MIB
    assert found["hugetlb_last"] == 0


def test_nothing_else_of_the_library_allocates() -> None:
    """By its sources: malloc and its kin stand in functions that open."""
    for path in (ROOT / "csrc").rglob("*.c"):
        if path.parent.name not in ("kernel", "walk", "analyses"):
            continue
        assert re.findall(r"\b(?:malloc|calloc|realloc|posix_memalign)\(", path.read_text()) == []
