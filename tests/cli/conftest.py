"""Run the whole command and look at all of what it says."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests import everyone, oracle, workloads
from tests.cli.ready import STARTS, Ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.conftest import Start

NO_SOFT_DIRTY = (
    "pagemap: soft-dirty is 0 for every page: this kernel does not tell which pages are "
    "soft-dirty; Linux 3.11 with CONFIG_MEM_SOFT_DIRTY does"
)


def without_remarks(said: list[str]) -> list[str]:
    """The lines of standard error but for what is hidden, not told, not shared, or estimated."""
    remarks = (
        "PFNs of process",
        "PFNs are not compared",
        "of one process alone nothing is shared",
        "pagemap: method ",
        " is changed: one of its threads",
        "pagemap: estimated, because cannot read ",
        "all memory of this machine is on one NUMA node",
        "processes of other PID namespaces cannot be seen from this one",
    )
    return [
        line
        for line in said
        if line != NO_SOFT_DIRTY and not any(remark in line for remark in remarks)
    ]


HEADER = b"addr pfn soft-dirty file/shared swapped present library\n"
CSV_HEADER = b",".join(name.encode() for name in oracle.COLUMNS) + b"\n"

# The terminal of whoever runs the tests must not show in what they see.
PLAIN = ("COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "LANGUAGE")


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """That of a command: this process's, but for its terminal, and with these besides."""
    rest = {name: value for name, value in os.environ.items() if name not in PLAIN}
    return {**rest, "LC_ALL": "C.UTF-8", **(more or {})}


class Result(NamedTuple):
    """How a command ended: its exit code, what it wrote to stdout, and the lines on stderr."""

    code: int
    out: bytes
    err: list[str]


BELIEVING = (
    "import sys, pagemap._cli, pagemap._kernel.cgroup_members as members; "
    "members.kind_of = lambda fd: 'cgroup2'; sys.exit(pagemap._cli.main(sys.argv[1:]))"
)
"""What takes a folder of any file system for a cgroup's, so that it can list who is gone."""


