"""Targets that cannot be made to call, or must not be: each refused with a reason, and unharmed."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
from errno import EBUSY, EMFILE, EPERM
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._kernel.injection import userfaultfd_in
from tests import build, calls
from tests.live.as_nobody import as_nobody, without_admin
from tests.live.test_injection import ROUNDS, inject, left_behind
from tests.target import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="needs x86-64")

# prctl, seccomp and their numbers: linux/prctl.h, linux/seccomp.h, linux/filter.h
FILTERED = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
number, otherwise = int(sys.argv[1]), int(sys.argv[2])
code = b"".join([
    struct.pack("=HBBI", 0x20, 0, 0, 0),          # load the number of the call
    struct.pack("=HBBI", 0x15, 0, 1, number),     # is it this one?
    struct.pack("=HBBI", 0x06, 0, 0, otherwise),  # then so
    struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000), # else it is allowed
])
kept = ctypes.create_string_buffer(code)
program = struct.pack("=HxxxxxxQ", 4, ctypes.addressof(kept))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0) == 0
print("ready", flush=True)
for line in sys.stdin:
    print("echo", line, end="", flush=True)
"""
USERFAULTFD, KILL, ERRNO = 323, 0x80000000, 0x00050000


@contextlib.contextmanager
def python(program: str, *arguments: str, **more: object) -> Iterator[subprocess.Popen[str]]:
    """A Python that runs `program`, has said that it is ready, and then repeats what it reads."""
    name = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
    process = subprocess.Popen(
        [name, "-I", "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **more,  # type: ignore[call-overload]
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def echoes(process: subprocess.Popen[str]) -> bool:
    """Whether it does what it is there for."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("one\n")
    process.stdin.flush()
    return process.stdout.readline() == "echo one\n"


def refused(pid: int) -> pagemap.PagemapError:
    """The error of an injection that must not succeed."""
    with pagemap.Process(pid) as process:
        with pytest.raises(pagemap.PagemapError) as caught:
            os.close(userfaultfd_in(process.folder))
        assert caught.value.pid == pid
        return caught.value


@pytest.mark.usefixtures("need_root")
@pytest.mark.parametrize("action", [KILL, ERRNO | EPERM], ids=["kill", "errno"])
def test_a_filter_that_kills_is_not_met(action: int) -> None:
    """Who may suspend it does; to others such a target is refused."""
    with python(FILTERED, str(USERFAULTFD), str(action)) as process:
        error = without_admin(lambda: refused(process.pid))
        assert isinstance(error, pagemap.AccessDenied)
        assert "seccomp" in str(error)
        assert "CAP_SYS_ADMIN" in str(error)
        with pagemap.Process(process.pid) as opened:
            inject(opened, 3)  # as root: suspended for us
        assert echoes(process)
        # and in force again
        assert "Seccomp:\t2\n" in Path(f"/proc/{process.pid}/status").read_text()


@pytest.mark.usefixtures("need_root")
def test_strict_seccomp_is_refused() -> None:
    with calls.running("strict") as caller:
        wait_until(lambda: "Seccomp:\t1\n" in status(caller.pid))
        assert "seccomp" in str(without_admin(lambda: refused(caller.pid)))
        with pagemap.Process(caller.pid) as process:
            inject(process, 3)  # suspended too
        assert caller.goes_on()
        assert caller.report().wrong == "right"


def status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


def test_a_full_table_of_descriptors() -> None:
    with calls.running("read") as caller:
        wait_until(lambda: caller.report().rounds > 0)
        resource.prlimit(caller.pid, resource.RLIMIT_NOFILE, (3, 3))
        error = refused(caller.pid)
        assert error.errno == EMFILE
        assert "RLIMIT_NOFILE" in str(error)
        assert caller.goes_on()
        assert caller.report().wrong == "right"


def test_one_that_handles_its_calls_itself() -> None:
    with calls.running("dispatch") as caller:
        assert caller.goes_on()
        error = refused(caller.pid)
        assert isinstance(error, pagemap.Unsupported)
        assert "Syscall User Dispatch" in str(error)
        assert caller.goes_on()
        assert caller.report().wrong == "right"


@pytest.mark.parametrize("left", [0, 1])
def test_no_descriptor_left_for_ours(left: int) -> None:
    """Whether it lacks before the call or after it: nothing is left in the target."""
    with calls.running("read") as caller, pagemap.Process(caller.pid) as process:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        # what is open now, the pidfd and the file of the status; and none for a userfaultfd
        most = max(map(int, os.listdir("/proc/self/fd"))) + 1
        hold = []
        try:
            with contextlib.suppress(OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (most + 2, before[1]))
                while True:
                    hold.append(os.dup(0))
            for _ in range(left):
                os.close(hold.pop())
            with pytest.raises(pagemap.PagemapError) as caught:
                os.close(userfaultfd_in(process.folder))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            for each in hold:
                os.close(each)
        assert caught.value.errno == EMFILE
        assert left_behind(caller.pid) == []
        assert caller.goes_on()


TRACER = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
assert libc.ptrace(0x4206, int(sys.argv[1]), 0, 0) == 0
print("ready", flush=True)
sys.stdin.read()
"""


def test_another_tracer_is_named() -> None:
    with calls.running("read") as caller:
        with python(TRACER, str(caller.pid)) as tracer:
            error = refused(caller.pid)
            assert error.errno == EBUSY
            assert f"process {tracer.pid} traces it already" in str(error)
        assert caller.goes_on()
        with pagemap.Process(caller.pid) as process:
            inject(process)


def test_a_stopped_target_stays_stopped() -> None:
    """By job control: another process may look at it meanwhile, and it goes on when it is told."""
    with calls.running("read") as caller, pagemap.Process(caller.pid) as process:
        wait_until(lambda: caller.report().rounds > 0)
        caller.stop()
        inject(process, 5)
        wait_until(lambda: "State:\tT (stopped)" in status(caller.pid))
        caller.resume()
        assert caller.goes_on()
        assert caller.report().wrong == "right"
        assert left_behind(caller.pid) == []


def test_one_that_waits_for_its_child_of_vfork() -> None:
    with calls.running("vfork") as caller:
        wait_until(lambda: "State:\tD" in status(caller.pid))
        error = refused(caller.pid)
        assert error.errno == EBUSY
        assert "vfork" in str(error)
        assert caller.report() == (1, 0, "right")


def test_one_that_is_stopped_and_continued_all_the_time() -> None:
    """By somebody else: no stop of his is taken for ours, and it is right in the end."""
    with calls.running("read") as caller, pagemap.Process(caller.pid) as process:
        over = threading.Event()

        def disturb() -> None:
            while not over.wait(0.0002):
                os.kill(caller.pid, signal.SIGSTOP)
                os.kill(caller.pid, signal.SIGCONT)

        other = threading.Thread(target=disturb)
        other.start()
        try:
            inject(process, ROUNDS)
        finally:
            over.set()
            other.join()
        assert caller.goes_on()
        assert caller.report().wrong == "right"
        assert left_behind(caller.pid) == []


@pytest.fixture
def frozen() -> Iterator[Path]:
    """A cgroup that can be frozen."""
    mounts = [line.split(" ") for line in Path("/proc/self/mounts").read_text().splitlines()]
    root = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
    if root is None:
        pytest.skip("no cgroup2 file system is mounted")
    folder = root / f"pagemap-test-frozen-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"cannot make a cgroup: {error.strerror}")
    try:
        yield folder
    finally:
        (folder / "cgroup.freeze").write_text("0")
        wait_until(lambda: not (folder / "cgroup.procs").read_text())
        folder.rmdir()


def test_a_frozen_target_is_left_frozen(frozen: Path) -> None:
    with calls.running("read") as caller:
        (frozen / "cgroup.procs").write_text(str(caller.pid))
        (frozen / "cgroup.freeze").write_text("1")
        wait_until(lambda: "frozen 1" in (frozen / "cgroup.events").read_text())
        error = refused(caller.pid)
        assert error.errno == EBUSY
        assert "frozen" in str(error)
        (frozen / "cgroup.freeze").write_text("0")
        assert caller.goes_on()
        assert caller.report().wrong == "right"
        assert left_behind(caller.pid) == []


def test_code_of_32_bits(tmp_path: Path) -> None:
    source = tmp_path / "pause.c"
    source.write_text(
        '__asm__(".globl _start\\n_start: mov $29, %eax\\nint $0x80\\njmp _start");\n'
    )
    program = tmp_path / "pause"
    command: list[str | Path] = [
        build.compiler(),
        "-m32",
        "-nostdlib",
        "-static",
        "-o",
        program,
        source,
    ]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("the compiler makes no code for 32 bits")
    try:
        process = subprocess.Popen([program])
    except OSError as error:
        pytest.skip(f"this kernel runs no code of 32 bits: {error.strerror}")
    try:
        wait_until(lambda: "State:\tS" in status(process.pid))
        assert isinstance(refused(process.pid), pagemap.Unsupported)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("need_root")
def test_nobody_may_do_it_to_his_own() -> None:
    def own() -> bool:
        # what nobody can run for certain
        with subprocess.Popen(
            ["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                with pagemap.Process(process.pid) as opened:
                    inject(opened, 5)
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write("one\n")
                process.stdin.flush()
                return process.stdout.readline() == "one\n"
            finally:
                process.kill()

    yama = Path("/proc/sys/kernel/yama/ptrace_scope")
    if yama.exists() and yama.read_text() != "0\n":
        with pytest.raises(pagemap.AccessDenied, match="ptrace_scope"):
            as_nobody(own)
    else:
        assert as_nobody(own)


@pytest.mark.usefixtures("need_root")
def test_one_that_may_not_be_traced() -> None:
    """Of another user, or not dumpable, as what runs setuid: also if it became so just now."""
    hidden = (
        "import ctypes, sys\nprint('ready', flush=True)\nsys.stdin.readline()\n"
        "ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\nprint('echo one', flush=True)\nsys.stdin.read()"
    )

    def own() -> bool:
        with python(hidden) as process, pagemap.Process(process.pid) as opened:
            assert echoes(process)
            with pytest.raises(pagemap.AccessDenied):
                os.close(userfaultfd_in(opened.folder))
            return process.poll() is None

    assert as_nobody(own)


def test_one_that_calls_exec_all_the_time(tmp_path: Path) -> None:
    """Each injection is of one of its programs, or says that it is gone; and it goes on."""
    script = tmp_path / "again"
    script.write_text('#!/bin/sh\necho >>"$1"\nexec "$0" "$1"\n')
    script.chmod(0o700)
    count = tmp_path / "count"
    process = subprocess.Popen([script, count])
    try:
        wait_until(lambda: count.exists() and count.stat().st_size > 10)
        for _ in range(20):
            gone = contextlib.suppress(pagemap.TargetVanished, pagemap.NoSuchProcess)
            with gone, pagemap.Process(process.pid) as opened:
                inject(opened)
        before = count.stat().st_size
        wait_until(lambda: count.stat().st_size > before)
        assert process.poll() is None
        assert left_behind(process.pid) == []
    finally:
        process.kill()
        process.wait()


def test_one_that_forks_all_the_time(tmp_path: Path) -> None:
    count = tmp_path / "count"
    process = subprocess.Popen(["/bin/sh", "-c", 'while :; do (echo) >>"$0"; done', count])
    try:
        wait_until(lambda: count.exists() and count.stat().st_size > 10)
        with pagemap.Process(process.pid) as opened:
            inject(opened, 20)
        before = count.stat().st_size
        wait_until(lambda: count.stat().st_size > before)
        assert left_behind(process.pid) == []
    finally:
        process.kill()
        process.wait()
