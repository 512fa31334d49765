"""TARGET on the command line: numbers, self, names, pid files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import everyone, oracle, workloads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start


def pid_of(out: bytes) -> int:
    """The pid in the JSON of `pagemap maps`."""
    (pid,) = {row["pid"] for row in json.loads(out)["rows"]}
    return int(pid)


@pytest.fixture
def sleepers(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two processes of a program whose name is like no other, and longer than the kernel keeps."""
    program = tmp_path / f"pagemap-test-{os.getpid()}-sleeper"
    sleep = shutil.which("sleep")
    assert sleep
    shutil.copy(sleep, program)
    running = [subprocess.Popen([program, seconds]) for seconds in ("600", "601")]
    try:
        for process in running:
            # Popen returns once the exec is done, so comm and exe are in place.
            assert os.readlink(f"/proc/{process.pid}/exe") == str(program)
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_self_is_the_command(pagemap: Pagemap) -> None:
    process = pagemap.start("maps", "self", "--json")
    out, _ = process.communicate(timeout=120)
    assert pid_of(out) == process.pid


def test_by_name_when_there_is_one(
    pagemap: Pagemap, sleepers: list[subprocess.Popen[bytes]]
) -> None:
    first, second = sleepers
    path = os.readlink(f"/proc/{first.pid}/exe")
    second.kill()
    second.wait()
    for name in (os.path.basename(path), path):
        code, out, _ = pagemap("maps", name, "--json")
        assert (code, pid_of(out)) == (0, first.pid)
    # Cut where the kernel cuts it, it is the command name as well.
    assert pid_of(pagemap("maps", os.path.basename(path)[:15], "--json").out) == first.pid


def test_a_name_that_fits_several_lists_them(
    pagemap: Pagemap, sleepers: list[subprocess.Popen[bytes]]
) -> None:
    path = os.readlink(f"/proc/{sleepers[0].pid}/exe")
    name = os.path.basename(path)
    for command in (("dump",), ("virt-to-phys",), ("doctor",)):
        rest = ["0x1000"] if command == ("virt-to-phys",) else []
        code, out, err = pagemap(*command, name, *rest)
        assert (code, out) == (2, b"")
        assert err[0] == f"pagemap: 2 processes have the name {name!r}; give the pid of one:"
        assert [line.split()[0] for line in err[2:]] == sorted(
            (str(process.pid) for process in sleepers), key=int
        )
        # A long path is cut at the end; how it begins is always there.
        assert all(path[:60] in line for line in err[2:])


def test_a_name_that_fits_nothing(pagemap: Pagemap) -> None:
    hint = "give a pid, or a command's or program's name"
    said = [f"pagemap: no process has the name 'no such name', and there is no such file; {hint}"]
    for command in ("dump", "maps", "doctor"):
        assert pagemap(command, "no such name") == (66, b"", said)


def test_the_command_does_not_find_itself(pagemap: Pagemap) -> None:
    """Both run the same Python, so its path fits the tests and would fit the command."""
    python = os.readlink("/proc/self/exe")
    process = pagemap.start("maps", python, "--json", "--columns", "pid,size")
    out, err = process.communicate(timeout=120)
    listed = {row["pid"] for row in json.loads(out)["rows"]}  # others may run it as well
    assert (process.returncode, err) == (0, b"")
    assert os.getpid() in listed
    assert process.pid not in listed


def test_a_pid_file(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    target = start(workloads.idle())
    (tmp_path / "pid").write_text(f"{target.pid}\n")
    code, out, _ = pagemap("maps", f"@{tmp_path}/pid", "--json")
    assert code == 0
    assert len(json.loads(out)["rows"]) == len(oracle.maps(target.pid))


def test_a_pid_file_that_is_missing(pagemap: Pagemap, tmp_path: Path) -> None:
    said = [f"pagemap: no pid file '{tmp_path}/pid': is its process running?"]
    assert pagemap("dump", f"@{tmp_path}/pid") == (66, b"", said)


def test_a_pid_file_with_something_else_in_it(pagemap: Pagemap, tmp_path: Path) -> None:
    (tmp_path / "pid").write_text("nginx\n")
    said = [f"pagemap: no pid in the pid file '{tmp_path}/pid': it must begin with a number"]
    assert pagemap("dump", f"@{tmp_path}/pid") == (66, b"", said)


def test_a_stale_pid_file(pagemap: Pagemap, unused_pid: int, tmp_path: Path) -> None:
    (tmp_path / "pid").write_text(f"{unused_pid}\n")
    code, out, err = pagemap("dump", f"@{tmp_path}/pid")
    assert (code, out) == (66, b"")
    assert f"no process {unused_pid}" in err[0]


def test_several_of_one_name_are_told_with_user_and_age(
    pagemap: Pagemap, namesakes: list[int]
) -> None:
    """What `ps` says of them is said of each."""
    name = everyone.status(namesakes[0], "Name")
    code, _, err = pagemap("dump", name)
    assert code == 2
    rows = [line.split(maxsplit=3) for line in err[2:]]
    asked = ["ps", "-ww", "-o", "pid=,user:32=,args=", "-p", ",".join(map(str, namesakes))]
    said = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.splitlines()
    for (pid, user, _, rest), line in zip(rows, said, strict=True):
        shown = " ".join([pid, user, *rest.split()[1:]])  # an age of minutes has a blank in it
        whole = " ".join(line.split())
        # a long command line ends in dots
        assert shown == whole or (shown.endswith("…") and whole.startswith(shown[:-1]))


def test_of_several_targets_one_that_is_not_there_is_told(
    pagemap: Pagemap, unused_pid: int
) -> None:
    """`maps self PID` was silent about a pid of nobody, and its exit was 0."""
    for words in (["self", str(unused_pid)], [str(unused_pid), "self"]):
        code, out, err = pagemap("maps", *words, "--top", "0", "--columns", "rss")
        assert code == 66
        assert out
        assert any(f"there is no process {unused_pid}" in line for line in err)