class Pagemap:
    """Starts the command under test, as this user or as another."""

    def __init__(
        self,
        command: list[str],
        user: int | None = None,
        group: int | None = None,
        ready: StandsReady | None = None,
    ) -> None:
        self.command = command
        self.user = user
        self.group = group
        self.ready = ready

    def __call__(self, *arguments: str | int | bytes, stdin: bytes = b"") -> Result:
        """Run to the end, in a Python that stands ready where there is one."""
        if self.ready is None:
            return self.anew(*arguments, stdin=stdin)
        words = [
            os.fsencode(str(each)) if isinstance(each, (str, int)) else each for each in arguments
        ]
        code, out, err = self.ready(arrow=b"arrow" in words).run(words, environment(), stdin)
        return Result(code, out, err.decode().splitlines())

    def on(self, terminal: int, *arguments: str | int, env: Mapping[str, str]) -> Result:
        """Run to the end, with that terminal as stdout."""
        if self.ready is None:
            process = self.start(*arguments, stdout=terminal, env=env)
            err = process.communicate(timeout=120)[1]
            return Result(process.returncode, b"", err.decode().splitlines())
        words = [os.fsencode(str(each)) for each in arguments]
        code, out, err = self.ready(arrow=False).run(words, environment(env), b"", terminal)
        return Result(code, out, err.decode().splitlines())

    def anew(self, *arguments: str | int | bytes, stdin: bytes = b"") -> Result:
        """Run to the end, in a Python that is started for it."""
        process = self.start(*arguments, stdin=subprocess.PIPE)
        out, err = process.communicate(stdin, timeout=120)
        return Result(process.returncode, out, err.decode().splitlines())

    def start(
        self,
        *arguments: str | int | bytes,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        prefix: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start it; `prefix` is a command that will run it, `env` is set beside this process's."""
        words = [each if isinstance(each, bytes) else str(each) for each in arguments]
        return subprocess.Popen(
            [*prefix, *self.command, *words],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=environment(env),
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
        )


class StandsReady:
    """Pythons that stand ready, started when they are asked for."""

    def __init__(self) -> None:
        self._found: dict[bool, Ready] = {}

    def __call__(self, *, arrow: bool) -> Ready:
        """The one that has imported pyarrow, or not."""
        if arrow not in self._found:
            self._found[arrow] = Ready(arrow=arrow)
        return self._found[arrow]

    def close(self) -> None:
        """End them."""
        for each in self._found.values():
            each.close()


@pytest.fixture(scope="session")
def stands_ready() -> Iterator[StandsReady | None]:
    """What runs commands without a start of Python; None where each is to be started."""
    if STARTS:
        yield None
        return
    with contextlib.closing(StandsReady()) as found:
        yield found


@pytest.fixture
def pagemap(command: list[str], stands_ready: StandsReady | None) -> Pagemap:
    """The command, run as this user."""
    return Pagemap(command, ready=stands_ready)


def _kernel_scans() -> bool:
    pagemap_scan = 0xC0606610  # _IOWR('f', 16, struct pm_scan_arg), of 96 bytes
    fd = os.open("/proc/self/pagemap", os.O_RDONLY)
    try:
        fcntl.ioctl(fd, pagemap_scan, 0)
    except OSError as error:
        # EFAULT: it would have read the argument
        return error.errno != errno.ENOTTY
    finally:
        os.close(fd)
    return True


@pytest.fixture(params=["with PAGEMAP_SCAN", "without"])
def can_scan(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run the test both ways; whether this one may use PAGEMAP_SCAN, found by an ioctl of ours."""
    if request.param == "without":
        monkeypatch.setenv("PAGEMAP_DISABLE", "scan")
        return False
    monkeypatch.delenv("PAGEMAP_DISABLE", raising=False)
    if not _kernel_scans():
        pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")
    return True


@pytest.fixture
def pagemap_as_nobody(
    command: list[str],
    need_root: None,
) -> Pagemap:
    """The command, run as a user without rights."""
    user = pwd.getpwnam("nobody")
    # Root's own folders may be open to root's group alone.
    for group in (user.pw_gid, os.getgid()):
        pagemap = Pagemap(command, user.pw_uid, group)
        try:
            if pagemap("--version").code == 0:
                return pagemap
        except PermissionError:
            continue
    pytest.skip("user nobody may not read this Python or pagemap: their folder is private")


@pytest.fixture
def unprivileged(request: pytest.FixtureRequest, pfns_visible: bool) -> Pagemap:
    """The command, run by somebody to whom the kernel shows no PFNs."""
    name = "pagemap_as_nobody" if pfns_visible else "pagemap"
    result: Pagemap = request.getfixturevalue(name)
    return result


@pytest.fixture
def hidden_line(pfns_visible: bool) -> Callable[[int], list[str]]:
    """What stands on stderr, besides, when a text dump of this pid leaves something out."""

    def lines(pid: int) -> list[str]:
        said = []
        if not pfns_visible:
            said.append(
                f"pagemap: PFNs of process {pid} are left out: the kernel hides them without "
                "CAP_SYS_ADMIN (in the initial user namespace); run with sudo"
            )
        if "soft_dirty" not in oracle.told_here():
            said.append(NO_SOFT_DIRTY)
        return said

    return lines


@pytest.fixture(scope="session")
def unused_pid() -> int:
    """A pid that no process can have: the kernel gives none from pid_max on."""
    return int(Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii"))


@pytest.fixture
def kernel_thread(need_root: None) -> int:
    """The pid of a kernel thread."""
    pid = 2
    status = Path(f"/proc/{pid}/stat")
    # Its parent is pid 0, which only the first process and the first kernel thread have.
    if not status.exists() or status.read_text().rpartition(")")[2].split()[1] != "0":
        pytest.skip("no kernel threads are to be seen in this PID namespace")
    return pid


@pytest.fixture
def zombie(start: Start) -> int:
    """The pid of a process that has ended and is not waited for."""
    pid = start(workloads.idle()).ask("z")
    status = Path(f"/proc/{pid}/stat")
    workloads.wait_until(lambda: status.read_text().rpartition(")")[2].split()[0] == "Z")
    return pid


@pytest.fixture
def namesakes(tmp_path: Path) -> Iterator[list[int]]:
    """Three processes with a name that no process of another test has."""
    program = shutil.copy("/bin/sleep", tmp_path / f"alike-{os.getpid()}")
    with contextlib.ExitStack() as stack:
        several = [stack.enter_context(subprocess.Popen([program, "600"])) for _ in range(3)]
        for each in several:
            stack.callback(each.kill)
            everyone.wait_asleep(each.pid)
        yield [each.pid for each in several]
