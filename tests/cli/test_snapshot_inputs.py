"""FILE as TARGET: which moment and process of it, several files, and what is no snapshot."""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._cli import main
from pagemap._cli.commands import COMMANDS
from pagemap._cli.parser import build_parser
from pagemap._cli.saved_targets import READERS
from pagemap._cli.spaces import all_saved
from tests import everyone, workloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Pagemap as Command
    from tests.target import Target

PAGE = os.sysconf("SC_PAGESIZE")
SIZE = 64 * PAGE
NO_TARGET = ("memory", "wss", "writes", "doctor", "snapshot", "record")


@pytest.fixture(scope="module", name="saved")
def _saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, Path]]:
    """A parent and its child, in a snapshot; and a record of the parent, which writes between."""
    folder = tmp_path_factory.mktemp("inputs")
    with workloads.own_target("forked", SIZE) as target:
        pids = [str(target.pid), *map(str, target.children)]
        assert main(["snapshot", *pids, "-o", str(folder / "two.pagemap")]) == 0
        yield target, folder / "two.pagemap"


@pytest.fixture(scope="module", name="record")
def _record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of this process, which maps more and more, of three moments."""
    import mmap

    file = tmp_path_factory.mktemp("record") / "r.pagemap"
    held = []
    with pagemap.Recorder(os.getpid(), str(file), pfns=False) as recorder:
        for _ in range(3):
            held.append(mmap.mmap(-1, SIZE))
            recorder.take()
    for each in held:
        each.close()
    return file


def fails(capfd: pytest.CaptureFixture[str], code: int, *words: str) -> str:
    """What a command says as it ends with this code, and writes nothing."""
    assert main(list(words)) == code, words
    said = capfd.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return said.err


def shown(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, Any], str]:
    """The JSON that a command writes as it ends well, and what it says."""
    assert main([*words, "--json"]) == 0, words
    said = capfd.readouterr()
    found: dict[str, Any] = json.loads(said.out)
    return found, said.err


def size_of(file: str, capfd: pytest.CaptureFixture[str]) -> int:
    """The sum of all mappings."""
    size: int = shown(capfd, "maps", file)[0]["total"]["size"]
    return size


def test_a_moment_of_a_record(record: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """FILE@N of the command, and `moment` of the library: 0 the first, -1 the last, the default."""
    file = record
    sizes = [size_of(f"{file}@{number}", capfd) for number in range(3)]
    assert sizes[2] - sizes[1] >= SIZE // 2  # others may be unmapped meanwhile
    assert sizes == [size_of(f"{file}@{number}", capfd) for number in (-3, -2, -1)]
    assert size_of(str(file), capfd) == sizes[-1]
    assert size_of(f"{file}@1#{os.getpid()}", capfd) == sizes[1]
    with pagemap.Snapshot(file) as snapshot:
        for number, size in enumerate(sizes):
            with snapshot.process(moment=number) as process:
                assert process.tally(["rss"]).total().size == size
        assert snapshot.names(moment=1).keys() == {os.getpid()}
    alone = all_saved([f"{file}@1"])
    assert alone is not None
    assert alone.about()["sharers_known"] is True
    for moment in ("3", "-4"):
        assert "3 moments, from 0 to 2" in fails(capfd, 66, "maps", f"{file}@{moment}")
    assert "'x' is no number of a moment" in fails(capfd, 2, "maps", f"{file}@x")
    assert "'x' is no number of a process" in fails(capfd, 2, "maps", f"{file}#x")


def test_several_files(
    saved: tuple[Target, Path], record: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A column tells of which file a row is; there is none where all are of one."""
    target, two = saved
    file = record
    places = [f"{file}@0", f"{file}@1", f"{two}#{target.pid}", "self"]
    found, _ = shown(capfd, "maps", *places)
    assert {row["snapshot"] for row in found["rows"]} == {f"{file}@0", f"{file}@1", str(two), ""}
    assert found["about"]["snapshots"] == [f"{file}@0", f"{file}@1", str(two)]
    assert "snapshot" not in found["about"]
    for row in found["rows"]:
        assert row["pid"] == (target.pid if row["snapshot"] == str(two) else os.getpid())
    assert main(["maps", *places[:2], "--csv", "--columns", "snapshot,start"]) == 0
    lines = csv.DictReader(io.StringIO(capfd.readouterr().out))
    assert {line["snapshot"] for line in lines} == {f"{file}@0", f"{file}@1"}
    found, _ = shown(capfd, "maps", str(two))
    assert "snapshot" not in found["rows"][0]
    assert found["about"]["snapshot"] == str(two)


