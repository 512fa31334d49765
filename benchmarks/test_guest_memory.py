"""A look at a guest's memory by examples/guest_memory.rs, beside mincore and a copy of it.

The program times all of them in turns, and checks that they find the same (guest_memory.rs beside
this file says what the rival is). Minima are compared. What the guest pays is not in it: a fault
for the first write to a page after each look.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import pagemap

SOURCE = Path(__file__).with_name("guest_memory.rs")
LOOKS = 30


@pytest.mark.parametrize("mib", [256, 1024])
def test_a_look_at_a_guest(mib: int, tmp_path: Path) -> None:
    if not (rustc := shutil.which("rustc")):
        pytest.skip("rustc is missing (Debian: apt install rustc)")
    program = tmp_path / "guest_memory"
    command = [rustc, "--edition", "2021", "-O", "-L", pagemap.get_library_dir()]
    subprocess.run([*command, "-o", program, SOURCE], check=True, timeout=120)
    done = subprocess.run(
        [program, str(mib), str(LOOKS)], check=False, capture_output=True, text=True, timeout=120
    )
    if done.returncode == 77:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    looks = [list(map(int, line.split())) for line in done.stdout.splitlines()]
    ours, rivals, mincores = (min(column) / 1e6 for column in zip(*looks, strict=True))
    print(
        f"\n{mib} MiB: {ours:.2f} ms; mincore and a copy {rivals:.2f} ms, "
        f"{rivals / ours:.1f} times that; mincore alone, which tells of no write, {mincores:.2f} ms"
    )
    assert ours * 3 < rivals
