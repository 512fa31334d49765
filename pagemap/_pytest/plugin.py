"""The plugin that pytest loads: its options, its marker, its fixture; what they do is elsewhere.

It is loaded in every run of pytest where pagemap is installed, so it imports nothing. The hook
around a test looks at its markers each time, for fixtures may add some.

PYTEST_DONT_REWRITE: there is no assert here.
"""

from __future__ import annotations

import sys

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from pagemap._pytest.fixture import Tracking

__all__ = [
    "cannot_hold",
    "pagemap_track",
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_call",
    "pytest_unconfigure",
]

MARKER = (
    "limit_pages(written=None, grown=None, of=None): the test writes at most so many pages, or "
    "ends with at most so many more; of a buffer, a fixture's value, or mappings by name, else of "
    "the whole process"
)

_running: list[pytest.Config] = []  # the innermost last: tests of plugins run pytest in a test


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    _leave_our_modules_alone()
    group = parser.getgroup("pagemap")
    group.addoption(
        "--pagemap",
        action="store_true",
        help="list the tests that took most memory; each has its figures as user properties",
    )
    group.addoption(
        "--pagemap-strict",
        action="store_true",
        help="fail, instead of skip, where a limit on memory cannot be held on this machine",
    )


def _leave_our_modules_alone() -> None:
    """Have the rest of this package imported as Python does it.

    Pytest takes all that was installed along with an entry point for plugins, and rewrites their
    asserts: it would compile each module anew, into one more file that no uninstall removes. There
    is no public way out of that; where the private one is gone, imports are slower, and no more.
    """
    for finder in sys.meta_path:
        marked = getattr(finder, "_must_rewrite", None)
        if isinstance(marked, set):
            marked.discard("pagemap")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the summary where it is asked for."""
    config.addinivalue_line("markers", MARKER)
    _running.append(config)
    if config.getoption("pagemap"):
        from pagemap._pytest.summary import Heaviest

        config.pluginmanager.register(Heaviest(), "pagemap-heaviest")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Forget this run."""
    if config in _running:
        _running.remove(config)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Hold a test to its limits. Last: nothing but the test is between the two looks."""
    if item.get_closest_marker("limit_pages") is None:
        return (yield)
    from pagemap._pytest.limits import held

    return (yield from held(item))


@pytest.fixture
def pagemap_track() -> Generator[Tracking, None, None]:
    """Track which pages the test writes: ``pagemap_track(buffer)`` gives a `pagemap.Tracker`.

    It takes what `pagemap.track` takes; the tracking ends with the test. Where this kernel cannot
    track writes, the test is skipped, or fails with --pagemap-strict.
    """
    from pagemap._pytest.fixture import Tracking

    tracking = Tracking()
    yield tracking
    tracking.close()


def cannot_hold(reason: str) -> None:
    """Skip the test that runs, or have it fail if that was asked for; return where none runs."""
    __tracebackhide__ = True
    if not _running:
        return
    if _running[-1].getoption("pagemap_strict"):
        strict = f"cannot be held here, and --pagemap-strict was given: {reason}"
        raise pytest.fail.Exception(strict, pytrace=False) from None  # nor how that was found
    raise pytest.skip.Exception(f"cannot be held here: {reason}") from None