def test_what_processes_of_a_file_share(
    saved: tuple[Target, Path], capfd: pytest.CaptureFixture[str], need_pfns: None
) -> None:
    """Memory since a fork, by a naive search through both; and nothing of any other process."""
    target, file = saved
    (child,) = target.children
    found, said = shown(capfd, "sharing", str(file), "--what", "pairs")
    assert "looked at the processes of the snapshot only" in said
    (pair,) = found["rows"]
    assert {pair["pid"], pair["other_pid"]} == {target.pid, child}
    naive = {frame for _, frame, _ in everyone.pages(target.pid)}
    naive &= {frame for _, frame, _ in everyone.pages(child)}
    zeros = 16 * PAGE  # and the kernel's own pages
    assert abs(pair["shared"] - len(naive) * PAGE) <= zeros
    assert pair["shared"] >= SIZE
    assert pair["anon"] is None  # unknown without frames, and not 0
    assert "--frames" in said
    assert found["about"]["among"] == "the processes of the snapshot"
    one, _ = shown(capfd, "sharing", f"{file}#{child}", "--what", "pairs")
    assert [row["shared"] for row in one["rows"]] == [pair["shared"]]
    alone, said = shown(capfd, "sharing", f"{file}#{child}", "--targets-only", "--what", "total")
    assert alone["rows"][0]["shared"] == 0
    assert "take a snapshot of several" in said


def test_who_of_a_file_maps_a_page(
    saved: tuple[Target, Path], capfd: pytest.CaptureFixture[str], need_pfns: None
) -> None:
    target, file = saved
    pids = [target.pid, *target.children]
    of_child = {frame for _, frame, _ in everyone.pages(pids[1])}
    start, pfn = next(
        (at, frame)
        for at, frame, label in everyone.pages(target.pid)
        if frame in of_child and not label
    )
    found, said = shown(capfd, "who", f"{file}#{target.pid}", f"{start:#x}")
    assert "looked at the processes of the snapshot only: 2 processes" in said
    expected = everyone.mappers(pfn, pids)
    assert len(expected) == 2
    assert {(row["pid"], int(row["address"], 16)) for row in found["rows"]} == expected
    assert all(row["flags"] is row["mapcount"] is None for row in found["rows"])
    by_number, _ = shown(capfd, "who", str(file), "--pfn", f"{pfn:#x}")
    assert by_number["rows"] == found["rows"]
    nobody, _ = shown(capfd, "who", str(file), "--pfn", "0x1")
    assert nobody["rows"] == []
    assert nobody["about"]["frames"][0]["mapcount"] is None
    assert "choose one" in fails(capfd, 2, "who", str(file), f"{start:#x}")
    with pagemap.Snapshot(file) as snapshot:
        assert len(snapshot.owners([pfn])) == len(expected)
        with pytest.raises(pagemap.UsageError, match="out of range"):
            snapshot.owners([1 << 60])


