"""`-o` in a folder where everybody may put things: what a stranger plants there is not used."""

from __future__ import annotations

import os
import stat
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import kernel_settings, workloads
from tests.cli.conftest import HEADER

if TYPE_CHECKING:
    from tests.attacks.conftest import Stranger
    from tests.cli.conftest import Pagemap

# `PAGEMAP_FLIPS=2000 pytest tests/attacks`: how many times the command runs against the flipping.
FLIPS = int(os.environ.get("PAGEMAP_FLIPS", "12"))

PROTECTED = Path("/proc/sys/fs/protected_symlinks")


def flip(victim: Path, name: Path) -> None:
    """Make a name a link to what may not be overwritten, and nothing again, for ever."""
    while True:
        with suppress(OSError):  # the command's own file stands there
            os.symlink(victim, name)
        with suppress(OSError):
            os.unlink(name)


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A file of ours that nobody else may write."""
    path = tmp_path / "precious"
    path.write_text("precious")
    return path


@pytest.mark.parametrize("protected", ["0", "1"])
def test_a_name_that_flips_overwrites_no_file_of_ours(
    pagemap: Pagemap, stranger: Stranger, sticky: Path, precious: Path, protected: str
) -> None:
    """A path judged by its name was another by the time it was used: 54 of 240 times."""
    name = sticky / "dump"
    codes = set()
    with ExitStack() as stack:
        try:
            stack.enter_context(kernel_settings.setting(PROTECTED, protected))
        except kernel_settings.Unavailable as reason:
            pytest.skip(str(reason))
        stack.enter_context(stranger.doing(lambda: flip(precious, name)))
        for _ in range(FLIPS):
            codes.add(pagemap("dump", "self", "--map", "[vdso]", "-o", name.as_posix()).code)
            assert precious.read_text() == "precious"
            with suppress(FileNotFoundError):
                name.unlink()
    assert codes <= {0, 1, 77}  # a link of the stranger's that is met is not permitted


@pytest.mark.parametrize("protected", ["0", "1"])
@pytest.mark.parametrize("within", [False, True])
def test_a_link_of_a_strangers_is_not_followed(
    pagemap: Pagemap,
    stranger: Stranger,
    sticky: Path,
    precious: Path,
    protected: str,
    within: bool,
) -> None:
    """Whatever fs.protected_symlinks says; nor as a folder, where the kernel follows it always."""
    link = sticky / "link"
    stranger.does(lambda: link.symlink_to(precious.parent if within else precious))
    name = link / precious.name if within else link
    try:
        with kernel_settings.setting(PROTECTED, protected):
            code, _, err = pagemap("dump", "self", "-o", name.as_posix())
    except kernel_settings.Unavailable as reason:
        pytest.skip(str(reason))
    assert code == 77
    assert f"cannot open {name}: 'link' is a symbolic link of another user" in err[-1]
    assert precious.read_text() == "precious"
    assert os.listdir(precious.parent) == [precious.name]


def test_a_fifo_of_a_strangers_is_refused_at_once(
    pagemap: Pagemap, stranger: Stranger, sticky: Path
) -> None:
    """Nobody reads it: opening it would wait for ever."""
    name = sticky / "dump"
    stranger.does(lambda: os.mkfifo(name))
    with pagemap.start("dump", "self", "-o", name.as_posix()) as process:
        try:
            err = process.communicate(timeout=60)[1].decode()
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 77
    assert f"cannot open {name}: 'dump' is no file but a pipe or device of another user" in err


def test_a_fifo_of_a_strangers_is_told_nothing(
    pagemap: Pagemap, stranger: Stranger, sticky: Path
) -> None:
    """He reads it: he would be given root's PFNs."""
    name = sticky / "dump"
    stranger.does(lambda: os.mkfifo(name))
    given = sticky / "given"
    with stranger.doing(lambda: given.write_bytes(name.read_bytes())):
        code, _, _ = pagemap("dump", "self", "-o", name.as_posix())
        os.close(os.open(name, os.O_RDWR))  # its end, where he still waits for somebody
        workloads.wait_until(given.exists)
    assert given.read_bytes() == b""
    assert code == 77


def test_a_device_of_a_strangers_is_refused(
    pagemap: Pagemap, stranger: Stranger, sticky: Path
) -> None:
    name = sticky / "dump"
    try:
        os.mknod(name, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("needs CAP_MKNOD, to make a device")
    os.chown(name, stranger.user, stranger.group)
    assert pagemap("dump", "self", "-o", name.as_posix()).code == 77


def test_a_fifo_of_another_that_nobody_reads_is_not_waited_for(
    pagemap: Pagemap, stranger: Stranger, tmp_path: Path
) -> None:
    """In a folder of one's own, where the rule for /tmp says nothing."""
    name = tmp_path / "fifo"
    os.mkfifo(name, 0o666)
    os.chown(name, stranger.user, stranger.group)
    with pagemap.start("dump", "self", "-o", name.as_posix()) as process:
        try:
            err = process.communicate(timeout=60)[1].decode()
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert err.endswith(f"cannot open {name}: nobody reads from this fifo\n")


def test_a_file_of_a_strangers_is_replaced_and_not_written_to(
    pagemap: Pagemap, stranger: Stranger, sticky: Path
) -> None:
    """He has it open, and might read what we write to it."""
    name = sticky / "dump"
    stranger.does(lambda: name.write_text("his"))
    with name.open() as his:
        assert pagemap("dump", "self", "-o", name.as_posix()).code == 0
        assert his.read() == "his"
    about = name.stat()
    assert (about.st_uid, stat.S_IMODE(about.st_mode)) == (os.geteuid(), 0o600)
    assert name.read_bytes().startswith(HEADER)
    assert os.listdir(sticky) == ["dump"]


@pytest.mark.parametrize("plant", ["link", "fifo"])
def test_a_group_is_others_too(
    pagemap: Pagemap, stranger: Stranger, sticky: Path, precious: Path, plant: str
) -> None:
    """A sticky folder that a group may write to, as a spool, was not taken for one like /tmp."""
    os.chown(sticky, 0, stranger.group)
    sticky.chmod(0o1775)
    name = sticky / "dump"
    stranger.does(lambda: name.symlink_to(precious) if plant == "link" else os.mkfifo(name))
    with pagemap.start("dump", "self", "-o", name.as_posix()) as process:
        try:
            err = process.communicate(timeout=60)[1].decode()
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 77
    assert "in a folder where others may put one" in err
    assert precious.read_text() == "precious"
