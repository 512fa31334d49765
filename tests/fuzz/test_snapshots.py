"""Fuzz the reading of snapshot files (tests/fuzz/snapshots.py); for how long, see test_c."""

from __future__ import annotations

import re
import subprocess
import sys

from tests import build
from tests.fuzz import SECONDS, SEED


def test_snapshots() -> None:
    """Less than a second where nobody asks for more: of hundreds of files most are refused."""
    seconds = SECONDS if SECONDS > 1 else 0.6
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.snapshots", str(seconds), str(SEED)],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds + 60,
        cwd=build.HERE.parent,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    ran = re.fullmatch(r"(\d+) files, (\d+) processes read\n", done.stdout)
    assert ran, done.stdout
    assert int(ran[1]) > 0  # on a machine that others keep busy
    assert SECONDS <= 1 or int(ran[2]) > 1
    sys.stdout.write(f"snapshots: {done.stdout}")  # with -rA
