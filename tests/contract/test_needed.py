"""What an install says where a compiler or a header is missing: which package has it.

The compiler is one of our own, which refuses the headers that LACKS names: what is installed here
makes no difference.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("PAGEMAP_SOURCE", Path(__file__).resolve().parents[2]))
PYTHON_DEV = f"python{sys.version_info.major}.{sys.version_info.minor}-dev"

COMPILER = """\
#!/bin/sh
for last; do :; done
for header in $LACKS; do
	if grep -q "<$header>" "$last"; then
		echo "$last: fatal error: $header: No such file or directory" >&2
		exit 1
	fi
done
"""


def asked(
    *, path: str, compiler: str, lacks: str = "", of: str = ""
) -> subprocess.CompletedProcess[str]:
    """What setup.py asks, where only what is below `path` can be run."""
    env = {key: each for key, each in os.environ.items() if key not in ("CFLAGS", "CPPFLAGS")}
    return subprocess.run(
        [sys.executable, ROOT / "csrc/binding/needed.py", *of.split()],
        env={**env, "PATH": path, "CC": compiler, "LACKS": lacks},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def compiler(tmp_path: Path) -> Path:
    script = tmp_path / "our-cc"
    script.write_text(COMPILER)
    script.chmod(0o755)
    return script


def told(compiler: Path, lacks: str) -> str:
    done = asked(path=os.environ["PATH"], compiler=str(compiler), lacks=lacks)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_nothing_is_missing(compiler: Path) -> None:
    done = asked(path=os.environ["PATH"], compiler=f"{compiler} -O2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_a_compiler(tmp_path: Path) -> None:
    done = asked(path=str(tmp_path), compiler="gcc -pthread")
    assert done.returncode == 1
    assert done.stderr == (
        "there is no C compiler: gcc was not found. Install one, or name yours by CC:\n"
        "  apt install gcc libc6-dev    (Fedora: dnf install gcc; Alpine: apk add gcc musl-dev)\n"
    )


@pytest.mark.parametrize(
    ("header", "package"),
    [
        ("Python.h", PYTHON_DEV),
        ("zlib.h", "zlib1g-dev"),
        ("linux/kcmp.h", "linux-libc-dev"),
        ("stdint.h", "libc6-dev"),
    ],
)
def test_without_a_header(compiler: Path, header: str, package: str) -> None:
    sentence, how, *rest = told(compiler, header).splitlines()
    assert sentence.startswith(f"{compiler} does not find {header}: ")
    assert how.startswith(f"  apt install {package} ")
    assert not rest


def test_without_several(compiler: Path) -> None:
    """All at once, and not the next one after the first was installed."""
    said = told(compiler, "zlib.h Python.h")
    assert "apt install zlib1g-dev " in said
    assert f"apt install {PYTHON_DEV} " in said
    assert "libc6-dev" not in said


def test_the_first_of_all_is_said_alone(compiler: Path) -> None:
    """Nothing can be included without the headers of the C library."""
    said = told(compiler, "stdint.h linux/kcmp.h zlib.h Python.h")
    assert said.count("apt install") == 1
    assert "apt install libc6-dev " in said


def test_of_the_c_library_alone(compiler: Path) -> None:
    """Whoever makes it needs neither Python's headers nor zlib's."""
    path = os.environ["PATH"]
    lacks = "zlib.h Python.h"
    assert asked(path=path, compiler=str(compiler), lacks=lacks, of="library").returncode == 0
    said = asked(path=path, compiler=str(compiler), lacks="linux/kcmp.h", of="library").stderr
    assert "apt install linux-libc-dev " in said


def test_make_lib_says_it() -> None:
    """It let the shell say four times that cc was not found."""
    if not shutil.which("make") or not (ROOT / "Makefile").exists():
        pytest.skip("make is not installed, or there is no source tree")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "-B", "-C", ROOT, "lib", "CC=/none/cc -O2", f"PYTHON={sys.executable}"],
        env=plain,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("there is no C compiler: /none/cc was not found. Install one")
    assert "apt install gcc libc6-dev " in done.stderr
    assert done.stderr.count("not found") == 1


def test_musl_needs_a_folder_with_the_kernel_headers(compiler: Path) -> None:
    musl = compiler.rename(compiler.with_name("musl-gcc"))
    assert "CFLAGS=-I" in told(musl, "linux/kcmp.h")
    assert "CFLAGS=-I" not in told(musl, "Python.h")


def test_the_real_musl_gcc_is_understood() -> None:
    """Debian's finds nothing of the kernel and of zlib, with what it is told it compiles."""
    if not shutil.which("musl-gcc"):
        pytest.skip("musl-gcc is missing (Debian: apt install musl-tools)")
    done = asked(path=os.environ["PATH"], compiler="musl-gcc")
    assert done.returncode == 1
    assert "musl-gcc does not find linux/kcmp.h" in done.stderr
    assert "CFLAGS=-I" in done.stderr


def test_an_install_ends_with_it(tmp_path: Path) -> None:
    """What pip calls stops before anything is copied, and without a traceback."""
    code = f"from setuptools import build_meta; build_meta.build_wheel({str(tmp_path)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path), "CC": "gcc"},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) < 10, done.stdout
    assert lines[-3] == "error: pagemap cannot be compiled here"
    assert "apt install gcc libc6-dev" in lines[-1]
    assert not list(tmp_path.iterdir())
