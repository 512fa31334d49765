"""The examples for Python profilers run, and see the memory that each of them takes."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import looks

if TYPE_CHECKING:
    from collections.abc import Callable

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


def check_growth(taken: list[int], look: Callable[[], list[int]], within: int = 2) -> None:
    """The process grew by that, in MiB, but for what the interpreter takes and gives back.

    The kernel takes pages of files from a process at any time: then it is asked again.
    """

    def both() -> tuple[list[int], list[int]]:
        seen = look()
        near = [abs(one - other) <= within for one, other in zip(seen, taken, strict=True)]
        return [t if is_near else s for s, t, is_near in zip(seen, taken, near, strict=True)], taken

    looks.agreed(both)


def test_threads() -> None:
    pattern = r"^thread \d: (-?\d+) MiB$"
    words = ("profile_threads.py", "24")
    check_growth([24, 48], lambda: [number(line, pattern) for line in said(*words)])


def test_asyncio() -> None:
    words = ("profile_asyncio.py", "24")
    check_growth([24], lambda: [number(line, r"^grew by (\d+) MiB") for line in said(*words)])


def test_gevent() -> None:
    pytest.importorskip("gevent", reason="needs gevent (PyPI)")
    words = ("profile_gevent.py", "12")
    check_growth([24], lambda: [number(line, r"^grew by (\d+) MiB$") for line in said(*words)])


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(method: str) -> None:
    def look() -> list[int]:
        (line,) = said("profile_multiprocessing.py", method)
        inherited = "closed" if method == "fork" else "none"
        assert line.endswith(f"seen from outside: yes, inherited: {inherited}")
        return [number(line, rf"^{method}: grew by (\d+) MiB")]

    check_growth([32], look)


def test_subinterpreters() -> None:
    try:
        import _interpreters  # noqa: F401
    except ImportError:
        pytest.importorskip("_xxsubinterpreters", reason="this Python has no interpreters module")

    def look() -> list[int]:
        lines = said("profile_subinterpreters.py")
        assert lines[0] == "legacy: works"
        isolated = "cannot be imported in an isolated subinterpreter" if ISOLATED else "works"
        assert isolated in lines[1]
        assert lines[-1].startswith("from main: works")
        return [number(lines[-1], r"grew by (\d+) MiB")]

    check_growth([32], look)


def test_beside_memray() -> None:
    if importlib.util.find_spec("memray") is None:
        pytest.skip("needs memray (PyPI)")

    def look() -> list[int]:
        lines = said("beside_memray.py", "48")
        theirs, ours = (
            number(lines[1], r"by memray: (\d+) MiB"),
            number(lines[2], r"by pagemap: (\d+) MiB"),
        )
        unwritten = [number(line, r"never written: (\d+) MiB") for line in lines[4:]]
        allocated = number(lines[0], r"by memray: (\d+) MiB$")
        return [allocated, theirs - ours, number(lines[3], r"grew by (\d+) MiB"), *unwritten]

    check_growth([48, 0, 12, 24], look, within=3)


def test_each_example_is_run() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    for example in (ROOT / "examples").glob("*.py"):
        assert f'"{example.name}"' in here
