"""`-o FILE`: where it leads to, and what is left when it is cut short."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pagemap._cli.output import open_output
from pagemap._errors import PagemapError
from tests import workloads
from tests.cli.conftest import HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

DUMP = ("dump", "self", "-o")


@pytest.fixture
def sticky() -> Iterator[Path]:
    """A folder where everybody may make files and remove only their own."""
    with tempfile.TemporaryDirectory(prefix="pagemap-") as name:
        folder = Path(name)
        folder.chmod(0o1777)
        yield folder


def test_a_link_of_ones_own_in_a_folder_of_all(pagemap: Pagemap, sticky: Path) -> None:
    (sticky / "there").mkdir()
    (sticky / "there" / "dump").write_text("older")
    (sticky / "folder").symlink_to("there")
    (sticky / "link").symlink_to("folder/dump")
    assert pagemap(*DUMP, f"{sticky}/link").code == 0
    assert (sticky / "link").is_symlink()
    assert (sticky / "there" / "dump").read_bytes().startswith(HEADER)
    assert os.listdir(sticky / "there") == ["dump"]


def test_a_fifo_of_ones_own_in_a_folder_of_all(pagemap: Pagemap, sticky: Path) -> None:
    """The reader comes after the command: it waits, as it would with the shell's `>`."""
    path = sticky / "fifo"
    os.mkfifo(path)
    with pagemap.start(*DUMP, path.as_posix()) as process:
        assert path.read_bytes().startswith(HEADER)
        assert process.wait(60) == 0


def test_a_way_up_and_down(pagemap: Pagemap, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a/b")
    assert pagemap(*DUMP, f"{tmp_path}//link/.././dump").code == 0
    assert os.listdir(tmp_path / "a") in (["b", "dump"], ["dump", "b"])


@pytest.mark.parametrize("way", ["/proc/self/cwd/dump", "/proc/self/root/{}/dump", "dump"])
def test_links_of_proc(
    pagemap: Pagemap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """What they lead to is not what their text names."""
    monkeypatch.chdir(tmp_path)
    assert pagemap(*DUMP, way.format(tmp_path)).code == 0
    assert (tmp_path / "dump").read_bytes().startswith(HEADER)


def test_a_link_of_ones_own_to_stdout(pagemap: Pagemap, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/stdout")
    code, out, _ = pagemap(*DUMP, f"{tmp_path}/link")
    assert code == 0
    assert out.startswith(HEADER)


def test_a_file_that_another_process_has_open(pagemap: Pagemap, tmp_path: Path) -> None:
    """It has no folder in which another could take its place."""
    with (tmp_path / "file").open("w") as file:
        path = f"/proc/{os.getpid()}/fd/{file.fileno()}"
        code, _, err = pagemap(*DUMP, path)
    assert code == 66
    assert err[-1] == (
        f"pagemap: cannot open {path}: it is an open file of a process; give the file's own name"
    )


def test_too_many_links(pagemap: Pagemap, tmp_path: Path) -> None:
    for number in range(42):
        (tmp_path / str(number)).symlink_to(str(number + 1))
    path = f"{tmp_path}/0"
    said = f"pagemap: cannot open {path}: Too many levels of symbolic links"
    assert pagemap(*DUMP, path).err[-1] == said
    assert pagemap(*DUMP, f"{tmp_path}/2").code == 0
    assert (tmp_path / "42").is_file()


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGALRM, signal.SIGKILL, signal.SIGUSR1])
def test_nothing_is_left_by_any_signal(
    pagemap: Pagemap, start: Start, tmp_path: Path, number: signal.Signals, older: bool
) -> None:
    """A file that had a name beside the one asked for stayed there: 7 to 9 of 12 times."""
    try:
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system makes no files without a name (O_TMPFILE)")
    if older:
        (tmp_path / "dump").write_text("older")
    target = start(workloads.sparse(1 << 36))
    with pagemap.start("dump", target.pid, "-o", f"{tmp_path}/dump") as process:
        workloads.wait_until(lambda: opened_in(tmp_path, process.pid))
        process.send_signal(number)
        assert process.wait(60) == -number
    assert os.listdir(tmp_path) == (["dump"] if older else [])
    assert not older or (tmp_path / "dump").read_text() == "older"


def opened_in(folder: Path, pid: int) -> bool:
    """Whether process `pid` has something of the folder open."""
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            if os.readlink(f"/proc/{pid}/fd/{fd}").startswith(f"{folder}/"):
                return True
    return False


@pytest.fixture
def no_tmpfile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that makes no files without a name, as that of a network may be."""
    opened = os.open

    def open_named(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return opened(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", open_named)


@pytest.mark.parametrize("older", [False, True])
def test_where_every_file_has_a_name(tmp_path: Path, no_tmpfile: None, older: bool) -> None:
    path = tmp_path / "dump"
    if older:
        path.write_text("older")
    with open_output(path.as_posix()) as output:
        output.write(b"rows")
        assert len(os.listdir(tmp_path)) == 1 + older
    assert os.listdir(tmp_path) == ["dump"]
    assert path.read_bytes() == b"rows"
    with pytest.raises(ZeroDivisionError), open_output(path.as_posix()):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == ["dump"]


def test_a_name_that_came_meanwhile(tmp_path: Path) -> None:
    """It is replaced, as it would have been before: a link too, and not what it leads to."""
    path = tmp_path / "dump"
    precious = tmp_path / "precious"
    precious.write_text("precious")
    with open_output(path.as_posix()) as output:
        output.write(b"rows")
        path.symlink_to(precious)
    assert not path.is_symlink()
    assert path.read_bytes() == b"rows"
    assert precious.read_text() == "precious"
    assert len(os.listdir(tmp_path)) == 2


def test_a_folder_that_is_moved_meanwhile(tmp_path: Path) -> None:
    """The file comes into the folder that was judged, and not into what has its name by now."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with open_output(f"{folder}/dump") as output:
        output.write(b"rows")
        folder.rename(tmp_path / "moved")
        folder.mkdir()
    assert os.listdir(folder) == []
    assert (tmp_path / "moved" / "dump").read_bytes() == b"rows"


def test_no_descriptor_of_the_way_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to("loop")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("link/dump", "link/dump", "/proc/self/cwd/missing/x", "loop", "link", "a/b/c"):
        with contextlib.suppress(PagemapError), open_output(f"{tmp_path}/{name}"):
            pass
    with pytest.raises(PagemapError), open_output("/proc/self/comm"):
        pass
    assert len(os.listdir("/proc/self/fd")) == before
