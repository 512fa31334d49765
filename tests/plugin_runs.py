"""Runs of pytest within a test: with our plugin and no other, and everything imported before."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pagemap

# what a run imports is forgotten after it, and the compiled module can be imported once
from pagemap._pytest import fixture, limits, plugin, summary

if TYPE_CHECKING:
    from typing import Protocol

    import pytest

    class RunPytest(Protocol):
        """Runs tests, of which `HEAD` is the beginning."""

        def __call__(self, tests: str, *options: str) -> pytest.RunResult: ...


__all__ = ["HEAD", "OPTIONS", "runner"]

pagemap.load()
IMPORTED = (fixture, limits, plugin, summary)

OPTIONS = ("-p", "pagemap", "-p", "no:cacheprovider", "-W", "error", "-rs")

HEAD = """
import mmap, os, pytest, pagemap
PAGE = mmap.PAGESIZE

def memory(pages):  # of this process alone, and all of it there
    made = mmap.mmap(-1, pages * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(pages):  # without a copy, of which malloc might keep a part
        made[page * PAGE] = 0
    return made

def write(made, pages):
    for page in pages:
        made[page * PAGE] = 1

@pytest.fixture
def data():
    return memory(64)
"""


def runner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> RunPytest:
    """What runs tests with these options, warnings as errors, in this process."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(HEAD + dedent(tests))
        return pytester.runpytest_inprocess(*OPTIONS, *options)

    return run
