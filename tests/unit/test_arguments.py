"""Arguments that are none, at every public call: TypeError or UsageError, there and then.

They were AttributeError, OverflowError or KeyError from within, or came when the first result was
asked for, far from the call; True was a pid's page, and a string its letters.
"""

from __future__ import annotations

import io
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

import pagemap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# what Python says by itself, which names no argument
PYTHONS_OWN = (
    "not iterable|iterable, not|not supported between|is required|must be real|to unpack|positional"
)
HUGE = 2**70
NO_NUMBERS = [1.5, "1", b"1", object(), True]
NO_COUNTS = [*NO_NUMBERS, -1, HUGE]
NO_NAMES = [5, "present", b"present", [5], [None], [b"present"], ["nope"], object()]
NO_RANGES = [None, 5, "ab", (1.5, 4096), ("a", "b"), (True, 4096), (0,), (0, 2**65), (4096, 0)]
NO_SEVERAL_RANGES = [5, "ab", [5], [(1.5, 2)], [("a", "b")], (0, 4096), [(0, -1)], [None]]
NO_TARGETS = [None, 1.5, True, "bash", b"self", [], object()]


class Calls:
    """Public calls of one argument each; the name of it is the method's, behind the call's."""

    def __init__(self) -> None:
        self.process = pagemap.Process("self")
        self.stack = next(m for m in self.process.maps() if m.path == "[stack]")
        self.pages = self.process.pages(self.stack)
        self.sampler = pagemap.Sampler("self")
        self.buffer = bytearray(1 << 16)

    def close(self) -> None:
        self.process.close()
        self.sampler.close()

    def __call__(self, name: str, value: Any) -> object:
        where, _, argument = name.partition(" ")
        named = {argument: value} if argument else {}
        calls: dict[str, Callable[[], object]] = {
            "Process": lambda: (
                pagemap.Process(**{"target": value, **named})
                if argument != "procfs"
                else pagemap.Process("self", **named)
            ),
            "virt_to_phys": lambda: (
                self.process.virt_to_phys(value) if argument else pagemap.virt_to_phys(value, 0)
            ),
            "Sampler": lambda: pagemap.Sampler(**named),
            "sample": lambda: self.sampler.sample(**named),
            "stream": lambda: self.sampler.stream(**named),
            "track": lambda: pagemap.track(value),
            "owners": lambda: pagemap.owners(value),
            "sharing": lambda: pagemap.sharing(value),
            "assert_shared": lambda: pagemap.assert_shared(value, of=self.buffer),
            "assert_written": lambda: pagemap.assert_written(self.buffer, **named),
            "find": lambda: pagemap.find(value),
            "dump": lambda: pagemap.dump(
                **{
                    "target": "self",
                    "file": io.BytesIO(),
                    "select": lambda path: path == "[stack]",
                    **named,
                }
            ),
            "read_into": lambda: self.process.read_into(
                **{"buffer": bytearray(8), "start": self.stack.start, **named}
            ),
            "between": lambda: self.pages.between(
                **{"start": self.stack.start, "end": self.stack.end, **named}
            ),
            "column": lambda: self.pages.column(value),
            "count": lambda: self.pages.count(value),
            "regions": lambda: self.process.regions(**named),
        }
        if where in calls:
            return calls[where]()
        method = getattr(self.process, where)
        return method(**named) if named else method(value)


