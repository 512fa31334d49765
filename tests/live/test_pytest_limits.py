"""The marker `limit_pages`: pages counted by hand, and what is said where it is not held."""

from __future__ import annotations

from errno import EINVAL
from typing import TYPE_CHECKING, NoReturn

import pytest

from pagemap._native import userfaultfd

if TYPE_CHECKING:
    from tests.plugin_runs import RunPytest


@pytest.fixture
def no_tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    """As before Linux 6.7, without soft-dirty bits."""

    def refuse() -> NoReturn:
        raise OSError(EINVAL, "as an old kernel")

    monkeypatch.setattr(userfaultfd, "open_userfaultfd", refuse)
    monkeypatch.setattr("pagemap._kernel.soft_dirty.is_tracked", lambda *_: False)


def test_written_pages_of_buffers(need_own_tracking: None, run_pytest: RunPytest) -> None:
    result = run_pytest(
        """
        ARRAY = bytearray(100 * PAGE)
        OTHER = memory(8)

        @pytest.mark.limit_pages(written=3, of="data")
        def test_as_many(data):
            write(data, [0, 7, 7, 63])
            OTHER[0] = 1  # of nobody's concern

        @pytest.mark.limit_pages(written=3, of="data")
        def test_more(data):
            write(data, [0, 7, 8, 63])

        @pytest.mark.limit_pages(written=0, of="part")
        def test_parts(part):
            part[0] = part[-1] = 1

        @pytest.fixture
        def part(data):
            with memoryview(data)[PAGE - 5:2 * PAGE + 5] as view:
                yield view

        @pytest.mark.limit_pages(written=101, of=ARRAY)
        def test_an_object():
            ARRAY[:] = bytes(len(ARRAY))

        @pytest.mark.limit_pages(written=1, of=lambda: OTHER)
        def test_what_is_made_later():
            write(OTHER, [1, 2])

        class TestOfAClass:
            pytestmark = pytest.mark.limit_pages(written=1, of="data")

            def test_the_outer(self, data):
                write(data, [1, 2])

            @pytest.mark.limit_pages(written=2, of="data")
            def test_the_nearest(self, data):
                write(data, [1, 2])

            @pytest.mark.limit_pages(grown=9, of="data")
            def test_of_each_kind(self, data):
                write(data, [1, 2, 3])
        """,
    )
    result.assert_outcomes(passed=3, failed=5)
    result.stdout.re_match_lines_random(
        [
            (
                r"4 pages written, at most 3 allowed \(by userfaultfd\): data, mmap of 262144 "
                r"bytes at 0x[0-9a-f]+000 \(64 pages\)"
            ),
            (
                r"2 pages written, at most 0 allowed \(by userfaultfd\): part, memoryview of 4106 "
                r"bytes at 0x[0-9a-f]+ \(3 pages, the first and last in part: other memory lies "
                r"there too\)"
            ),
            r"2 pages written, at most 1 allowed .*: <lambda>, mmap of 32768 bytes .*",
            r"2 pages written, at most 1 allowed .*: data, mmap of .*",
            r"3 pages written, at most 1 allowed .*: data, mmap of .*",
        ]
    )


