"""docs/embedding.md: each block is compiled as the page says, and run."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pagemap
from tests import build
from tests.live.test_capsule import EXAMPLES, INCLUDE, extension

PAGE = EXAMPLES.parent / "docs" / "embedding.md"
ARCHIVE = Path(pagemap.get_library_dir()) / "libpagemap.a"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{INCLUDE}"]


def block(language: str, folder: Path, name: str) -> Path:
    """The one block of a language, as a file."""
    if not PAGE.exists():
        pytest.skip("docs/ lies in the source tree, which is not here")
    (text,) = re.findall(
        rf"^```{re.escape(language)}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    path = folder / name
    path.write_text(text)
    return path


def said(*command: str | Path) -> str:
    return subprocess.run(
        [*map(str, command)], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def compiled(source: Path, compiler: str, *flags: str) -> Path:
    if not (by := shutil.which(compiler)):
        pytest.skip(f"{compiler} is missing (Debian: apt install {compiler})")
    made = source.with_suffix("")
    done = subprocess.run(
        [by, *flags, *STRICT, source, ARCHIVE, "-o", made],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return made


def test_every_language_has_a_block() -> None:
    if not PAGE.exists():
        pytest.skip("docs/ lies in the source tree, which is not here")
    found = re.findall(r"^```(\S+)$", PAGE.read_text(), re.MULTILINE)
    assert found == ["c", "c++", "rust", "cython", "python"]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_c(compiler: str, tmp_path: Path) -> None:
    program = compiled(block("c", tmp_path, "app.c"), compiler, "-std=gnu11")
    assert said(program) == "the first page is present\n"


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_cxx(compiler: str, tmp_path: Path) -> None:
    program = compiled(block("c++", tmp_path, "app.cpp"), compiler, "-std=c++17")
    resident = said(program)
    assert re.fullmatch(r"\d+ bytes resident\n", resident)
    assert int(resident.split()[0]) > 1 << 18


def test_rust(tmp_path: Path) -> None:
    source = block("rust", tmp_path, "app.rs")
    if not shutil.which("rustc"):
        pytest.skip("rustc is missing (Debian: apt install rustc)")
    folder = f"native={ARCHIVE.parent}"
    said("rustc", "-D", "warnings", "-L", folder, "-l", "static=pagemap", "-o", tmp_path / "app",
         source)  # fmt: skip
    assert int(said(tmp_path / "app").split()[0]) > 1 << 18


def test_cython(tmp_path: Path) -> None:
    source = block("cython", tmp_path, "embedded.pyx")
    if not importlib.util.find_spec("Cython"):
        pytest.skip("Cython is missing: pip install Cython")
    folder = str(Path(pagemap.__file__).parents[1])
    subprocess.run(
        [sys.executable, "-m", "cython", "-3", source],
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": folder},
    )
    try:
        module = extension(source.with_suffix(".c"), INCLUDE, "-O0")
    except build.CompilerMissing as reason:
        pytest.skip(str(reason))
    with pagemap.Sampler() as sampler:
        assert abs(module.resident() - sampler.rss()) < 16 << 20


def test_python(tmp_path: Path) -> None:
    resident = said(sys.executable, block("python", tmp_path, "app.py"))
    assert re.fullmatch(r"\d+ bytes resident\n", resident)