TABLE: dict[str, list[object]] = {
    "Process": NO_TARGETS,
    "Process procfs": [None, 5, True, b"/proc"],
    "virt_to_phys": NO_TARGETS,
    "Sampler target": NO_TARGETS,
    "Sampler counts": [5, "rss", [5], ["nope"]],
    "sample max_pages": [*NO_COUNTS, None],
    "sample max_seconds": ["1", -1, float("nan"), None, object(), True],
    "sample resume": NO_COUNTS,
    "stream every": ["1", b"1", None, object(), True, [], 0, -1, float("nan"), 10**400],
    "stream keep": [*NO_COUNTS, None, 0],
    "track": [5, 1.5, "abc", [1], object(), True],
    "owners": [None, 5, "ab", b"ab"],
    "sharing": [None, 5, "ab", b"ab"],
    "assert_shared": [None, 5, "ab", b"ab", []],
    "assert_written at_most": [*NO_COUNTS, None],
    "find": [None, 5, b"x", ["a"], True, ""],
    "pages where": [*NO_RANGES, object()],
    "pages_of ranges": NO_SEVERAL_RANGES,
    "entry address": [*NO_COUNTS, 2**64, None],
    "virt_to_phys address": [*NO_COUNTS, 2**64, None],
    "translate addresses": [5, None, "ab", [5.0], ["1"], [True], [-1], [2**64]],
    "regions only": NO_NAMES,
    "regions without": NO_NAMES,
    "regions tell": NO_NAMES,
    "regions ranges": NO_SEVERAL_RANGES,
    "regions max_pages": [*NO_COUNTS, 0, 2**64],
    "tally counts": NO_NAMES,
    "tally threads": [1.5, "1", True, 0, -1, object()],
    "populated threads": [1.5, "1", True, 0, -1, object()],
    "huge threads": [1.5, "1", True, 0, -1, object()],
    "huge cont": [5, "x", ["x"], [1.5], [3], [-4096], [True], 4096, [HUGE]],
    "footprint gentle": [5, True, "x", object()],
    "footprints gentle": [5, True, "x", object()],
    "can_find category": [None, 5, "nope", True],
    "read_into buffer": [None, 5, "abc", [1], bytearray(7), bytearray(0)],
    "read_into start": [*NO_COUNTS, None, 1],
    "read_into count": [*NO_COUNTS, 0, 2],
    "between start": NO_COUNTS,
    "between end": NO_COUNTS,
    "column": [None, 1.5, "nope", 5, True],
    "count": [None, 1.5, "nope", 5, True],
    "dump target": NO_TARGETS,
    "dump file": [None, 1.5, -1, 2**40, True, object(), "", b"", [], io],
    "dump format": [None, 5, "xml", True],
    "dump select": [5, "x"],
    "dump ranges": NO_SEVERAL_RANGES,
    "dump only": NO_NAMES,
    "dump without": NO_NAMES,
    "dump threads": [1.5, "1", True, 0, -1],
}


@pytest.fixture(scope="module")
def calls() -> Iterator[Calls]:
    calls = Calls()
    yield calls
    calls.close()


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in TABLE.items() for value in values]
)
def test_what_is_no_argument(calls: Calls, name: str, value: object) -> None:
    with pytest.raises((TypeError, pagemap.UsageError)) as caught:
        calls(name, value)
    assert str(caught.value).strip()
    assert not re.search(PYTHONS_OWN, str(caught.value))
    raised_in = caught.traceback[-1].path
    assert "pipeline" not in str(raised_in)  # nor in a thread, later


NUMBERS = [
    ("sample", "max_pages"),
    ("sample", "resume"),
    ("stream", "keep"),
    ("assert_written", "at_most"),
    ("entry", "address"),
    ("virt_to_phys", "address"),
    ("regions", "max_pages"),
    *(("read_into", each) for each in ("start", "count")),
    *(("between", each) for each in ("start", "end")),
]


@pytest.mark.parametrize("value", [-1, HUGE, "0x1", 1.5, True])
@pytest.mark.parametrize(("call", "argument"), NUMBERS)
def test_a_number_that_is_refused_is_named(
    calls: Calls, call: str, argument: str, value: object
) -> None:
    """`virt_to_phys("0x1")` said "an integer is required": neither which, nor what was given."""
    with pytest.raises((TypeError, pagemap.UsageError)) as caught:
        calls(f"{call} {argument}", value)
    is_address = argument in ("address", "start", "end", "resume")
    shown = f"{value:#x}" if is_address and type(value) is int else repr(value)
    assert re.search(
        rf"\b{argument}\b.* {re.escape(shown)}( is not an address: |$)", str(caught.value)
    )
    assert is_address or "0x" not in str(caught.value).replace("'0x1'", "")


