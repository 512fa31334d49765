"""What all tests share: how Hypothesis runs, and processes that end with the test."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings

from tests import oracle, userfault, workloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.plugin_runs import RunPytest

    Start = Callable[[AbstractContextManager[workloads.Target]], workloads.Target]

# What a developer's shell or a container may have set, and few users have: the commands that tests
# start are as theirs, which keep what they write until a buffer is full.
os.environ.pop("PYTHONUNBUFFERED", None)

pytest_plugins = ["pytester"]  # runs pytest within a test

# No deadlines: a test must not fail because the machine is busy. No database: the source tree may
# not be ours to write, and a failure prints what reproduces it.
EXAMPLES = int(os.environ.get("PAGEMAP_EXAMPLES", "60"))
settings.register_profile(
    "dev", max_examples=EXAMPLES, deadline=None, print_blob=True, database=None
)
settings.register_profile("ci", parent=settings.get_profile("dev"), derandomize=True)
# On an emulated processor an example takes seconds, and to find a smaller one tries hundreds.
settings.register_profile("vm", parent=settings.get_profile("ci"), phases=[Phase.generate])
_profile = "ci" if os.environ.get("PAGEMAP_CI") else "dev"
settings.load_profile("vm" if "PAGEMAP_VM_SERIES" in os.environ else _profile)


@pytest.fixture(scope="session", autouse=True)
def _usual_signals() -> None:
    """As in a terminal: what nohup, or a shell in the background, has had ignored is inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a target that is killed at the end of the test; skip where it cannot be made."""
    with contextlib.ExitStack() as stack:

        def enter(kind: AbstractContextManager[workloads.Target]) -> workloads.Target:
            try:
                return stack.enter_context(kind)
            except workloads.Unavailable as reason:
                pytest.skip(str(reason))

        yield enter


@pytest.fixture(scope="session")
def pfns_visible() -> bool:
    """Whether the kernel shows PFNs to this user, found without the code under test."""
    return oracle.pfns_visible()


@pytest.fixture
def need_pfns(pfns_visible: bool) -> None:
    """Skip where the kernel hides PFNs."""
    if not pfns_visible:
        pytest.skip("PFNs are hidden: needs CAP_SYS_ADMIN in the initial user namespace")


@pytest.fixture
def need_frames(need_pfns: None) -> None:
    """Skip where the files about frames may not be read, or the kernel hides which are whose."""
    if not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH")


@pytest.fixture
def need_root() -> None:
    """Skip for users who may not change who they are."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user or to steer pids")
    with open("/proc/self/uid_map", encoding="ascii") as file:
        if sum(int(line.split()[2]) for line in file) < 1 << 16:
            pytest.skip("needs a root that may become others: this user namespace has none")


@pytest.fixture(scope="session")
def need_own_tracking() -> None:
    """Skip where this process cannot track its own writes by userfaultfd."""
    try:
        userfault.need_tracking()
    except workloads.Unavailable as reason:
        pytest.skip(f"needs write tracking by userfaultfd (Linux 6.7): {reason}")


@pytest.fixture(scope="session")
def command() -> list[str]:
    """The start of a command line that runs pagemap, warnings as errors like here."""
    return [sys.executable, "-W", "error", "-m", "pagemap"]


@pytest.fixture
def run_pytest(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> RunPytest:
    """Run tests with our plugin, in this process."""
    from tests import plugin_runs

    return plugin_runs.runner(pytester, monkeypatch)