def test_commands_that_read_what_runs(
    saved: tuple[Target, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """They say so in one wording, with all that read a file; and these say so in their help."""
    _, file = saved
    out = os.devnull
    wordings = set()
    for name in NO_TARGET:
        more = ["-o", out] if name in ("snapshot", "record") else []
        wordings.add(fails(capfd, 2, name, str(file), *more))
    (said,) = wordings
    names = said.partition("snapshots are read by ")[2].strip().replace(" and ", ", ").split(", ")
    assert names == list(READERS)
    *most, last = READERS
    whole = " ".join(build_parser("").format_help().split())
    assert f"{', '.join(most)} and {last} also read a snapshot" in whole
    for name, _, _ in COMMANDS:
        if name == "contents":
            continue  # which takes a file, and no TARGET
        with pytest.raises(SystemExit):
            build_parser(name).parse_args([name, "--help"])
        assert ("FILE#PID" in capfd.readouterr().out) == (name in READERS)


def test_what_is_no_snapshot(
    saved: tuple[Target, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    _, file = saved
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "empty.pagemap").touch()
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.chdir(tmp_path)
    assert "No such file" in fails(capfd, 66, "contents", "none.pagemap")
    assert "No such file" in fails(capfd, 66, "snapshot", "--salvage", "none.pagemap", "-o", "new")
    for name in ("notes.txt", "./notes.txt", "empty.pagemap", "notes.txt@0", "empty.pagemap#7"):
        said = fails(capfd, 66, "maps", name)
        assert "is no snapshot, and no process has that name" in said
    for words in (
        ("contents", "notes.txt"),
        ("who", "notes.txt", "--pfn", "0x1"),
        ("maps", str(file), "--since", "notes.txt"),
    ):
        assert "notes.txt is no snapshot of pagemap" in fails(capfd, 66, *words)
    for mark in ("@0", "#77"):
        for line in ("contents", "snapshot -o new --salvage"):
            said = fails(capfd, 2, *line.split(), f"{file}{mark}")
            assert f"this takes the file, with all that is in it: {file}" in said
    for name in ("nosuch.pagemap", "./nosuch", "nosuch.pagemap@2", "notes.txt/below"):
        assert "there is no file" in fails(capfd, 66, "regions", name)
    others = ("contents NAME", "maps self --since NAME", "snapshot -o new --salvage NAME")
    for name, kind in ((".", "is a directory"), ("fifo", "is not a regular file")):
        assert f"{name} {kind}, and no process has that name" in fails(capfd, 66, "dump", name)
        for line in others:
            said = fails(capfd, 66, *line.replace("NAME", name).split())
            assert f"cannot open {name}: it {kind}" in said
    assert "no process has the name 'nosuch'" in fails(capfd, 66, "maps", "nosuch")
    for name in ("nosuch.pagemap", "nosuch"):
        assert f"cannot open {name}: No such" in fails(capfd, 66, "maps", "self", "--since", name)
    shutil.copy(file, "odd\n#1.pagemap")
    assert main(["maps", "odd\n#1.pagemap", "--top", "0"]) == 0


def test_a_snapshot_that_may_not_be_read(
    saved: tuple[Target, Path], pagemap_as_nobody: Command
) -> None:
    _, file = saved
    with tempfile.TemporaryDirectory(prefix="pagemap-") as name:
        Path(name).chmod(0o755)
        closed = Path(name) / "closed"
        closed.mkdir(0o700)
        owner = pwd.getpwuid(os.getuid()).pw_name
        for folder, why in (
            (Path(name), f"it belongs to {owner}"),
            (closed, "a directory above it may not be entered"),
        ):
            place = folder / "private.pagemap"
            shutil.copy(file, place)
            place.chmod(0o600)
            salvage = ["snapshot", "--salvage", str(place), "-o", "-"]
            for words in (["maps", str(place)], ["contents", str(place)], salvage):
                code, out, err = pagemap_as_nobody(*words)
                assert (code, out) == (77, b"")
                assert f"cannot open {place}: permission denied; {why}" in err[0]
            code, out, err = pagemap_as_nobody("maps", "self", "--since", str(place))
            assert (code, out) == (77, b"")
            assert "permission denied" in err[0].lower()


def test_a_file_stays_as_it_is(
    saved: tuple[Target, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is not replaced by what is read out of it, nor watched."""
    target, file = saved
    link = tmp_path / "link"
    link.symlink_to(file)
    place = f"{file}#{target.pid}"
    before = file.read_bytes()
    for words in (
        ["maps", str(file)],
        ["dump", place],
        ["sharing", str(file)],
        ["maps", "self", "--since", str(file)],
        ["diff", place, place],
    ):
        for output in (file, link):
            assert "would replace the snapshot" in fails(capfd, 2, *words, "-o", str(output))
    for words in (["maps", str(file)], ["diff", place, place], ["segments", place]):
        assert "--watch shows what changes" in fails(capfd, 2, *words, "--watch", "1")
    assert file.read_bytes() == before


def test_which_process_of_several(
    saved: tuple[Target, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """The pids with the names, and how to write it."""
    target, file = saved
    said = fails(capfd, 2, "segments", str(file))
    assert f"choose one, as {file}#{target.pid}:" in said
    with open(f"/proc/{target.pid}/comm") as comm:
        name = comm.read().strip()
    pids = [target.pid, *target.children]
    assert [line.split() for line in said.splitlines()[1:]] == [[str(pid), name] for pid in pids]
