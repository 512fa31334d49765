"""The plugin for pytest by what a kernel has to track writes: userfaultfd, or soft-dirty bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.plugin_runs import RunPytest
    from tests.vm.guest.conftest import Facts


def test_limits(facts: Facts, run_pytest: RunPytest) -> None:
    result = run_pytest(
        """
        @pytest.fixture
        def data():
            # shared memory: no neighbour is joined to it, and marked with it
            place = mmap.mmap(-1, 64 * PAGE)
            place[:] = bytes(len(place))
            yield place
            place.close()

        @pytest.mark.limit_pages(written=3, of="data")
        def test_as_many(data):
            write(data, [0, 7, 63])

        @pytest.mark.limit_pages(written=3, grown=0, of="data")
        def test_more(data):
            write(data, [0, 7, 8, 63])

        def test_a_check(data):
            with pagemap.assert_written(data, at_most=1):
                write(data, [5])

        def test_the_fixture(data, pagemap_track):
            tracker = pagemap_track(data)
            write(data, [5, 9])
            assert tracker.collect().total().pages == 2
        """
    )
    result.assert_outcomes(passed=3, failed=1)
    method = "userfaultfd" if facts.write_tracking else "soft-dirty"
    result.stdout.fnmatch_lines([f"4 pages written, at most 3 allowed (by {method}): data, mmap *"])
