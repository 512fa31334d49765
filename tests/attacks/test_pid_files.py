"""Pid files that a stranger leads root to: a link speaks for its owner alone, as a file does."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import workloads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.attacks.conftest import Stranger
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start


@pytest.fixture
def his(sticky: Path, stranger: Stranger) -> Path:
    """A folder of a stranger's own, where no link is suspicious in itself."""
    folder = sticky / "his"
    stranger.does(folder.mkdir)
    return folder


@pytest.fixture
def his_process(stranger: Stranger) -> Iterator[int]:
    """The pid of a process of the stranger's, with memory."""
    with subprocess.Popen(["sleep", "60"], user=stranger.user) as process:
        yield process.pid
        process.kill()


def test_a_link_of_a_strangers_speaks_for_his_processes_alone(
    pagemap: Pagemap, start: Start, stranger: Stranger, his: Path, his_process: int, tmp_path: Path
) -> None:
    """A link to a pid file of root's had any process of root's taken for the stranger's."""
    target = start(workloads.dense(16 << 12))
    tmp_path.chmod(0o755)
    real, other = tmp_path / "real", tmp_path / "other"
    real.write_text(f"{target.pid}\n")
    other.write_text(f"{his_process}\n")
    name = his / "app.pid"
    stranger.does(lambda: name.symlink_to(real))
    code, out, err = pagemap("maps", f"@{name}")
    assert (code, out) == (66, b"")
    assert f"a symbolic link that belongs to user {stranger.user}" in err[-1]
    stranger.does(name.unlink)
    stranger.does(lambda: name.symlink_to(other))
    assert pagemap("maps", f"@{name}").code == 0
    assert pagemap("maps", f"@{real}").code == 0


def test_a_link_in_a_sticky_folder_is_not_followed(
    pagemap: Pagemap, stranger: Stranger, sticky: Path, his_process: int
) -> None:
    """It is refused as such, whatever it leads to."""
    stranger.does(lambda: (sticky / "real").write_text(f"{his_process}\n"))
    stranger.does(lambda: (sticky / "link").symlink_to(sticky / "real"))
    code, out, err = pagemap("maps", f"@{sticky}/link")
    assert (code, out) == (66, b"")
    assert "'link' is a symbolic link of another user" in err[-1]


@pytest.mark.parametrize("name", ["/proc/{}/stat", "/sys/kernel/mm/ksm/sleep_millisecs"])
def test_what_the_kernel_writes_is_no_pid_file(pagemap: Pagemap, start: Start, name: str) -> None:
    """/proc/PID/stat begins with the pid, belongs to root, and is as old as it needs to be."""
    target = start(workloads.dense(16 << 12))
    path = name.format(target.pid)
    if not os.path.exists(path):
        pytest.skip(f"this kernel has no {path}")
    code, out, err = pagemap("maps", f"@{path}")
    assert (code, out) == (66, b"")
    assert "the kernel makes it" in err[-1]
