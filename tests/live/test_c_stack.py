"""In a signal handler the C library takes no more stack than its header says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import pagemap
from tests import build

ARCHIVE = Path(pagemap.get_library_dir()) / "libpagemap.a"
HEADER = Path(pagemap.get_include()) / "pagemap.h"
ROOT = Path(os.environ.get("PAGEMAP_SOURCE", Path(__file__).parents[2]))
LARGE = ("pm_process_tally", "pm_sampler_sample", "pm_frames_words")


def test_on_an_alternate_stack() -> None:
    """Measured by paint: amounts took most of an 8 KiB stack three times over."""
    promised = re.search(r"(\d+) KiB of stack, or (\d+) KiB in", HEADER.read_text(encoding="ascii"))
    assert promised is not None
    small, large = (int(each) << 10 for each in promised.groups())
    try:
        program = build.program(
            ROOT / "tests" / "library_stack.c",
            ARCHIVE,
            flags=["-O2", f"-I{HEADER.parent}"],
            reads=[HEADER],
        )
    except build.CompilerMissing as reason:
        pytest.skip(str(reason))
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=60)
    taken = {name: int(size) for name, size, _ in map(str.split, done.stdout.splitlines())}
    assert done.returncode == 0, (taken, done.stderr)
    assert {"pm_process_check", "pm_process_entries", *LARGE[:2]} <= set(taken)
    for name, size in taken.items():
        assert size <= (large if name in LARGE else small), (name, size)
    assert taken["pm_process_check"] > 4096  # the paint shows what is taken
