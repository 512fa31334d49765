"""`-o FILE`: whole or not at all, readable by its owner alone."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from pagemap._cli.output import open_output
from pagemap._errors import PagemapError, TargetVanished
from tests import workloads
from tests.cli.conftest import HEADER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start


def test_a_new_file(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    target = start(workloads.idle())
    target.stop()
    path = tmp_path / "dump"
    code, out, _ = pagemap("dump", target.pid, "-o", path.as_posix())
    assert (code, out) == (0, b"")
    assert path.read_bytes() == pagemap("dump", target.pid).out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["dump"]


def test_an_older_file_is_replaced(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text("older")
    path.chmod(0o644)
    assert pagemap("dump", start(workloads.idle()).pid, "-o", path.as_posix()).code == 0
    assert path.read_bytes().startswith(HEADER)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["dump"]


@pytest.mark.parametrize("exists", [True, False])
def test_through_a_symbolic_link(pagemap: Pagemap, tmp_path: Path, exists: bool) -> None:
    (tmp_path / "there").mkdir()
    file = tmp_path / "there" / "dump"
    if exists:
        file.write_text("older")
    link = tmp_path / "link"
    link.symlink_to("there/dump")
    assert pagemap("dump", "self", "-o", link.as_posix()).code == 0
    assert link.is_symlink()
    assert file.read_bytes().startswith(HEADER)
    assert os.listdir(tmp_path / "there") == ["dump"]


def test_a_target_that_cannot_be_read_leaves_an_older_file(
    pagemap: Pagemap, unused_pid: int, tmp_path: Path
) -> None:
    path = tmp_path / "dump"
    path.write_text("older")
    assert pagemap("dump", unused_pid, "-o", path.as_posix()).code == 66
    assert path.read_text() == "older"
    assert os.listdir(tmp_path) == ["dump"]


def test_a_pattern_that_fits_nothing_leaves_the_header(pagemap: Pagemap, tmp_path: Path) -> None:
    """The dump is whole, and empty: what was asked for is not there."""
    path = tmp_path / "dump"
    assert pagemap("dump", "self", "--map", "nothing", "-o", path.as_posix()).code == 1
    assert path.read_bytes() == HEADER


def test_a_device(pagemap: Pagemap) -> None:
    assert pagemap("dump", "self", "-o", "/dev/null")[:2] == (0, b"")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_full_device(pagemap: Pagemap) -> None:
    code, out, err = pagemap("dump", "self", "-o", "/dev/full")
    assert (code, out) == (1, b"")
    assert err[-1] == "pagemap: cannot write /dev/full: No space left on device"
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_fifo(pagemap: Pagemap, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    process = pagemap.start("dump", "self", "-o", path.as_posix())
    assert path.read_bytes().startswith(HEADER)
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert path.is_fifo()


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_stdout_by_name(pagemap: Pagemap, name: str) -> None:
    code, out, _ = pagemap("dump", "self", "--map", "[vdso]", "-o", name)
    assert code == 0
    assert out.startswith(HEADER)


def test_stdout_by_name_keeps_what_is_there(pagemap: Pagemap, tmp_path: Path) -> None:
    """As with `>>FILE -o /dev/stdout`: opened by its name, the file would be written over."""
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    with path.open("ab") as file:
        process = pagemap.start("dump", "self", "-o", "/dev/stdout", stdout=file.fileno())
        process.communicate(timeout=120)
    assert path.read_bytes().startswith(b"before\n" + HEADER)


def test_a_descriptor_that_is_not_open(pagemap: Pagemap) -> None:
    said = "pagemap: cannot open /dev/fd/77: Bad file descriptor"
    assert pagemap("dump", "self", "-o", "/dev/fd/77").err[-1] == said


@pytest.mark.parametrize("number", ["9999999999", "2147483648", "00000000001", "9" * 5000])
def test_a_descriptor_that_none_can_be(pagemap: Pagemap, number: str) -> None:
    """One longer than any path is shown by its beginning and its end."""
    name = f"/dev/fd/{number}"
    name = name if len(name) <= 4096 else f"{name[:60]}…{name[-59:]}"  # and the colon
    said = f"pagemap: cannot open {name}: Bad file descriptor"
    code, out, err = pagemap("dump", "self", "-o", f"/dev/fd/{number}")
    assert (code, out, err[-1]) == (66, b"", said)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "Is a directory"),
        ("new/", "Is a directory"),
        ("missing/dump", "No such file or directory (its directory must be there)"),
        ("loop", "Too many levels of symbolic links"),
    ],
)
def test_a_place_that_cannot_be(pagemap: Pagemap, tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    path = f"{tmp_path}/{name}"
    code, out, err = pagemap("dump", "self", "-o", path)
    assert (code, out, err[-1]) == (66, b"", f"pagemap: cannot open {path}: {reason}")
    assert os.listdir(tmp_path) == ["loop"]


def test_a_directory_that_is_missing(pagemap: Pagemap, tmp_path: Path) -> None:
    """One exit code, whatever is written: that of a file that is not there."""
    path = f"{tmp_path}/missing/new"
    for command in ("record", "snapshot", "maps"):
        code, out, err = pagemap(command, "self", "-o", path)
        assert (code, out) == (66, b""), command
        hint = " (its directory must be there)"
        assert err[-1].endswith(f" {path}: No such file or directory{hint}"), command


def test_a_name_drives_no_terminal(pagemap: Pagemap, tmp_path: Path) -> None:
    """A name may come out of somebody else's folder, by the shell's completion or in a script."""
    code, _, err = pagemap("dump", "self", "-o", f"{tmp_path}/\x1b[2J\x07/dump")
    assert code == 66
    assert err[-1].startswith(rf"pagemap: cannot open {tmp_path}/\033[2J\007/dump: No such file")


def test_a_file_whose_directory_takes_no_other(pagemap: Pagemap) -> None:
    said = "pagemap: cannot open /proc/self/comm: its directory takes no new file"
    assert pagemap("dump", "self", "-o", "/proc/self/comm").err[-1] == said


def test_an_empty_name(pagemap: Pagemap) -> None:
    code, out, err = pagemap("dump", "self", "-o", "")
    assert (code, out, err[-1]) == (
        2,
        b"",
        "pagemap: --output is empty: give the name of a file or directory",
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write every file")
def test_a_file_that_may_not_be_written(pagemap: Pagemap, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text("older")
    path.chmod(0o400)
    code, _, err = pagemap("dump", "self", "-o", path.as_posix())
    assert code == 77
    assert err[-1].startswith(f"pagemap: cannot open {path}: Permission denied")
    assert path.read_text() == "older"


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (TargetVanished("gone"), True),
        (PagemapError("any other"), False),
        (OSError("any other"), False),
        (KeyboardInterrupt(), False),
        (SystemExit(143), False),
    ],
)
def test_what_is_left_after_an_error(tmp_path: Path, error: BaseException, kept: bool) -> None:
    """Only what was read of a target that vanished stands."""
    path = tmp_path / "dump"
    path.write_bytes(b"older")

    def write() -> None:
        with open_output(path.as_posix()) as output:
            output.write(b"rows\n")
            assert path.read_bytes() == b"older"
            raise error

    with pytest.raises(type(error)) as caught:
        write()
    assert caught.value is error
    assert path.read_bytes() == (b"rows\n" if kept else b"older")
    assert os.listdir(tmp_path) == ["dump"]


def test_nothing_is_written_through_a_planted_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that others can write to, one who guessed the name could have us write there."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    monkeypatch.setattr(os, "urandom", bytes)
    link = tmp_path / f".pagemap-{os.getpid()}-0000000000000000"
    link.symlink_to(victim)
    path = tmp_path / "dump"
    path.write_bytes(b"older")
    with pytest.raises(PagemapError, match="File exists"), open_output(path.as_posix()) as output:
        output.write(b"rows\n")
    assert victim.read_bytes() == b"precious"
    assert path.read_bytes() == b"older"
    assert link.is_symlink()


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for name in (f"{tmp_path}/dump", "/dev/null", "-", "/dev/stdout"):
        with open_output(name):
            pass
    assert len(os.listdir("/proc/self/fd")) == before
