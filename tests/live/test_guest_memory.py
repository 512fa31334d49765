"""examples/guest_memory.rs: declarations as the compiler has them, and rounds that lose nothing."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import pagemap
from tests import build, kernel_settings
from tests.steps import rust_sys

ARCHIVES = pagemap.get_library_dir()
ROUNDS = int(os.environ.get("PAGEMAP_GUEST_ROUNDS", "100"))
CHECKER = Path(__file__).resolve().parents[1] / "guest_rounds.rs"
EXAMPLE = rust_sys.WRITTEN.with_name("guest_memory.rs")


pytestmark = pytest.mark.skipif(
    not EXAMPLE.exists() or not rust_sys.HEADER.exists(),
    reason="csrc/ and examples/ lie in the source tree, which is not here",
)


def compiled(source: Path, folder: Path) -> Path:
    """A program of Rust, with the archive that the package carries."""
    if not (rustc := shutil.which("rustc")):
        pytest.skip("rustc is missing (Debian: apt install rustc)")
    made = folder / source.stem
    done = subprocess.run(
        [
            rustc,
            "--edition",
            "2021",
            "-D",
            "warnings",
            "-L",
            ARCHIVES,
            "-o",
            str(made),
            str(source),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode and "error[E" not in done.stderr and "rustup" in done.stderr:
        pytest.skip(done.stderr)  # a rustc that belongs to another user
    assert done.returncode == 0, done.stderr
    return made


def said(*command: str | Path, seconds: int = 60) -> str:
    done = subprocess.run(
        list(map(str, command)), check=False, capture_output=True, text=True, timeout=seconds
    )
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_declarations_are_those_of_the_header() -> None:
    assert rust_sys.WRITTEN.read_text() == rust_sys.module(), (
        "the header changed: python -m tests.steps.rust_sys"
    )


def test_layout_is_the_compilers(tmp_path: Path) -> None:
    """Sizes, offsets and values, said by a program of C and by one of Rust."""
    for name, text in (("c", rust_sys.layout_in_c()), ("rs", rust_sys.layout_in_rust())):
        (tmp_path / f"layout.{name}").write_text(text)
    include = f"-I{rust_sys.HEADER.parents[1]}"
    in_c = said(build.program(tmp_path / "layout.c", flags=[include]))
    assert len(in_c.splitlines()) > 100
    assert said(compiled(tmp_path / "layout.rs", tmp_path)) == in_c


def test_a_guest_at_work(need_own_tracking: None, tmp_path: Path) -> None:
    lines = said(compiled(EXAMPLE, tmp_path), "16").splitlines()
    # it touches all of the first quarter, and then each 10th, 20th and 30th page of the eighth
    assert [line.split() for line in lines[1:]] == [
        ["0", "1024", "1024"],
        ["1", "1024", "52"],
        ["2", "1024", "26"],
        ["3", "1024", "18"],
    ]


def test_nothing_is_lost_and_nothing_made_up(need_own_tracking: None, tmp_path: Path) -> None:
    """Against a log of all writes, with pages in swap where there is some."""
    checker = compiled(CHECKER, tmp_path)
    seed = random.randrange(1, 1 << 31)
    with contextlib.ExitStack() as stack:
        swaps = True
        try:
            stack.enter_context(kernel_settings.zram_swap(64 << 20))
        except kernel_settings.Unavailable:
            swaps = False
        line = said(checker, "1024", str(ROUNDS), str(seed), seconds=60 + ROUNDS)
    found = {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", line)}
    assert found["rounds"] == ROUNDS + 2, seed
    assert found["writes"] >= found["written"] > ROUNDS
    assert found["swapped"] > 0 or not swaps
