"""The most memory that a dump ever holds, measured from inside the command."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import workloads

if TYPE_CHECKING:
    from tests.conftest import Start
    from tests.workloads import Maker

LIMIT = 64 << 20

# The kernel's high-water mark of this address space. Not wait4's maxrss: that begins with the
# memory of whoever started the process.
SCRIPT = """
import pathlib, runpy, sys
try:
    runpy.run_module("pagemap", run_name="__main__", alter_sys=True)
finally:
    status = pathlib.Path("/proc/self/status").read_text()
    sys.stderr.write("peak " + status.partition("VmHWM:")[2].split()[0])
"""

TARGETS: dict[str, Maker] = {
    "60,000 mappings": workloads.many,
    "a million pages, one in 4096 touched": lambda: workloads.sparse(4 << 30, 16 << 20),
    "65,536 resident pages": lambda: workloads.dense(256 << 20),
}


@pytest.mark.parametrize("form", ["text", "csv", "json", "jsonl"])
@pytest.mark.parametrize("name", TARGETS)
def test_peak_of_the_command(name: str, form: str, start: Start) -> None:
    target = start(TARGETS[name]())
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "dump", str(target.pid), "--format", form],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    peak = int(done.stderr.rpartition("peak ")[2]) * 1024
    assert peak < LIMIT, f"{peak / (1 << 20):.1f} MiB"
