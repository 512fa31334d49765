"""The wheels that `make wheel` has made, which those who publish them would upload.

$PAGEMAP_WHEEL is the one for glibc, and the one for musl lies beside it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pagemap


@pytest.fixture
def made_wheel() -> Path:
    if named := os.environ.get("PAGEMAP_WHEEL"):
        return Path(named)
    pytest.skip("no wheel of make wheel was named by PAGEMAP_WHEEL")


@pytest.fixture
def musl_wheel(made_wheel: Path) -> Path:
    """The wheel for musl that was made beside it."""
    for each in made_wheel.parent.glob("*-musllinux_*.whl"):
        return each
    pytest.skip("make wheel has made none for musl there (Debian: apt install musl-tools)")


def tags_of(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/WHEEL"))
        return re.findall(r"^Tag: (.+)$", archive.read(name).decode(), re.MULTILINE)


def libraries(wheel: Path, folder: Path) -> list[Path]:
    """What was compiled of a wheel, unpacked there."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".so")]
        assert len(names) >= 2
        return [Path(archive.extract(name, folder)) for name in names]


def printed(*command: str | Path) -> str:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is missing (Debian: apt install binutils)")
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


def symbols(which: str, library: Path) -> list[str]:
    """The dynamic symbols of a library: those that it has, or those that it wants."""
    return [line.split()[-1] for line in printed("nm", "--dynamic", which, library).splitlines()]


def test_the_wheel_is_one_that_pypi_takes(made_wheel: Path) -> None:
    """It refuses plain linux tags, for they do not say which C library is new enough."""
    assert re.search(r"-manylinux_2_\d+_[a-z0-9_]+\.whl$", made_wheel.name)
    tags = tags_of(made_wheel)
    assert tags
    assert all("-manylinux_2_" in tag for tag in tags)


def test_the_wheel_looks_for_libraries_where_the_system_has_them(
    made_wheel: Path, tmp_path: Path
) -> None:
    """And in no folder of the machine that it was made on."""
    for library in libraries(made_wheel, tmp_path):
        said = printed("readelf", "--dynamic", library)
        assert "PATH" not in said
        assert set(re.findall(r"NEEDED.*\[(.+)\]", said)) <= {"libc.so.6", "libz.so.1"}


def test_the_wheel_for_musl_needs_musl_alone(musl_wheel: Path, tmp_path: Path) -> None:
    """Whatever glibc alone has would be missed when it is loaded, where nobody looks here."""
    there = set(symbols("--defined-only", Path("/lib", f"ld-musl-{os.uname().machine}.so.1")))
    assert "pread" in there
    for library in libraries(musl_wheel, tmp_path):
        said = printed("readelf", "--dynamic", library)
        assert "PATH" not in said
        needed = set(re.findall(r"NEEDED.*\[(.+)\]", said))
        assert needed <= {f"libc.musl-{os.uname().machine}.so.1", "libz.so.1"}
        wanted = {name for name in symbols("--undefined-only", library) if "Py" not in name}
        assert wanted
        beside = {
            name for name in wanted - there if not re.match("_ITM_|deflate|inflate|crc", name)
        }
        assert not beside


def test_the_wheel_for_musl_has_the_same_files(made_wheel: Path, musl_wheel: Path) -> None:
    both = []
    for each in (made_wheel, musl_wheel):
        with zipfile.ZipFile(each) as archive:
            both.append({name for name in archive.namelist() if not name.endswith("/")})
    assert both[0] == both[1]
    assert "-musllinux_1_2_" in tags_of(musl_wheel)[0]


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_uninstalling_leaves_nothing(made_wheel: Path, tmp_path: Path) -> None:
    """Nor what running it has written. Of folders pip leaves some empty: share/man, share/zsh."""
    venv = tmp_path / "venv"
    python = venv / "bin" / "python"
    env = {key: each for key, each in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=300, env=env, cwd=tmp_path
        )
        return done.stdout

    run(sys.executable, "-m", "venv", "--without-pip", venv)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet"]
    before = files_below(venv)
    run(*pip, "install", "--no-deps", "--no-index", "--no-compile", made_wheel)
    assert run(venv / "bin" / "pagemap", "--version") == f"pagemap {pagemap.__version__}\n"
    added = files_below(venv) - before
    assert {"bin/pagemap", "share/man/man1/pagemap.1"} <= added
    assert any(name.endswith(".pyc") for name in added)
    run(*pip, "uninstall", "--yes", "linux-pagemap")
    assert files_below(venv) == before
    assert not list(venv.rglob("*pagemap*"))
