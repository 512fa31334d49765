"""Run tests under other kernels: `python -m tests.vm SERIES... [-- PYTEST-ARGUMENT...]`.

Each kernel boots in turn under QEMU, on the processor that QEMU emulates, with the file system of
this machine, read-only, as its root. Exits with 0 only when each has run tests and all passed.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.vm import boot, kernels

# What meets the kernel. An emulated processor is 10 to 20 times slower than this one: left out are
# the two largest kinds of target, and tests that are long by design.
TESTS = (
    *("tests/vm/guest", "tests/live", "tests/unit/test_doctor.py", "tests/unit/test_process.py"),
    *("tests/cli/test_doctor_command.py", "tests/cli/test_regions_command.py"),
    *("-k", "not (sparse or many or leave_nothing or 100_000 or large_target)"),
)
OPTIONS = ("-p", "no:cacheprovider", "-p", "no:benchmark", "-p", "no:cov")
LIMITS = boot.Limits()

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
    if not series:
        sys.stderr.write("usage: python -m tests.vm SERIES... [-- PYTEST-ARGUMENT...]\n")
        return 2
    if problem := missing():
        sys.stderr.write(f"test-vm: {problem}\n")
        return 1
    # An exit, on which guests are ended; the default would leave them running.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    lines = [run(each, [*OPTIONS, *(arguments or TESTS)]) for each in series]
    sys.stdout.write("\n" + "\n".join(line for _, line in lines) + "\n")
    return 0 if all(passed for passed, _ in lines) else 1


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


def run(series: str, arguments: list[str]) -> tuple[bool, str]:
    """Whether the tests pass under one kernel, and the line that says so."""
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
        folder = kernels.cache() / f"run-{series}-{os.getpid()}"
        words = boot.command(kernel, series, folder / "share", LIMITS)
        outcome = boot.run(words, folder / "share", arguments, LIMITS)
        if outcome.passed:
            shutil.rmtree(folder)
        else:
            sys.stdout.write(f"what the guest left is in {folder}\n")
    took = time.monotonic() - began
    verdict = "passed" if outcome.passed else "FAILED"
    return outcome.passed, f"Linux {release} {verdict}: {outcome.summary} ({took:.0f} s in all)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
