"""What the command's own process does with memory that was freed."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys

import pytest

from pagemap._cli import main

SCRIPT = """
import resource
from pagemap import _native

if {keep}:
    _native.keep_memory()
content = bytes(1 << 20)

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [_native.allocate("char[]", len(content)) for _ in range(6)]
    for block in blocks:
        _native.view_of(block, "B")[:] = content
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

for _ in range(3):
    faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc can be told")
@pytest.mark.parametrize(("keep", "least", "most"), [(False, 256, 2000), (True, 0, 20)])
def test_blocks_are_used_again(keep: bool, least: int, most: int) -> None:
    """Six of 256 pages; by default malloc gives most back, and each is a page fault again."""
    script = SCRIPT.format(keep=keep)
    told = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    assert least <= int(told.stdout) <= most


def test_a_process_that_is_another_s_is_left_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    frozen = gc.get_freeze_count()
    gc.disable()
    try:
        assert main(["doctor"]) == 0
        assert not gc.isenabled()
        assert gc.get_freeze_count() == frozen
    finally:
        gc.enable()
    assert "pagemap" in capfd.readouterr().out
