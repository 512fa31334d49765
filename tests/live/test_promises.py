"""What the header promises of every function: signals, errno, descriptors, and silence."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import pagemap
from tests import build, workloads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.conftest import Start

TESTS = Path(__file__).resolve().parents[1]
SYMBOLS = TESTS.parent / "csrc" / "library" / "pagemap.map"
SECONDS = max(1, int(float(os.environ.get("PAGEMAP_SIGNALS", "1"))))


def compiled(name: str, *flags: str) -> Path:
    """A program of the public header and the archive that the package carries."""
    header = Path(pagemap.get_include()) / "pagemap.h"
    archive = Path(pagemap.get_library_dir()) / "libpagemap.a"
    strict = ["-O2", "-D_GNU_SOURCE", "-Werror", f"-I{header.parents[1]}", *flags]
    try:
        return build.program(TESTS / name, archive, flags=strict, reads=[header])
    except build.CompilerMissing as reason:
        pytest.skip(str(reason))


def test_reads_in_a_signal_handler() -> None:
    """At 1 kHz amid malloc and forks: no deadlock, no errno lost, and the answers are right."""
    done = subprocess.run(
        [compiled("library_signals.c"), str(SECONDS)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120 + 2 * SECONDS,
    )
    found = {name: int(count) for name, count in map(str.split, done.stdout.splitlines())}
    assert found["ran"] > 10 * SECONDS  # of a machine that is busy otherwise
    assert found["busy"] > 0  # a sample of the handler's amid another
    assert found["forks"] > 0
    assert (found["wrong"], found["lost"]) == (0, 0), found
    assert done.stderr == ""


def exported() -> set[str]:
    """The functions that the shared library exports."""
    if not SYMBOLS.exists():
        pytest.skip("the sources of the library lie in the source tree, which is not here")
    return set(re.findall(r"(?m)^\t(pm_\w+);$", SYMBOLS.read_text("ascii")))


def test_no_function_changes_errno_or_prints(start: Start) -> None:
    """Whatever it is given; and descriptors are closed on exec."""
    target = start(workloads.idle())
    flags = ["-DTRACKERS"] if "pm_tracker_open" in exported() else []
    program = compiled("library_errno.c", *flags)
    done = subprocess.run(
        [program, str(target.pid)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_function_is_tried() -> None:
    tried = set(re.findall(r"pm_\w+", (TESTS / "library_errno.c").read_text("ascii")))
    assert exported() <= tried
