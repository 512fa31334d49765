"""`pagemap snapshot`, through its front door."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pagemap._space.snapshot_file import SnapshotFile
from tests import looks, oracle, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"


def test_a_file_of_mode_0600(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    target = start(workloads.dense(1 << 20))
    path = tmp_path / "file"
    area = target.first

    def look() -> tuple[list[int], list[int]]:
        assert pagemap("snapshot", target.pid, "-o", str(path)) == (0, b"", [])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with SnapshotFile(str(path)) as file:
            (record,) = file.processes()
            assert record.pid == target.pid
            saved = record.table.read(area.start // oracle.PAGE, 256).tolist()
        return saved, oracle.entries(target.pid, area.start, area.start + 256 * oracle.PAGE)

    looks.agreed(look)


def test_to_a_pipe(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    target = start(workloads.idle())
    code, out, err = pagemap("snapshot", target.pid, "--no-pfns", "-o", "-")
    assert (code, err) == (0, [])
    path = tmp_path / "file"
    path.write_bytes(out)
    with SnapshotFile(str(path)) as file:
        assert [each.pid for each in file.processes()] == [target.pid]
        assert file.processes()[0].about["pfns_visible"] is False


@pytest.mark.usefixtures("need_pfns")
def test_no_half_file(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    """On a disk that is full an older file stays, and nothing is left beside it."""
    target = start(workloads.dense(32 << 20))
    path = tmp_path / "file"
    path.write_bytes(b"older")
    limit = ("bash", "-c", 'ulimit -f 4; exec "$@"', "bash")
    words = ("snapshot", str(target.pid), "-o", str(path))
    process = pagemap.start(*words, prefix=limit)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.decode().splitlines()[-1] == f"pagemap: cannot write {path}: File too large"
    assert os.listdir(tmp_path) == ["file"]
    assert path.read_bytes() == b"older"


def test_no_process(pagemap: Pagemap, unused_pid: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    code, _, err = pagemap("snapshot", unused_pid, "-o", str(path))
    assert code == 66
    assert str(unused_pid) in err[-1]
    assert not path.exists()


def test_without_a_file(pagemap: Pagemap) -> None:
    assert pagemap("snapshot", "self").code == 2


def test_one_that_is_not_there_among_others(
    pagemap: Pagemap, start: Start, unused_pid: int, tmp_path: Path
) -> None:
    """It was left out with exit code 0, as if it had been there."""
    path = tmp_path / "file"
    target = start(workloads.idle())
    code, _, err = pagemap("snapshot", target.pid, unused_pid, "-o", str(path))
    assert code == 66
    assert f"there is no process {unused_pid}" in err[-1]
    assert os.listdir(tmp_path) == []


def test_stopped_only_while_it_is_read(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    """Whoever reads the other end of a pipe may take as long as he likes."""
    target = start(workloads.sparse(1 << 30, step=2 << 12))
    with pagemap.start("snapshot", str(target.pid), "--stop", "-o", "-") as process:
        assert process.stdout is not None
        data = process.stdout.read(1)  # it is written by now, and more than a pipe holds
        stat = Path(f"/proc/{target.pid}/stat")
        assert stat.read_text().rpartition(")")[2].split()[0] != "T"
        assert process.poll() is None
        data += process.stdout.read()
        assert process.wait(60) == 0
    path = tmp_path / "file"
    path.write_bytes(data)
    with SnapshotFile(str(path)) as file:
        assert file.processes()[0].about["stopped"] is True


def test_a_moment_that_is_not_there(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    """Its number was told in hexadecimal, and of which file not at all."""
    path = tmp_path / "file"
    pagemap("snapshot", start(workloads.idle()).pid, "-o", str(path))
    code, _, err = pagemap("maps", f"{path}@5")
    assert code == 66
    assert err == [f"pagemap: {path} has 1 moment, 0: there is no moment 5"]


def test_what_was_salvaged_says_so(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    """It said that the process had ended, or become another program."""
    path, out = tmp_path / "file", tmp_path / "out"
    pagemap("snapshot", start(workloads.idle()).pid, "-o", str(path))
    path.write_bytes(path.read_bytes()[:-100])
    code, _, err = pagemap("snapshot", "--salvage", str(path), "-o", str(out))
    assert code == 0
    assert "saved 1 process, with " in err[-1]
    code, _, err = pagemap("maps", str(out))
    assert code == 0
    assert "was salvaged from a damaged file" in err[0]


def test_a_damaged_file_names_its_remedy(pagemap: Pagemap, tmp_path: Path) -> None:
    """Of a block that was damaged nothing said what could be done."""
    path = tmp_path / "a file"
    data = bytearray((SNAPSHOTS / "version-1.pagemap").read_bytes())
    at = data.index(b"\xb1pm\n\x05\0\0\0") + 40
    data[at : at + 4] = b"\xff" * 4
    path.write_bytes(data)
    code, _, err = pagemap("maps", str(path))
    assert code == 1
    assert err[-1].endswith(
        f"; 'pagemap snapshot --salvage '{path}' -o NEW' saves what is whole of it"
    )
    path.write_bytes(data[:-100])
    code, _, err = pagemap("maps", str(path))
    assert code == 1
    assert "saves what is whole of it" in err[-1]


def test_a_record_that_ends_midway_says_so(pagemap: Pagemap, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes((SNAPSHOTS / "version-1-record.pagemap").read_bytes()[:-100])
    wanted = json.loads((SNAPSHOTS / "version-1-record.json").read_text())[1][0]
    code, out, err = pagemap("maps", str(path), "--json")
    assert code == 0
    assert len(json.loads(out)["rows"]) == wanted["maps"].count("\n")
    assert f"{path} ends within a moment" in err[0]
    assert "the last whole moment is 1, of 2026-11-29T" in err[0]
    assert pagemap("maps", f"{path}@0").err == []
    assert pagemap("contents", str(path)).err == err


def test_what_a_file_has(pagemap: Pagemap) -> None:
    """Of each moment when it was, of whom, and what was saved."""
    code, out, err = pagemap("contents", str(SNAPSHOTS / "version-1-record.pagemap"), "--json")
    assert (code, err) == (0, [])
    document = json.loads(out)
    wanted = json.loads((SNAPSHOTS / "version-1-record.json").read_text())
    rows = document["rows"]
    assert [row["moment"] for row in rows] == [0, 1, 2]
    assert {(row["pid"], row["name"]) for row in rows} == {(wanted[0][0]["pid"], "small")}
    assert [row["full"] for row in rows] == [True, False, False]
    assert all(row["pfns"] and row["complete"] for row in rows)
    assert not any(row["smaps"] or row["frames"] or row["stopped"] for row in rows)
    assert [row["begin"] for row in rows] == sorted(row["begin"] for row in rows)
    size = (SNAPSHOTS / "version-1-record.pagemap").stat().st_size
    assert document["about"]["size"] == size
    assert 0.6 * size < sum(row["saved"] for row in rows) < size
    code, out, _ = pagemap("contents", str(SNAPSHOTS / "version-1-frames.pagemap"), "--json")
    rows = json.loads(out)["rows"]
    assert len(rows) == 2
    assert all(row["smaps"] and row["frames"] and row["stopped"] for row in rows)


@pytest.mark.usefixtures("need_pfns")
def test_frames_that_were_not_saved_are_not_lost(pagemap: Pagemap, tmp_path: Path) -> None:
    """Of every salvaged file without them it said that some were lost."""
    out, path = str(tmp_path / "out"), tmp_path / "cut"
    assert pagemap("snapshot", os.getpid(), "-o", str(path)).code == 0
    path.write_bytes(path.read_bytes()[:-9])
    assert pagemap("snapshot", "--salvage", str(path), "-o", out).code == 0
    code, _, err = pagemap("types", out)
    assert code == 69
    assert err[-1].endswith("take the snapshot as root with --frames")


def test_what_is_said_of_salvaging(pagemap: Pagemap, tmp_path: Path) -> None:
    """Of a file that is not damaged it said that bytes were of no use."""
    out, path = tmp_path / "out", tmp_path / "cut"
    data = (SNAPSHOTS / "version-1-record.pagemap").read_bytes()
    path.write_bytes(data)
    code, _, err = pagemap("snapshot", "--salvage", str(path), "-o", str(out))
    assert code == 0
    assert err == [f"pagemap: {path} has lost nothing: saved all of its 3 moments"]
    path.write_bytes(b"____" + data[4:])
    for line in ("contents FILE", "maps FILE", "maps FILE@0", "who FILE --pfn 1", "diff FILE FILE"):
        done = pagemap(*line.replace("FILE", str(path)).split())
        assert (done.code, done.out) == (1, b"")
        assert done.err[-1].endswith(
            f"{path} is damaged: its first bytes are not those of a snapshot; "
            f"'pagemap snapshot --salvage {path} -o NEW' saves what is whole of it"
        )
    assert pagemap("snapshot", "--salvage", str(path), "-o", str(out)).err == err
    for option in ("--stop", "--frames", "--smaps", "--no-pfns", "--threads=2"):
        done = pagemap("snapshot", "--salvage", str(path), "-o", str(out), option)
        assert done.code == 2
        assert "--salvage copies what is there" in done.err[0]
    second = data.index(b"\xb1pm\n\x01", 20)
    path.write_bytes(data[: second + 99])
    code, _, err = pagemap("snapshot", "--salvage", str(path), "-o", str(out))
    assert (code, err) == (0, ["pagemap: saved 1 moment that is whole; left out 99 bytes"])
    assert pagemap("maps", str(out)).err == []


def test_what_is_salvaged_is_not_replaced(pagemap: Pagemap, tmp_path: Path) -> None:
    """What a later version could save was gone, by whatever name the output was given."""
    path, link, twin = (tmp_path / each for each in ("cut", "link", "twin"))
    data = (SNAPSHOTS / "version-1.pagemap").read_bytes()[:-100]
    path.write_bytes(data)
    link.symlink_to(path)
    os.link(path, twin)
    with path.open("r+b") as file:
        names = (path, f"{tmp_path}/../{tmp_path.name}/cut", link, twin)
        for name in names:
            code, out, err = pagemap("snapshot", "--salvage", str(path), "-o", str(name))
            assert (code, out) == (2, b"")
            assert err[0].startswith(f"pagemap: -o {name} would replace the file that is read")
        words = [*pagemap.command, "snapshot", "--salvage", str(path), "-o"]
        descriptor = f"/dev/fd/{file.fileno()}"
        done = subprocess.run([*words, descriptor], pass_fds=[file.fileno()], check=False)
        assert done.returncode == 2
        assert subprocess.run([*words, "-"], stdout=file, check=False).returncode == 2
        assert path.read_bytes() == data
    assert sorted(tmp_path.iterdir()) == sorted([path, link, twin])
    assert pagemap("snapshot", "--salvage", str(path), "-o", str(tmp_path / "new")).code == 0


def test_a_program_that_has_a_snapshot_in_it(pagemap: Pagemap, tmp_path: Path) -> None:
    """Its author decides what is in it: a path to it names who runs it, and no damaged file."""
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF" + (SNAPSHOTS / "version-1-record.pagemap").read_bytes()[4:])
    done = pagemap("maps", str(path))
    assert (done.code, done.out) == (66, b"")
    assert "damaged" not in done.err[-1]
