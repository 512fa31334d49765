"""A file of a process whose file system does not answer: it is left out, and not waited for."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parents[2]
PAGE = oracle.PAGE
PATIENCE = 20  # seconds; it takes less than one


@contextlib.contextmanager
def serving_files(*words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "tests.silent_files", *words]
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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The server of a file that process has open and mapped."""
    with serving_files(str(tmp_path)) as made:
        yield made


def said(serving: subprocess.Popen[str], *command: str) -> tuple[str, str]:
    """What a command wrote, which does not wait for the server, to stdout and stderr."""
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
    return out, err


def test_it_is_not_waited_for(server: tuple[subprocess.Popen[str], int], tmp_path: Path) -> None:
    """Root's command waited, and not even SIGKILL ended it."""
    serving, holder = server
    out, err = said(serving, sys.executable, "-m", "pagemap", "cache", "--open", "--json")
    assert "file systems in user space or of the network" in err
    result = json.loads(out)
    assert result["about"]["unasked"] >= 1
    assert holder not in [each["pid"] for each in result["about"]["left_out"]]
    paths = [row["path"] for row in result["rows"]]
    assert paths
    assert f"{tmp_path}/file" not in paths


def test_a_mount_below_a_directory_is_not_waited_for(tmp_path: Path, need_root: None) -> None:
    """The directory's own file is found; where the server is mounted nothing is asked."""
    nsenter = shutil.which("nsenter")
    if nsenter is None:
        pytest.skip("nsenter, to be where the server is mounted, is missing (util-linux)")
    path, mounted = tmp_path / "file", tmp_path / "below" / "mounted\r"  # it stands so in mountinfo
    path.write_bytes(b"x" * 5 * PAGE)
    mounted.mkdir(parents=True)
    with serving_files(str(mounted), "all") as (serving, holder):
        inside = (nsenter, f"--mount=/proc/{holder}/ns/mnt", "--", sys.executable, "-m", "pagemap")
        out, err = said(serving, *inside, "cache", str(tmp_path), "--all", "--json")
        rows = json.loads(out)["rows"]
        assert [(row["path"], row["size"]) for row in rows] == [(str(path), 5 * PAGE)]
        assert f"left out {str(mounted)!r}: it is mounted from a file system in user space" in err
        out, err = said(serving, *inside, "cache", str(tmp_path), "-x", "--all", "--csv")
        assert "left out" not in err
        if oracle.pfns_visible() and oracle.may_read("/proc/kpageflags"):
            words = ("--list-each", "--columns", "pfn", "--csv", "--no-header")
            out, _ = said(serving, *inside, "types", "--file", str(tmp_path), *words)
            frames = out.split()
            assert len(frames) == 5
            search = ("--search", str(tmp_path), "--json")
            out, _ = said(serving, *inside, "who", "--pfn", frames[0], *search)
            assert json.loads(out)["about"]["frames"][0]["file"]["path"] == str(path)


LOOKS = """
import pagemap, sys
assert pagemap.find("/no/such/program") == []
with pagemap.Snapshot.take(int(sys.argv[1]), sys.argv[2]) as snapshot:
    print(snapshot.process().record.about["exe"])
"""


def test_a_program_is_not_waited_for(tmp_path: Path, need_root: None) -> None:
    """Whoever looked for a program by its path waited for those that others run."""
    path = tmp_path / "mounted"
    path.mkdir()
    with serving_files(str(path), "run") as (serving, running):
        file = str(tmp_path / "a.pagemap")
        out, _ = said(serving, sys.executable, "-c", LOOKS, str(running), file)
        assert out == "None\n"
