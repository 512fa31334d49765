"""Finding processes by name, in a /proc made for the test."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._cli import targets
from pagemap._errors import NoSuchProcess, PagemapError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


class FakeProc:
    """A directory that looks like /proc to whoever searches it for processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sys").mkdir(parents=True)
        (root / "uptime").write_text("1.00 1.00\n")
        (root / "self").symlink_to("77")

    def add(
        self, pid: int, comm: bytes, exe: str = "", argv: tuple[bytes, ...] = (), state: str = "S"
    ) -> None:
        """Add a process; without `exe` its executable cannot be told."""
        process = self.root / str(pid)
        process.mkdir()
        (process / "comm").write_bytes(comm + b"\n")
        (process / "cmdline").write_bytes(b"".join(word + b"\0" for word in argv))
        (process / "stat").write_bytes(b"%d (%b) %b 1 1 1 0\n" % (pid, comm, state.encode()))
        if exe:
            (process / "exe").symlink_to(exe)

    def find(self, name: str) -> list[int]:
        return pagemap.find(name, procfs=str(self.root))

    def resolve(self, text: str, exclude: tuple[int, ...] = ()) -> int:
        return targets.one(text, procfs=str(self.root), exclude=exclude)


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path / "proc")


def test_by_command_name_in_ascending_order(proc: FakeProc) -> None:
    proc.add(100, b"nginx", "/usr/sbin/nginx")
    proc.add(20, b"nginx", "/usr/sbin/nginx")
    proc.add(3, b"nginxx", "/usr/sbin/nginxx")
    assert proc.find("nginx") == [20, 100]


def test_by_executable_when_the_command_name_is_another(proc: FakeProc) -> None:
    proc.add(5, b"Web Content", "/usr/lib/firefox/firefox")
    assert proc.find("firefox") == [5]
    assert proc.find("Web Content") == [5]


def test_by_whole_path_when_there_is_a_slash(proc: FakeProc) -> None:
    for pid, folder in ((5, proc.root / "one"), (6, proc.root / "two")):
        folder.mkdir()
        (folder / "tool").write_bytes(b"")
        proc.add(pid, b"tool", f"{folder}/tool")
    assert proc.find(f"{proc.root}/two/tool") == [6]
    assert proc.find("tool") == [5, 6]
    assert proc.find("two/tool") == []


def test_by_a_path_that_is_a_symbolic_link(proc: FakeProc, tmp_path: Path) -> None:
    program = tmp_path / "program-1.2"
    program.write_bytes(b"")
    (tmp_path / "program").symlink_to(program)
    proc.add(5, b"program", os.path.realpath(program))
    assert proc.find(str(tmp_path / "program")) == [5]


def test_a_kernel_thread_whose_name_has_a_slash(proc: FakeProc) -> None:
    proc.add(5, b"kworker/0:1")
    assert proc.find("kworker/0:1") == [5]
    assert proc.find("0:1") == []


def test_a_name_that_looks_like_the_path_of_another(proc: FakeProc) -> None:
    """Any process may call itself so; the executable is what the kernel says."""
    proc.add(5, b"/usr/sbin/sshd", "/tmp/impostor")
    assert proc.find("/usr/sbin/sshd") == []


def test_a_deleted_executable_keeps_its_name(proc: FakeProc) -> None:
    daemon = proc.root / "daemon"
    (proc.root / "daemon (deleted)").write_bytes(b"")
    proc.add(5, b"main", f"{daemon} (deleted)")
    assert proc.find("daemon") == [5]
    assert proc.find(str(daemon)) == []  # that file is there, and is only called so


def test_a_name_longer_than_the_kernel_keeps(proc: FakeProc) -> None:
    """systemd-timesyncd has the comm systemd-timesyn, and so would systemd-timesynx."""
    proc.add(5, b"systemd-timesyn", "/lib/systemd/systemd-timesyncd")
    proc.add(6, b"systemd-timesyn", "/lib/systemd/systemd-timesynx")
    proc.add(7, b"systemd-timesyn", "", (b"/lib/systemd/systemd-timesyncd",))
    proc.add(8, b"systemd-timesyn", "", (b"/lib/systemd/systemd-timesynx",))
    assert proc.find("systemd-timesyncd") == [5, 7]


def test_a_script_with_a_long_name(proc: FakeProc) -> None:
    """The kernel runs `#!/usr/bin/python3 -u` as python3 -u SCRIPT, and calls it SCRIPT."""
    proc.add(
        5,
        b"collect-the-met",
        "/usr/bin/python3",
        (b"/usr/bin/python3", b"-u", b"/opt/collect-the-metrics"),
    )
    assert proc.find("collect-the-metrics") == [5]


def test_a_name_of_fifteen_bytes_is_not_taken_for_a_longer_one(proc: FakeProc) -> None:
    proc.add(5, b"fifteen-letters", "/bin/other")
    assert proc.find("fifteen-letters") == [5]
    assert proc.find("fifteen-letters-and-more") == []


@pytest.mark.parametrize("comm", [b"(sd-pam)", b"a) S (b", b"two\nlines", b"\xff\xfe", b" "])
def test_weird_names(proc: FakeProc, comm: bytes) -> None:
    proc.add(5, comm, "/bin/x")
    assert proc.find(os.fsdecode(comm)) == [5]


def test_a_process_that_ended_does_not_count(proc: FakeProc) -> None:
    proc.add(5, b"job) S (", state="Z")
    proc.add(6, b"job) S (", state="R")
    assert proc.find("job) S (") == [6]


