"""Fuzz what parses text, with Atheris (tests/fuzz/texts.py); for how long, see there and test_c."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import build
from tests.fuzz import MAX_SECONDS, OPTIONS

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = ["maps_text", "smaps_text", "numbers", "filters", "pid_file"]


@pytest.mark.parametrize("target", TARGETS)
def test_texts(target: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("Atheris is not installed (pip install 'linux-pagemap[fuzz]')")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.fuzz.texts",
            target,
            *OPTIONS,
            "-max_len=1500",
            f"-artifact_prefix={tmp_path}/",
        ],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=MAX_SECONDS + 60,
        cwd=build.HERE.parent,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    ran = re.search(r"Done (\d+) runs", done.stderr)
    assert ran, done.stderr[-1000:]
    sys.stdout.write(f"{target}: {ran[1]} executions\n")  # with -rA
