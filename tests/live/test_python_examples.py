"""The examples for Python profilers run, and see the memory that each of them takes."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("PAGEMAP_SOURCE", Path(__file__).parents[2]))
ISOLATED = sys.version_info >= (3, 12)


def said(name: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def number(line: str, pattern: str) -> int:
    found = re.search(pattern, line)
    assert found is not None, line
    return int(found[1])


def test_threads() -> None:
    lines = said("profile_threads.py", "24")
    # what the interpreter takes and gives back meanwhile is less than a MiB or two
    for line, taken in zip(lines, (24, 48), strict=True):
        assert abs(number(line, r"^thread \d: (-?\d+) MiB$") - taken) <= 2


def test_asyncio() -> None:
    (line,) = said("profile_asyncio.py", "24")
    assert abs(number(line, r"^grew by (\d+) MiB") - 24) <= 2


def test_gevent() -> None:
    pytest.importorskip("gevent", reason="needs gevent (PyPI)")
    (line,) = said("profile_gevent.py", "12")
    assert abs(number(line, r"^grew by (\d+) MiB$") - 24) <= 2


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(method: str) -> None:
    (line,) = said("profile_multiprocessing.py", method)
    inherited = "closed" if method == "fork" else "none"
    assert line.endswith(f"seen from outside: yes, inherited: {inherited}")
    assert abs(number(line, rf"^{method}: grew by (\d+) MiB") - 32) <= 2


def test_subinterpreters() -> None:
    try:
        import _interpreters  # noqa: F401
    except ImportError:
        pytest.importorskip("_xxsubinterpreters", reason="this Python has no interpreters module")
    lines = said("profile_subinterpreters.py")
    assert lines[0] == "legacy: works"
    isolated = "cannot be imported in an isolated subinterpreter" if ISOLATED else "works"
    assert isolated in lines[1]
    assert lines[-1].startswith("from main: works")
    assert abs(number(lines[-1], r"grew by (\d+) MiB") - 32) <= 2


def test_beside_memray() -> None:
    if importlib.util.find_spec("memray") is None:
        pytest.skip("needs memray (PyPI)")
    lines = said("beside_memray.py", "48")
    assert abs(number(lines[0], r"by memray: (\d+) MiB$") - 48) <= 2
    ours = number(lines[2], r"by pagemap: (\d+) MiB")
    assert abs(number(lines[1], r"by memray: (\d+) MiB") - ours) <= 3
    assert abs(number(lines[3], r"grew by (\d+) MiB") - 12) <= 3
    for line in lines[4:]:
        assert abs(number(line, r"never written: (\d+) MiB") - 24) <= 3


def test_each_example_is_run() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    for example in (ROOT / "examples").glob("*.py"):
        assert f'"{example.name}"' in here
