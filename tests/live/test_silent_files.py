"""A file of a process whose file system does not answer: it is left out, and not waited for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parents[2]
PATIENCE = 20  # seconds; it takes less than one


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The server of a file that process has open and mapped."""
    command = [sys.executable, "-m", "tests.silent_files", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as made:
        assert made.stdout is not None
        assert made.stderr is not None
        try:
            said = made.stdout.readline().split()
            if not said:
                pytest.skip(f"no file system in user space (FUSE): {made.stderr.read()}")
            yield made, int(said[1])
        finally:
            made.kill()


def test_it_is_not_waited_for(server: tuple[subprocess.Popen[str], int], tmp_path: Path) -> None:
    """Root's command waited, and not even SIGKILL ended it."""
    serving, holder = server
    command = [sys.executable, "-m", "pagemap", "cache", "--open", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as asking:
        try:
            out, err = asking.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            serving.kill()  # who waits for its answer is let go by that alone
            asking.kill()
            pytest.fail("the answer of the file system was waited for")
    assert asking.returncode == 0, err
    assert "file systems in user space or of the network" in err
    result = json.loads(out)
    assert result["about"]["unasked"] >= 1
    assert holder not in [each["pid"] for each in result["about"]["left_out"]]
    paths = [row["path"] for row in result["rows"]]
    assert paths
    assert f"{tmp_path}/file" not in paths