def test_growth_of_buffers_and_mappings(run_pytest: RunPytest, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("named.bin").write_bytes(bytes(64 << 12))
    result = run_pytest(
        """
        EMPTY = mmap.mmap(-1, 64 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

        with open("named.bin", "rb") as file:
            MAPPED = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE)

        @pytest.mark.limit_pages(grown=10, of=EMPTY)
        def test_as_many():
            write(EMPTY, range(10))

        @pytest.mark.limit_pages(grown=10, of=EMPTY)
        def test_more():
            write(EMPTY, range(10, 21))

        @pytest.mark.limit_pages(grown=0, of=EMPTY)
        def test_less():
            EMPTY.madvise(mmap.MADV_DONTNEED)

        @pytest.mark.limit_pages(grown=63, of="named.bin")
        def test_of_a_name():
            write(MAPPED, range(64))
        """,
    )
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.re_match_lines_random(
        [
            r"11 pages more than before, at most 10 allowed: mmap of 262144 bytes at .*",
            (
                r"64 pages more than before \(0 by an empty function\), at most 63 allowed: "
                r"mappings 'named.bin'"
            ),
        ]
    )


def test_of_the_whole_process_the_noise_is_told(
    need_own_tracking: None, run_pytest: RunPytest
) -> None:
    result = run_pytest(
        """
        @pytest.mark.limit_pages(written=5000, grown=5000)
        def test_little():
            pass

        @pytest.mark.limit_pages(written=5000, grown=5000)
        def test_much():
            global kept
            kept = memory(20000)
        """,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.re_match_lines_random(
        [
            (
                r"\d{5} pages written, \d{5} more than by an empty function \(\d+\), at most "
                r"5000 allowed \(by userfaultfd\): the process"
            ),
            (
                r"\d{5} pages more than before \(\d+ by an empty function\), at most 5000 "
                r"allowed: the process"
            ),
        ]
    )


def test_markers_that_cannot_be_understood(run_pytest: RunPytest) -> None:
    result = run_pytest(
        """
        limit = pytest.mark.limit_pages

        @limit(writen=3)
        def test_1(): pass

        @limit(grown="3")
        def test_2(): pass

        @limit(of="data")
        def test_3(data): pass

        @limit(grown=3, of="dats")
        def test_4(data): pass

        @limit(grown=3, of="libnone.so")
        def test_5(): pass

        @limit(grown=3, of=5)
        def test_6(): pass

        @limit(3)
        def test_7(): pass

        @limit(grown=-1)
        def test_8(): pass

        @limit(grown=1, of=b"")
        def test_9(): pass

        @limit(grown=1, of=(1, 2))
        def test_10(): pass

        @limit(grown=1, of="")
        def test_11(): pass

        @limit(grown=1, of=lambda: None)
        def test_12(): pass

        @limit(grown=1, of="nothing")
        def test_14(nothing): pass

        @pytest.fixture
        def nothing(): pass

        def test_13():
            with pagemap.assert_written((1, 2), at_most=1):
                pass
        """,
    )
    result.assert_outcomes(failed=14)
    result.stdout.re_match_lines_random(
        [
            "limit_pages: it takes written=, grown= and of=, each by its name, not writen",
            "limit_pages: grown must be an int, not '3'",
            "limit_pages: it limits nothing: give written= or grown=, in pages",
            r"limit_pages: of='dats' is no argument of this test; give one of them \(data\), .*",
            r"limit_pages: process \d+ has no mapping 'libnone.so': give a path of .*",
            "limit_pages: memory must be an object with the buffer protocol .*, not 5",
            "limit_pages: it takes written=, grown= and of=, each by its name, not 3",
            "limit_pages: grown must be from 0 to 4503599627370495, not -1",
            "limit_pages: the buffer is empty: it has no page",
            r"limit_pages: process \d+ has nothing mapped from 0x0 to 0x1000: .*",
            r"limit_pages: '' names no memory: mappings without a name are \[anon\]",
            "limit_pages: the function that of= gives returns None, .*",
            "limit_pages: of='nothing' of this test is None, and not the memory",
            r".*UsageError: process \d+ has nothing mapped from 0x0 to 0x1000: .*",
        ]
    )


UNHELD = """
@pytest.mark.limit_pages(written=3, of="data")
def test_passes(data):
    pass

@pytest.mark.limit_pages(written=3, of="data")
def test_fails_by_itself(data):
    assert not data

@pytest.mark.limit_pages(written=3, grown=3, of="data")
def test_what_can_be_held_is(data):
    data.madvise(mmap.MADV_DONTNEED)

def test_of_a_check(data):
    with pagemap.assert_written(data, at_most=3):
        pass

def test_of_the_fixture(data, pagemap_track):
    pagemap_track(data)

@pytest.mark.limit_pages(grown=3, of="data")
def test_needs_no_tracking(data):
    pass

@pytest.fixture
def add(request):
    request.node.add_marker(pytest.mark.limit_pages(written=3, of="data"))

def test_of_a_marker_that_a_fixture_adds(add, data):
    pass
"""


def test_without_tracking_a_limit_is_no_pass(no_tracking: None, run_pytest: RunPytest) -> None:
    result = run_pytest(UNHELD)
    result.assert_outcomes(passed=1, failed=1, skipped=5)
    result.stdout.fnmatch_lines(
        ["*SKIPPED*cannot be held here: this kernel cannot track writes*Linux 6.7*"]
    )


def test_without_tracking_it_fails_where_that_is_asked_for(
    no_tracking: None, run_pytest: RunPytest
) -> None:
    result = run_pytest(UNHELD, "--pagemap-strict")
    result.assert_outcomes(passed=1, failed=6)
    result.stdout.fnmatch_lines(["cannot be held here, and --pagemap-strict was given: this ker*"])
    result.stdout.no_fnmatch_line("*During handling of the above exception*")


def test_memory_that_is_tracked_already(need_own_tracking: None, run_pytest: RunPytest) -> None:
    """It is no skip: the test itself is in the way."""
    result = run_pytest(
        """
        @pytest.fixture
        def tracked(data):
            with pagemap.track(data):
                yield data

        @pytest.mark.limit_pages(written=3, of="tracked")
        def test_twice(tracked): pass
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["limit_pages: cannot track writes *another userfaultfd has *"])
    result.stdout.no_fnmatch_line("*limit_pages(written=) of this test*")


def test_memory_that_a_marker_tracks(need_own_tracking: None, run_pytest: RunPytest) -> None:
    """The error names the marker, and shows the test alone, without what pagemap did inside."""
    result = run_pytest(
        """
        limit = pytest.mark.limit_pages

        @limit(written=3, of="data")
        def test_check(data):
            with pagemap.assert_written(data, at_most=1): pass

        @limit(written=3, of="data")
        def test_fixture(data, pagemap_track):
            pagemap_track(data)

        @limit(written=3, of="data")
        @limit(written=3, of=lambda: DATA)
        def test_markers(data):
            pass

        DATA = memory(8)

        @pytest.fixture
        def data():
            return DATA

        def test_resident():
            pagemap.assert_resident("/nosuch")

        def test_range():
            with pagemap.assert_written((1, 2), at_most=1): pass
        """,
    )
    result.assert_outcomes(failed=5)
    said = result.stdout.str()
    named = "; limit_pages(written=) of this test tracks {}, mmap of 32768 bytes at"
    assert [said.count(named.format(each)) for each in ("data", "<lambda>")] == [2, 1]
    assert "pagemap/_" not in said


def test_every_kind_of_test_is_held(need_own_tracking: None, run_pytest: RunPytest) -> None:
    """Those of unittest are not called as functions are."""
    result = run_pytest(
        """
        import unittest
        DATA = memory(8)

        class Test(unittest.TestCase):
            @pytest.mark.limit_pages(written=1, of=DATA)
            def test_of_unittest(self):
                write(DATA, [1, 2])

        @pytest.mark.limit_pages(written=1, of=DATA)
        @pytest.mark.parametrize("pages", [[1], [1, 2]])
        def test_of_parameters(pages):
            write(DATA, pages)
        """,
    )
    result.assert_outcomes(passed=1, failed=2)
