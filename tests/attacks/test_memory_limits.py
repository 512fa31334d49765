"""Whoever is short of memory is told so in a line, whatever was asked for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap

COMMANDS = [
    "dump self",
    "dump self --format csv --populated",
    "maps self",
    "huge self",
    "regions self",
    "footprint self",
    "footprint",
    "footprint self --gentle",
    "types self",
    "types --list self",
    "who --pfn 0x1000",
    "sharing",
    "virt-to-phys self 0x1000",
    "doctor",
    "--help",
]
# In bytes: from where Python itself barely starts, to where most commands have enough.
LIMITS = (7_000_000, 8_000_000, 12_000_000)


@pytest.fixture(scope="module")
def limits() -> list[int]:
    """The limits under which Python comes to where our code begins."""
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit is not installed (Debian: apt install util-linux)")
    enough = []
    for limit in LIMITS:
        line = ["prlimit", f"--data={limit}", sys.executable, "-c", "import runpy"]
        done = subprocess.run(line, capture_output=True, check=False, timeout=60)
        if done.returncode == 0:
            enough.append(limit)
    return enough


def check(pagemap: Pagemap, line: str, limit: int) -> None:
    """What it says last of memory is said by us."""
    with pagemap.start(*line.split(), prefix=("prlimit", f"--data={limit}")) as process:
        try:
            err = process.communicate(timeout=60)[1].decode()
        finally:
            process.kill()
    assert "Traceback" not in err
    # what Python says of its own, without a newline, where it has no memory to say what
    err = err.replace("Exception ignored on building sys.unraisablehook arguments", "")
    if "memory" in err:
        # before it, Python may have said of its own that memory ran out
        assert err.splitlines()[-1].startswith("pagemap: ")
        assert process.returncode == 1


@pytest.mark.parametrize("line", COMMANDS)
def test_no_memory_is_a_line_and_no_traceback(
    pagemap: Pagemap, limits: list[int], line: str
) -> None:
    """Under `prlimit --data=8000000` 10 of 12 commands ended in a traceback."""
    for limit in limits:
        check(pagemap, line, limit)


# A list of a terabyte is what nobody has; at Python's end something has to say.
AT_THE_END = """
import atexit, sys
from pagemap import _cli
atexit.register(print, "memory is asked for again", file=sys.stderr)
_cli._run = lambda argv: [0] * (1 << 40)
sys.exit(_cli.main([], own_process=True))
"""


def test_nothing_is_said_after_the_line() -> None:
    """Python's own end said a hundred times more that there was no memory."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", AT_THE_END],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "pagemap: out of memory: allow this process more (ulimit -d, -v), or ask for less"
    ]
