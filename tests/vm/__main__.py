"""Run tests under other kernels: `python -m tests.vm [--within SECONDS] SERIES... [-- WORD...]`.

`python -m tests.vm --fetch SERIES...` only downloads the kernels, and needs no virtual environment.

Each kernel boots in turn under QEMU, on the processor that QEMU emulates, with the file system of
this machine, read-only, as its root. The words are arguments of pytest. Exits with 0 only when each
kernel has run tests and all passed. Where time was up, or a guest died, it says how to run what is
left.

With `--within` all of it ends in about so many seconds, with tests that are chosen for that; and
only tests that failed make it fail. Of a kernel that cannot be had, and of a guest that was too
slow, it tells.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests import build, calls, changes, touching
from tests.vm import boot, kernels, progress

if TYPE_CHECKING:
    from collections.abc import Iterator

# What meets the kernel. An emulated processor is 10 to 20 times slower than this one: left out are
# the two largest kinds of target, tests that are long by design, and the compiler of C++.
TESTS = (
    *("tests/vm/guest", "tests/live", "tests/unit/test_doctor.py", "tests/unit/test_process.py"),
    *("tests/cli/test_doctor_command.py", "tests/cli/test_regions_command.py"),
    *("-k", "not (sparse or many or leave_nothing or 100_000 or large_target or cpp)"),
)
# Two minutes a kernel: what differs between kernels, and each way of finding and counting pages.
# Left out is what starts the command, which takes 10 s there.
CHOSEN = (
    *("tests/vm/guest", "tests/live/test_tally.py", "tests/live/test_populated.py"),
    *("tests/live/test_regions.py", "-k"),
    (
        "guest and not (the_command or footprints or killed)"
        " or (idle or swapped) and (each_count or defaults or max_pages or filters)"
    ),
)
# Each test is named as it begins: a guest that dies tells nothing more. What differs is not written
# out whole, which takes minutes there.
OPTIONS = (
    *("-p", "no:cacheprovider", "-p", "tests.vm.progress"),
    *("-v", "-o", "verbosity_assertions=0"),
)
LEAST_SECONDS = 90  # what a guest is booted for; it boots in 20
ENDING = 45  # what an interrupted pytest may take there to end a test and tell of all
HERE = Path(__file__).parent
PASSED, FAILED, UNKNOWN = "passed", "FAILED", "UNKNOWN"

# Debian's package of each program, by what it is needed for.
NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "modprobe": "kmod",
    "busybox": "busybox-static",  # the guest's first root holds nothing else
    "file": "file",  # virtme asks it for the version of a kernel
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
}


def main(words: list[str]) -> int:
    """Run the tests under each kernel in turn."""
    split = words.index("--") if "--" in words else len(words)
    series, arguments = words[:split], words[split + 1 :]
    within = None
    if series[:1] == ["--fetch"] and series[1:] and split == len(words):
        return fetch(series[1:])
    if series[:1] == ["--within"] and series[1:2] and series[1].isdecimal():
        within, series = int(series[1]), series[2:]
    if not series or series[0].startswith("-"):
        sys.stderr.write(
            "usage: python -m tests.vm [--within SECONDS] SERIES... [-- ARGUMENT...]\n"
            "       python -m tests.vm --fetch SERIES...\n"
        )
        return 2
    if problem := missing():
        sys.stderr.write(f"test-vm: {problem}\n")
        for each in series if within is not None else ():
            sys.stdout.write(f"Linux {each} {UNKNOWN}: see above\n")
        return 1 if within is None else 0
    # An exit, on which guests are ended; the default would leave them running.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    chosen = list(arguments or (TESTS if within is None else CHOSEN))
    if within is None:
        lines = [run(each, chosen, boot.Limits()) for each in series]
        good = {PASSED}
    else:
        lines = list(run_within(within, series, chosen))
        good = {PASSED, UNKNOWN}
    sys.stdout.write("\n" + "\n".join(line for _, line in lines) + "\n")
    return 0 if all(verdict in good for verdict, _ in lines) else 1


def fetch(series: list[str]) -> int:
    """Have these kernels in the cache; 1 when one of them cannot be had, after all were tried."""
    status = 0
    for each in series:
        try:
            sys.stdout.write(f"Linux {kernels.kernel(each).release} is at hand\n")
        except kernels.NoKernel as error:
            sys.stderr.write(f"test-vm: {error}\n")
            status = 1
    return status


def run_within(
    seconds: float, series: list[str], arguments: list[str]
) -> Iterator[tuple[str, str]]:
    """As `run` for each kernel, which all get the same share of the time that is left."""
    end = time.monotonic() + seconds
    for number, each in enumerate(series):
        share = (end - time.monotonic()) / (len(series) - number)
        if share < LEAST_SECONDS:
            yield UNKNOWN, f"Linux {each} {UNKNOWN}: {share:.0f} s are too few for it"
        else:
            yield run(each, arguments, boot.Limits(boot=share, whole=share - ENDING, grace=ENDING))


def missing() -> str:
    """What this machine lacks, and how to get it; "" where nothing is missing."""
    if platform.machine() != "x86_64":
        return "these kernels are built for x86-64 only"
    if not Path(sys.executable).with_name("virtme-run").exists():
        return "virtme-ng is not in this environment: pip install 'linux-pagemap[vm]'"
    packages = sorted({package for name, package in NEEDED.items() if not kernels.tool(name)})
    if packages:
        return f"something is not installed (Debian: apt install {' '.join(packages)})"
    return ""


def run(series: str, arguments: list[str], limits: boot.Limits) -> tuple[str, str]:
    """PASSED, FAILED or UNKNOWN: how the tests went under one kernel, and the line that says so."""
    began = time.monotonic()
    release = series
    try:
        kernel = kernels.kernel(series)
    except kernels.NoKernel as error:
        outcome = boot.Outcome(False, str(error))
    else:
        release = kernel.release
        sys.stdout.write(f"booting Linux {release}\n")
        sys.stdout.flush()
        remove_ended()
        folder = kernels.cache() / f"run-{series}-{os.getpid()}"
        words = boot.command(kernel, series, folder / "share", limits)
        try:
            chosen = [*OPTIONS, *arguments]
            outcome = boot.run(words, folder / "share", chosen, limits, prepare=prepare)
        except BaseException:  # an interrupt: there is nothing in it to be looked at
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if left := progress.left_over(folder / "share", arguments):
            rest = shlex.join([sys.executable, "-m", "tests.vm", series, "--", *left])
            sys.stdout.write(f"not all has been run; what is left: {rest}\n")
        if outcome.passed:
            shutil.rmtree(folder)
        else:
            sys.stdout.write(f"what the guest left is in {folder}, until the next run\n")
    took = time.monotonic() - began
    verdict = PASSED if outcome.passed else FAILED if outcome.to_blame else UNKNOWN
    return verdict, f"Linux {release} {verdict}: {outcome.summary} ({took:.0f} s in all)"


def remove_ended() -> None:
    """Remove what earlier runs left: of guests that failed, and of runs that were killed."""
    for folder in kernels.cache().glob("run-*"):
        if not Path("/proc", folder.name.rpartition("-")[2]).exists():
            shutil.rmtree(folder, ignore_errors=True)


def prepare(share: Path) -> None:
    """Put the programs that the tests compile into the share: a guest takes half a minute each."""
    programs = share / "programs"
    programs.mkdir(mode=0o700)
    for program in (
        build.compiled_targets(),
        build.textbook(),
        build.program(HERE / "dirty.c"),
        build.compiled_apart(HERE.parent / "target_history.c"),
        calls.program(),
        changes.program(),
        touching.program(),
    ):
        shutil.copy(program, programs)
    (share / "compiler").write_text(build.compiler())  # it is part of the programs' names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