@pytest.mark.parametrize("where", [(0, 4096, 8192), [0, 4096, 8192], (0, 4096, None)])
def test_a_range_has_two_ends(calls: Calls, where: Any) -> None:
    """Of three numbers the first two were taken for the range, in silence."""
    with pytest.raises(TypeError, match="a range is a mapping, or \\(start, end\\) in bytes, not"):
        calls("pages where", where)


ROOT = {
    "page_types ranges": NO_SEVERAL_RANGES,
    "page_types only": [5, [5], "anonymous", ["nope"]],
    "page_types cgroup": NO_COUNTS,
    "page_types threads": [1.5, "1", True, 0, -1],
}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: /proc/kpageflags is root's")
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in ROOT.items() for value in values]
)
def test_what_is_no_argument_of_roots(calls: Calls, name: str, value: object) -> None:
    with pytest.raises((TypeError, pagemap.UsageError)):
        calls(name, value)


@pytest.mark.parametrize("target", [each for each in NO_TARGETS if each != b"self"])
@pytest.mark.parametrize("call", ["footprints", "freed", "page_types", "sharing"])
def test_what_is_no_target_among_several(call: str, target: object) -> None:
    """Of `footprints` it was a bare ValueError, or nothing at all: True was process 1."""
    with pytest.raises((TypeError, pagemap.UsageError), match=r"^a process is a pid"):
        getattr(pagemap, call)([target])


def test_targets_of_footprints() -> None:
    class Number:
        """As a number of numpy."""

        def __index__(self) -> int:
            return os.getpid()

    targets: list[Any] = ["self", os.getpid(), Number()]
    assert [row.pid for row in pagemap.footprints(targets)] == [os.getpid()]
    with pagemap.Process(targets[2]) as process:
        assert process.pid == os.getpid()


@pytest.mark.parametrize("written", ["x", 1, None])
def test_whether_to_track_writes_is_true_or_false(written: Any) -> None:
    """A word, as of another argument, was taken as True."""
    with pytest.raises(pagemap.UsageError, match="written must be True or False"):
        pagemap.measure(written=written)


@pytest.mark.parametrize("budget", [None, "1", 0, -1, 2, True, float("nan")])
def test_what_is_no_budget(budget: Any) -> None:
    with pytest.raises((TypeError, pagemap.UsageError)):
        pagemap.Gentle(budget)


@pytest.mark.parametrize("pfns", [None, 5, 1.5, "ab", b"abcdefgh", [1.5], ["1"], [-1], [2**64]])
def test_what_are_no_pfns(pfns: Any) -> None:
    with pagemap.FrameReader() as reader:
        for call in (reader.read, lambda pfns: reader.words("flags", pfns)):
            with pytest.raises((TypeError, pagemap.UsageError)):
                call(pfns)


@pytest.mark.parametrize("kind", [str, os.fsencode, "Path"])
def test_a_dump_into_a_path(tmp_path: Path, kind: Any) -> None:
    """It was an AttributeError: 'str' object has no attribute 'write'."""
    path = tmp_path / "dump"
    path.write_text("what was there before, " * 1000)
    given = path if kind == "Path" else kind(path)
    with pagemap.Process("self") as process:
        rows = pagemap.dump(process, given, select=lambda path: path == "[vdso]")
    assert len(path.read_bytes().splitlines()) == rows + 1
    other = tmp_path / "other"
    before = os.umask(0)
    try:
        pagemap.dump("self", other, select=lambda path: path == "[vdso]")
    finally:
        os.umask(before)
    assert other.stat().st_mode & 0o777 == 0o600
    with pytest.raises(pagemap.NoSuchProcess):
        pagemap.dump(2**22 + 1, tmp_path / "none")
    assert not (tmp_path / "none").exists()
