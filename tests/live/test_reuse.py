"""A number that was resolved, and that another process has by the time it is opened."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

import pagemap
from pagemap._cli import targets
from pagemap._kernel import cgroup_members as members
from pagemap._space.every_space import Spaces
from tests import oracle, workloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Start

PAGE = oracle.PAGE
TICK = 1 / os.sysconf("SC_CLK_TCK")


def reused(start: Start, target: workloads.Target) -> workloads.Target:
    """Another process, of the same program, that has the number of `target`, which is gone."""
    time.sleep(2 * TICK)  # the kernel tells when a process began in ticks
    for _ in range(50):
        target.kill()
        try:
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(target.pid - 1))
        except OSError as error:
            pytest.skip(f"cannot steer pids: ns_last_pid: {error.strerror}")
        other = start(workloads.dense(16 * PAGE))
        if other.pid == target.pid:
            return other
        other.kill()
    pytest.skip("the kernel never gave the pid again")


class Others(set[int]):
    """All pids but one: other tests run the same program."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid

    def __contains__(self, pid: object) -> bool:
        return pid != self._pid


def program(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/exe")


@pytest.mark.usefixtures("need_root")
@pytest.mark.parametrize("by", ["name", "path", "find", "pid file", "cgroup"])
def test_a_number_that_is_another_process_s_by_now(
    start: Start, tmp_path: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pages were shown as if they were of the process that was named, with exit code 0."""
    monkeypatch.setattr(members, "kind_of", lambda _: "cgroup2")
    target = start(workloads.dense(16 * PAGE))
    path = program(target.pid)
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{target.pid}\n")
    (tmp_path / "cgroup.procs").write_text(f"{target.pid}\n")
    resolve: dict[str, Callable[[], int]] = {
        "name": lambda: targets.one(os.path.basename(path), exclude=Others(target.pid)),
        "path": lambda: targets.one(path, exclude=Others(target.pid)),
        "find": lambda: next(each for each in pagemap.find(path) if each == target.pid),
        "pid file": lambda: targets.one(f"@{pid_file}"),
        "cgroup": lambda: members.pids_of(str(tmp_path))[0],
    }
    pid = resolve[by]()
    assert pid == target.pid
    pagemap.Process(pid).close()  # this is the one
    time.sleep(0.2)  # the pid file is as old as it is to a daemon that was restarted
    other = reused(start, target)
    with pytest.raises(pagemap.NoSuchProcess, match=r"not the one|began .* after the pid file"):
        pagemap.Process(pid)
    with pytest.raises(pagemap.NoSuchProcess):
        pagemap.Sampler(pid)
    table = pagemap.footprints([pid])
    left_out: Any = table.about["left_out"]
    assert (len(table), [each["pid"] for each in left_out]) == (0, [pid])
    with pagemap.Process(other.pid) as process:  # a bare number is what it is
        assert process.pages((other.first.start, other.first.end)).count("present") == 16


@pytest.mark.usefixtures("need_root", "need_pfns")
def test_sharers_are_not_handed_on_to_another(start: Start) -> None:
    """`who` said of a process that it shared its memory with those of the number's old owner."""
    target = start(workloads.dense(16 * PAGE))
    child = target.ask("v")  # of vfork: one address space, two processes
    text = next(m for m in oracle.maps(target.pid) if m.path == program(target.pid))
    entry = oracle.entries(target.pid, text.start, text.start + PAGE)[0]
    frame = oracle.pfn(entry)
    assert frame is not None
    others: list[int] = []
    go_through = Spaces.go_through

    def after_reuse(spaces: Spaces, *args: Any, **rest: Any) -> Any:
        assert spaces.sharers.get(target.pid) == [child]
        os.kill(child, 9)
        others.append(reused(start, target).pid)
        return go_through(spaces, *args, **rest)

    with mock.patch.object(Spaces, "go_through", after_reuse):
        table = pagemap.owners([frame])
    about: Any = table.about
    assert all(not row.sharers for row in table if row.pid in others)
    assert others[0] in {each["pid"] for each in about["left_out"]}


def test_a_found_number_is_a_number(start: Start) -> None:
    """It can be pickled, counted with and written; and then it is no more than a number."""
    target = start(workloads.dense(16 * PAGE))
    found = pagemap.find(program(target.pid))
    assert pickle.loads(pickle.dumps(found)) == found
    assert type(pickle.loads(pickle.dumps(found))[0]) is int
    assert f"{found[found.index(target.pid)]}" == repr(target.pid) == str(target.pid)


@contextlib.contextmanager
def running(path: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([*command, str(path), "60"])
    try:
        comm = Path(f"/proc/{process.pid}/comm")
        workloads.wait_until(lambda: bool(comm.read_text().strip()))
        yield process
    finally:
        process.kill()
        process.wait()


def until_it_runs(process: subprocess.Popen[bytes], name: str) -> None:
    workloads.wait_until(
        lambda: os.path.basename(os.readlink(f"/proc/{process.pid}/exe")).startswith(name)
    )


@pytest.mark.usefixtures("need_root")
def test_a_path_in_another_mount_namespace(tmp_path: Path) -> None:
    """Whoever has a mount namespace of his own could be taken for any program, by its path."""
    sleep = shutil.which("sleep")
    unshare = shutil.which("unshare")
    if not sleep or not unshare:
        pytest.skip("needs sleep and unshare")
    real, his = tmp_path / "daemon", tmp_path / "his"
    shutil.copy(sleep, real)
    shutil.copy(sleep, his)
    script = f"mount --bind '{his}' '{real}' && exec '{real}' 60"
    impostor = subprocess.Popen([unshare, "-m", "sh", "-c", script])
    try:
        try:
            until_it_runs(impostor, "daemon")
        except (FileNotFoundError, TimeoutError):  # it ended
            pytest.skip("cannot make a mount namespace")
        assert os.readlink(f"/proc/{impostor.pid}/exe") == str(real)
        assert pagemap.find(str(real)) == []
        with running(real) as genuine:
            until_it_runs(genuine, "daemon")
            assert pagemap.find(str(real)) == [genuine.pid]
        assert pagemap.find(str(his)) == [impostor.pid]  # that is what it runs
    finally:
        impostor.kill()
        impostor.wait()


def test_an_executable_that_was_replaced(tmp_path: Path) -> None:
    """It has no path any more; the one that it had counts where its owner could have had it."""
    sleep = shutil.which("sleep")
    if not sleep:
        pytest.skip("needs sleep")
    path = tmp_path / "daemon"
    shutil.copy(sleep, path)
    with running(path) as old:
        until_it_runs(old, "daemon")
        path.unlink()
        assert pagemap.find(str(path)) == [old.pid]
        shutil.copy(sleep, path)
        with running(path) as new:
            until_it_runs(new, "daemon")
            assert pagemap.find(str(path)) == sorted([old.pid, new.pid])
            if os.geteuid() == 0:
                path.unlink()  # its text stays busy
                shutil.copy(sleep, path)
                os.chown(f"/proc/{old.pid}/exe", 12345, 12345)
                assert old.pid not in pagemap.find(str(path))


@pytest.mark.usefixtures("need_root")
@pytest.mark.parametrize("gone", [False, True])
def test_a_file_that_is_only_called_deleted(tmp_path: Path, gone: bool) -> None:
    """Whoever mounts root's file as "x (deleted)", or a deleted one as x, was taken for x."""
    sleep = shutil.which("sleep")
    unshare = shutil.which("unshare")
    if not sleep or not unshare:
        pytest.skip("needs sleep and unshare")
    real, his = tmp_path / "daemon", tmp_path / "his"
    shutil.copy(sleep, real)
    shutil.copy(sleep, his)
    if gone:
        script = f"mount --bind '{his}' '{real}' && rm '{his}' && exec '{real}' 60"
    else:
        place = f"{real} (deleted)"
        script = f"touch '{place}'; mount --bind '{his}' '{place}' && exec '{place}' 60"
    impostor = subprocess.Popen([unshare, "-m", "sh", "-c", script])
    try:
        try:
            until_it_runs(impostor, "daemon")
        except (AssertionError, FileNotFoundError):
            pytest.skip("cannot make a mount namespace")
        assert os.readlink(f"/proc/{impostor.pid}/exe") == f"{real} (deleted)"
        assert pagemap.find(str(real)) == []
    finally:
        impostor.kill()
        impostor.wait()


@pytest.mark.usefixtures("need_root")
def test_a_deleted_file_that_was_handed_on(tmp_path: Path) -> None:
    """Run from a descriptor: the process is of our mount namespace, the mount of another."""
    tools = [shutil.which(name) for name in ("sleep", "unshare", "nsenter")]
    sleep, unshare, nsenter = tools
    if not sleep or not unshare or not nsenter:
        pytest.skip("needs sleep, unshare and nsenter")
    real, his = tmp_path / "daemon", tmp_path / "his"
    shutil.copy(sleep, real)
    shutil.copy(sleep, his)
    ours = f"/proc/{os.getpid()}/ns/mnt"
    script = (
        f"mount --bind '{his}' '{real}' && rm '{his}'; {sleep} 60 & "  # which keeps the namespace
        f"exec 3<{real}; exec {nsenter} --mount={ours} /proc/self/fd/3 60"
    )
    impostor = subprocess.Popen([unshare, "-m", "sh", "-c", script], start_new_session=True)
    try:
        try:
            until_it_runs(impostor, "daemon")
        except (AssertionError, FileNotFoundError):
            pytest.skip("cannot make a mount namespace")
        assert os.readlink(f"/proc/{impostor.pid}/exe") == f"{real} (deleted)"
        assert os.readlink(f"/proc/{impostor.pid}/ns/mnt") == os.readlink(ours)
        assert pagemap.find(str(real)) == []
    finally:
        os.killpg(impostor.pid, 9)
        impostor.wait()


@pytest.mark.usefixtures("need_root")
def test_a_pid_file_of_another_user_s(start: Start, tmp_path: Path) -> None:
    """Whoever may write a pid file could have any process of others taken for his daemon."""
    target = start(workloads.dense(16 * PAGE))
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{target.pid}\n")
    os.chown(pid_file, 12345, 12345)
    pid = targets.one(f"@{pid_file}")
    with pytest.raises(pagemap.UsageError, match=r"belongs to user 12345, and process .* does not"):
        pagemap.Process(pid)
    with subprocess.Popen(["sleep", "60"], user=12345) as his:
        pid_file.write_text(f"{his.pid}\n")
        try:
            with pagemap.Process(targets.one(f"@{pid_file}")) as process:
                assert process.pid == his.pid
        except pagemap.AccessDenied:
            pytest.skip("needs CAP_SYS_PTRACE, to read another user's process")
        finally:
            his.kill()
    pid_file.write_text(f"{target.pid}\n")
    os.chown(pid_file, 0, 0)
    pid_file.chmod(0o666)
    with pytest.raises(pagemap.UsageError, match="everybody may write"):
        targets.one(f"@{pid_file}")


@pytest.mark.usefixtures("need_root")
def test_the_command_says_so(start: Start, tmp_path: Path) -> None:
    """The race itself cannot be timed from outside; an old pid file can be made."""
    target = start(workloads.dense(16 * PAGE))
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{target.pid}\n")
    os.utime(pid_file, (time.time() - 3600,) * 2)
    done = subprocess.run(
        [sys.executable, "-m", "pagemap", "maps", f"@{pid_file}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (66, "")
    assert "has gone to another process since" in done.stderr


def test_a_number_under_watch_is_no_other_process_later(start: Start, need_root: None) -> None:
    """`maps PID --watch` went on with whoever had the number next."""
    target = start(workloads.dense(16 * PAGE))
    words = ["maps", str(target.pid), "--watch", "0.2", "--columns", "start", "--csv"]
    command = [sys.executable, "-m", "pagemap", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline()
        other = reused(start, target)
        out, said = watching.communicate(timeout=60)
    assert watching.returncode == 75, said
    theirs = {f"{line.start:#x}".encode() for line in oracle.maps(other.pid)}
    assert not theirs & set(out.split()[-3:]), "rows of the next process"
