"""Several interpreters in one process: what cffi allows works, and what it does not is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pagemap

ISOLATED = sys.version_info >= (3, 12)
"""Whether this Python keeps modules such as cffi's out of isolated interpreters."""

WORK = """
import sys
sys.path[:0] = {path!r}
import io, pagemap, pagemap._native.pipeline
with pagemap.Process("self") as process:
    assert process.maps()
    assert sum(len(pages) for _, pages in process.populated(threads=2))
    assert list(process.tally(threads=2))
    assert pagemap.dump(process, io.BytesIO(), threads=2)
pagemap._native.pipeline.ALONE_PAGES = 1
unfinished = pagemap.Process("self").populated(threads=2)
assert next(unfinished)  # its threads would outlive the interpreter
with pagemap.Sampler() as sampler:
    assert sampler.sample().rss
    running = sampler.stream(every=0.001)  # as would this one
print("worked", flush=True)
"""

SCRIPT = """
try:
    import _interpreters
except ImportError:
    import _xxsubinterpreters as _interpreters

WORK = {work!r}

def create(kind):
    try:
        return _interpreters.create(kind)  # 3.13
    except TypeError:
        return _interpreters.create(isolated=kind == "isolated")

for kind in {kinds!r}:
    if kind == "main":
        exec(WORK)
        continue
    one = create(kind)
    try:
        failed = _interpreters.run_string(one, WORK)  # since 3.13 it is returned
        if failed is not None:
            print(failed.formatted, flush=True)  # in the order of all that write
    except Exception as error:
        print(error, flush=True)
    _interpreters.destroy(one)
print("ended")
"""


def said(*kinds: str) -> list[str]:
    path = [str(Path(pagemap.__file__).parents[1]), *sys.path]
    script = SCRIPT.format(work=WORK.format(path=path), kinds=kinds)
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, (run.returncode, run.stdout, run.stderr)
    lines = run.stdout.splitlines()
    assert lines.pop() == "ended"
    return lines


@pytest.mark.parametrize(
    "kinds",
    [("legacy",), ("main", "legacy", "main"), ("legacy", "main", "legacy"), ("legacy", "legacy")],
    ids="-".join,
)
def test_legacy_interpreters_work(kinds: tuple[str, ...]) -> None:
    assert said(*kinds) == ["worked"] * len(kinds)


@pytest.mark.skipif(not ISOLATED, reason="this Python loads any module in any interpreter")
@pytest.mark.parametrize(
    "kinds",
    [
        ("isolated",),
        ("isolated", "main"),
        ("isolated", "legacy"),
        ("main", "isolated", "main"),
        ("isolated", "isolated", "main", "legacy"),
    ],
    ids="-".join,
)
def test_isolated_ones_are_refused_and_leave_no_trace(kinds: tuple[str, ...]) -> None:
    """After the ImportError of cffi Python 3.12 ended in a double free, in whoever came next."""
    lines = said(*kinds)
    for kind, line in zip(kinds, [line for line in lines if line], strict=True):
        if kind == "isolated":
            assert "cannot be imported in an isolated subinterpreter" in line
            assert "import it in the main interpreter, in a legacy subinterpreter" in line
        else:
            assert line == "worked"
