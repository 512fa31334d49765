"""TARGET as the name of a pid file, which anybody may have written."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pagemap._cli import targets
from pagemap._errors import AccessDenied, NoSuchProcess, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "content", [b"4242", b"4242\n", b"  4242 \n", b"4242\n/var/lib/postgresql\n17\n"]
)
def test_a_pid_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pid").write_bytes(content)
    assert targets.one(f"@{tmp_path}/pid") == 4242


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"nginx 4242\n", b"-1\n", b"0x10\n", b"\xff\xfe\0", b"12a\n"]
)
def test_a_pid_file_with_something_else_in_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pid").write_bytes(content)
    with pytest.raises(
        UsageError, match=r"no pid in the pid file '.*/pid': it must begin with a number"
    ):
        targets.one(f"@{tmp_path}/pid")


def test_a_pid_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(
        NoSuchProcess, match=r"no pid file '.*/pid': is its process running\?"
    ) as caught:
        targets.one(f"@{tmp_path}/pid")
    assert caught.value.path == f"{tmp_path}/pid"


def test_a_pid_file_that_is_a_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        targets.one(f"@{tmp_path}")


def test_a_pid_file_without_a_name() -> None:
    with pytest.raises(UsageError, match="needs the name of a pid file"):
        targets.one("@")


def test_a_pid_file_that_is_a_fifo_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pid")
    # In a child: to wait would be for ever.
    script = "import sys; from pagemap._cli import targets; targets.one(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", script, f"@{tmp_path}/pid"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "it is not a regular file" in done.stderr


def test_a_pid_file_full_of_digits(tmp_path: Path) -> None:
    """A message is a line or two, whatever is in the file."""
    (tmp_path / "pid").write_text("9" * 5000)
    with pytest.raises(NoSuchProcess) as caught:
        targets.one(f"@{tmp_path}/pid")
    assert len(str(caught.value)) < 100


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_pid_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text("4242\n")
    (tmp_path / "pid").chmod(0)
    with pytest.raises(AccessDenied, match="permission denied; run with sudo"):
        targets.one(f"@{tmp_path}/pid")
