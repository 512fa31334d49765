"""The C tests by compilers of other machines and other C libraries: aarch64, 32 bits, musl.

The programs are those of tests/native, against the same kernel that lies, and run under QEMU where
the processor is another. AddressSanitizer is not to be had there; undefined behaviour ends a
program. With PAGEMAP_ELSEWHERE=1, for it takes minutes; otherwise that the core compiles is shown
by `make lint-compile`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import build
from tests.native.test_native import CORE, CSRC, HEADERS, HERE, PROGRAMS, SKIPPED, SUPPORT

ELSEWHERE = int(os.environ.get("PAGEMAP_ELSEWHERE", "0"))
SEED = "12345"
# Registers and code of x86-64 alone are known: what would call in another process must say so.
NO_CALLS = """\
#include "check.h"
#include "kernel/injection.cdef.h"

int main(void)
{
	struct pm_injection in = { .folder = 3, .pid = 4242, .thread = 4242 };
	static const uint8_t code[4096];

	CHECK_EQUAL(pm_find_call(code, sizeof(code)), -ENOTSUP);
	CHECK_EQUAL(pm_inject_userfaultfd(&in), -ENOTSUP);
	CHECK_EQUAL(in.fd, -1);
	CHECK_EQUAL(in.step, PM_INJECTION_BEGIN);
	return 0;
}
"""


class Elsewhere(NamedTuple):
    """A compiler, what installs it, what runs its programs, and those that cannot be run."""

    compiler: str
    packages: str
    headers: tuple[str, ...] = ("zlib.h", "zconf.h")
    runner: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


KINDS = {
    "aarch64": Elsewhere(
        "aarch64-linux-gnu-gcc",
        "gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user",
        runner=() if os.uname().machine == "aarch64" else ("qemu-aarch64",),
    ),
    "i686": Elsewhere(
        "i686-linux-gnu-gcc",
        "gcc-i686-linux-gnu libc6-dev-i386-cross",
        runner=() if os.uname().machine == "x86_64" else ("qemu-i386",),
        without=("cache",),  # its file has more pages than 32 bits can address
    ),
    "musl": Elsewhere(
        "musl-gcc",
        "musl-tools linux-libc-dev",
        headers=("linux", "asm-generic", "asm", "zlib.h", "zconf.h"),
    ),
}
FLAGS = (
    "-O1",
    "-pthread",
    "-static",
    "-D_FILE_OFFSET_BITS=64",
    "-fsanitize=undefined",
    "-fsanitize-undefined-trap-on-error",
    "-Wshadow",
    "-Werror",
    f"-I{CSRC}",
    f"-I{HERE}",
    '-DPM_SYS_HEADER="lying_sys.h"',
)


def folder_of(headers: tuple[str, ...], folder: Path) -> Path:
    """Links to headers of this machine that hold for every machine and C library."""
    said = subprocess.run(
        ["gcc", "-print-multiarch"], check=True, capture_output=True, text=True, timeout=60
    )
    folder.mkdir()
    for name in headers:
        for place in (Path("/usr/include"), Path("/usr/include") / said.stdout.strip()):
            if (place / name).exists():
                (folder / name).symlink_to(place / name)
                break
        else:
            pytest.skip(f"{name} is missing (Debian: apt install zlib1g-dev linux-libc-dev)")
    return folder


@pytest.mark.skipif(not ELSEWHERE, reason="minutes long: only with PAGEMAP_ELSEWHERE=1")
@pytest.mark.parametrize("name", KINDS)
def test_all_of_them_pass(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    for each in (kind.compiler, *kind.runner):
        if not shutil.which(each):
            pytest.skip(f"{each} is missing (Debian: apt install {kind.packages})")
    compiler = shutil.which(kind.compiler)
    # the same path each time, for it is a part of what is remembered as compiled
    headers = build.cache() / f"headers-{name}"
    if not headers.exists():
        folder_of(kind.headers, tmp_path / "headers").rename(headers)
    flags = [*FLAGS, f"-I{headers}"]
    core = build.program(
        *SUPPORT,
        *CORE,
        HERE.parent / "stored_zlib.c",
        flags=[*(each for each in flags if each != "-static"), "-r", "-nostdlib"],
        reads=HEADERS,
        by=compiler,
        libraries=(),
    )
    failed = []
    programs = [each for each in PROGRAMS if each.stem not in kind.without]
    if name != "musl":
        programs.append(tmp_path / "no_calls.c")
        programs[-1].write_text(NO_CALLS)
    for source in programs:
        program = build.program(source, core, flags=flags, reads=HEADERS, by=compiler, libraries=())
        done = subprocess.run(
            [*kind.runner, program, SEED], check=False, capture_output=True, text=True, timeout=600
        )
        if done.returncode not in (0, SKIPPED):
            failed.append(f"{source.stem}: {done.returncode}, {done.stdout}{done.stderr}")
    assert not failed, "\n".join(failed)
    assert len(programs) > 50