def test_one_whose_main_thread_ended_before_another(proc: FakeProc) -> None:
    """It is no zombie, though it looks like one."""
    for number, state in ((5, "Z"), (6, "Z"), (7, "S"), (8, "S")):
        stat = f"{number} (server) {state} 1 1 1 0\n"
        (proc.root / "5" / "task" / str(number)).mkdir(parents=True)
        (proc.root / "5" / "task" / str(number) / "stat").write_text(stat)
    (proc.root / "5" / "stat").write_text("5 (server) Z 1 1 1 0\n")
    (proc.root / "5" / "comm").write_text("server\n")
    (proc.root / "5" / "cmdline").write_text("")
    assert proc.find("server") == [5]


def test_one_that_vanishes_during_the_search_is_passed_over(proc: FakeProc) -> None:
    (proc.root / "5").mkdir()
    proc.add(6, b"job", "/bin/job")
    assert proc.find("job") == [6]


def test_what_is_no_process_is_passed_over(proc: FakeProc) -> None:
    proc.add(6, b"sys", "/bin/sys")
    assert proc.find("sys") == [6]


NO_PROC = "no proc file system is mounted at .*; mount it: mount -t proc proc /"


def test_no_procfs_at_all(tmp_path: Path) -> None:
    with pytest.raises(pagemap.Unsupported, match=NO_PROC):
        pagemap.find("x", procfs=str(tmp_path / "nothing"))


def test_a_procfs_without_processes(tmp_path: Path) -> None:
    """An empty folder, where nothing is mounted."""
    with pytest.raises(pagemap.Unsupported, match=NO_PROC):
        pagemap.find("x", procfs=str(tmp_path))


def test_a_target_by_number_is_not_looked_up(proc: FakeProc) -> None:
    assert proc.resolve("4242") == 4242
    assert proc.resolve("004242") == 4242


@pytest.mark.parametrize("text", ["0", "000", "12345678901", "9" * 5000])
def test_a_number_that_is_no_pid(proc: FakeProc, text: str) -> None:
    said = f"there is no process {text}" if len(text) < 20 else f"there is no process {'9' * 20}…"
    with pytest.raises(NoSuchProcess) as caught:
        proc.resolve(text)
    assert str(caught.value) == said


def test_a_number_below_zero(proc: FakeProc) -> None:
    proc.add(5, b"job", "/bin/job")
    with pytest.raises(NoSuchProcess, match="no process has the name '-5': a pid is above 0"):
        proc.resolve("-5")


def test_self_is_what_proc_says(proc: FakeProc) -> None:
    assert proc.resolve("self") == 77


def test_self_without_procfs(tmp_path: Path) -> None:
    with pytest.raises(pagemap.Unsupported, match=NO_PROC):
        targets.one("self", procfs=str(tmp_path))


def test_an_empty_target(proc: FakeProc) -> None:
    with pytest.raises(UsageError, match="target is empty"):
        proc.resolve("")


def test_a_target_by_name(proc: FakeProc) -> None:
    proc.add(5, b"nginx", "/usr/sbin/nginx")
    assert proc.resolve("nginx") == 5


def test_a_name_that_fits_nothing(proc: FakeProc) -> None:
    proc.add(5, b"sh", "/bin/sh")
    with pytest.raises(NoSuchProcess, match="no process has the name 'nginx'"):
        proc.resolve("nginx")


def test_the_searcher_does_not_find_itself(proc: FakeProc) -> None:
    proc.add(5, b"python3", "/usr/bin/python3")
    proc.add(77, b"python3", "/usr/bin/python3")
    assert proc.resolve("python3", exclude=(77,)) == 5
    with pytest.raises(NoSuchProcess):
        proc.resolve("python3", exclude=(5, 77))


def test_a_name_that_fits_several_lists_them(proc: FakeProc) -> None:
    proc.add(5, b"sh", "/bin/sh", (b"sh", b"-c", b"sleep 1"))
    proc.add(1234567, b"sh", "/bin/sh", (b"sh", b"\x1b[31mred\n", b"\xff"))
    proc.add(9, b"sh", "/bin/sh")
    with pytest.raises(UsageError) as caught:
        proc.resolve("sh")
    lines = [" ".join(line.split()) for line in str(caught.value).splitlines()]
    assert lines == [
        "3 processes have the name 'sh'; give the pid of one:",
        "PID USER AGE COMMAND",
        "5 ? ? sh -c sleep 1",
        "9 ? ? [sh]",
        "1234567 ? ? sh \\033[31mred\\012 \\377",
    ]
    assert targets.several(["sh", "9", "5"], procfs=str(proc.root)) == [5, 9, 1234567]


def test_a_long_command_line_is_cut(proc: FakeProc) -> None:
    proc.add(5, b"java", "/bin/java", (b"java", b"x" * 3000))
    proc.add(6, b"java", "/bin/java", (b"java", b"x" * 3000))
    with pytest.raises(UsageError) as caught:
        proc.resolve("java")
    assert {len(line) for line in str(caught.value).splitlines()[2:]} == {100}


def test_this_very_process_by_the_path_of_its_executable() -> None:
    assert os.getpid() in pagemap.find(os.readlink("/proc/self/exe"))


def test_a_name_looked_for_without_descriptors() -> None:
    """Who may open no more files found no process of any name, and no reason."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[0], 256), limits[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        os.close(held.pop())  # for the list of processes, and then for the folder of one
        with pytest.raises(PagemapError) as caught:
            pagemap.find("no process has this name")
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert caught.value.errno in (errno.EMFILE, errno.ENFILE)
