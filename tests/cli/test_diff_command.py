"""`pagemap diff A B` and `pagemap maps TARGET --since FILE`, as people type them."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pagemap._kernel import soft_dirty as track
from tests import oracle, workloads
from tests.changes import PAGES, changing
from tests.cli.test_terminal import ESCAPE, Terminal, colourful

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

SIZE = PAGES * oracle.PAGE


class Case:
    """Two snapshots of a process, which wrote 64 untouched pages in between."""

    def __init__(self, pagemap: Pagemap, folder: Path, name: str) -> None:
        self.before, self.after = str(folder / "before"), str(folder / "after")
        self._pagemap = pagemap
        with changing(name, folder) as target:
            self.pid = target.pid
            self._take(self.before)
            self.area = target.change()
            self._take(self.after)

    def _take(self, path: str) -> None:
        code, _, err = self._pagemap("snapshot", self.pid, "-o", path)
        assert code == 0, err


@pytest.fixture
def case(pagemap: Pagemap, tmp_path: Path) -> Case:
    return Case(pagemap, tmp_path, "touch")


def document(pagemap: Pagemap, *words: str | int) -> Any:
    code, out, err = pagemap("diff", *words, "--json")
    assert code == 0, err
    return json.loads(out)


def test_by_mapping(pagemap: Pagemap, case: Case) -> None:
    told = document(pagemap, case.before, case.after)
    assert (told["schema"], told["version"]) == ("pagemap.diff", 1)
    about = told["about"]
    assert (about["pid"], about["before_pid"]) == (case.pid, case.pid)
    (row,) = (each for each in told["rows"] if each["start"] == hex(case.area.start))
    assert (row["kind"], row["amount"], row["rss"], row["anon"]) == ("faulted in", *[SIZE] * 3)
    assert (row["was_start"], row["was_perms"], row["size"]) == (row["start"], row["perms"], 0)
    assert told["total"]["rss"] == SIZE + sum(
        each["rss"] for each in told["rows"] if each is not row
    )


def test_by_kind_and_by_path(pagemap: Pagemap, case: Case) -> None:
    kinds = document(pagemap, case.before, case.after, "--by", "kind")
    paths = document(pagemap, case.before, case.after, "--by", "path")
    assert kinds["schema"] == "pagemap.diff.kinds"
    assert paths["schema"] == "pagemap.diff.paths"
    (row,) = (each for each in kinds["rows"] if each["kind"] == "faulted in")
    parts = [each["amount"] for each in paths["rows"] if each["kind"] == "faulted in"]
    assert row["amount"] == sum(parts) >= SIZE
    assert kinds["total"]["rss"] == paths["total"]["rss"]


def test_pages(pagemap: Pagemap, case: Case) -> None:
    told = document(pagemap, case.before, case.after, "--pages")
    assert told["schema"] == "pagemap.diff.regions"
    (row,) = (each for each in told["rows"] if each["start"] == hex(case.area.start))
    wanted = {"size": SIZE, "kind": "faulted in", "before": "none", "after": "anon", "path": ""}
    assert {name: row[name] for name in wanted} == wanted


def test_a_table_has_signs(pagemap: Pagemap, case: Case) -> None:
    code, out, _ = pagemap("diff", case.before, case.after, "--columns", "kind,amount,rss")
    assert code == 0
    assert "faulted in  256.0K  +256.0K" in [
        "  ".join(line.split("  ")[:1] + line.split()[-2:]) for line in out.decode().splitlines()
    ]
    code, out, _ = pagemap("diff", case.after, case.before, "--columns", "rss,kind")
    assert code == 0
    assert b"-256.0K" in out


def test_nothing_changed_is_said(pagemap: Pagemap, case: Case) -> None:
    """And that writes in place may have been missed, where no soft-dirty bits tell of them."""
    _, _, err = pagemap("diff", case.before, case.before)
    assert err[-1].startswith("pagemap: nothing changed")
    assert ("soft-dirty" in err[-1]) is not track.is_tracked()
    _, _, err = pagemap("diff", case.before, case.after)
    assert not any("nothing changed" in line for line in err)


def test_snapshots_without_frames(pagemap: Pagemap, tmp_path: Path) -> None:
    """It is not this kernel that hides them."""
    path = str(tmp_path / "without")
    assert pagemap("snapshot", os.getpid(), "--no-pfns", "-o", path).code == 0
    _, _, err = pagemap("diff", path, path)
    assert f"pagemap: PFNs are not compared: {path} was taken without them" in err[0]


def test_nothing_changed(pagemap: Pagemap, case: Case) -> None:
    told = document(pagemap, case.before, case.before)
    assert told["rows"] == []
    assert set(told["total"].values()) <= {0, None}


def test_other_processes_are_compared_without_frames(
    pagemap: Pagemap, case: Case, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Case(pagemap, tmp_path / "other", "touch")
    code, out, err = pagemap("diff", case.before, other.before, "--json")
    assert code == 0
    about = json.loads(out)["about"]
    assert about["pfns_compared"] is False
    assert about["pfns_not_compared_because"] == "the two are of different processes"
    assert "pagemap: PFNs are not compared: the two are of different processes" in err


@pytest.mark.parametrize("asked", [["--by", "nothing"], ["--by", "kind", "--pages"]])
def test_usage(pagemap: Pagemap, case: Case, asked: list[str]) -> None:
    code, out, err = pagemap("diff", case.before, case.after, *asked)
    assert (code, out) == (2, b"")
    assert "--by" in err[0]


def test_one_process_as_it_is_now(pagemap: Pagemap) -> None:
    pid = os.getpid()
    code, out, err = pagemap("diff", pid, pid)
    assert (code, out) == (2, b"")
    assert err[0].endswith(f"pagemap snapshot {pid} -o FILE")


def test_a_process_that_is_gone(pagemap: Pagemap, case: Case) -> None:
    code, out, err = pagemap("diff", case.before, case.pid)
    assert (code, out) == (66, b"")
    assert str(case.pid) in err[0]


def test_maps_since(pagemap: Pagemap, case: Case) -> None:
    code, out, err = pagemap("maps", case.after, "--since", case.before, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["schema"] == "pagemap.maps.since"
    assert told["about"]["since"] < told["about"]["end"]
    (row,) = (each for each in told["rows"] if each["start"] == hex(case.area.start))
    assert (row["rss"], row["rss_change"], row["size_change"]) == (SIZE, SIZE, 0)
    changes = document(pagemap, case.before, case.after, "--by", "kind")["total"]
    assert told["total"]["rss_change"] == changes["rss"]
    assert told["total"]["size_change"] == changes["size"]


def test_maps_since_what_is_gone(pagemap: Pagemap, tmp_path: Path) -> None:
    case = Case(pagemap, tmp_path, "unmap")
    columns = ["start", "size", "size_change", "rss_change"]
    words = ["maps", case.after, "--since", case.before, "--csv", "--columns", ",".join(columns)]
    code, out, err = pagemap(*words)
    assert code == 0, err
    rows = {row["start"]: row for row in csv.DictReader(io.StringIO(out.decode()))}
    gone = rows[hex(case.area.start)]
    assert [gone[name] for name in columns[1:]] == ["0", str(-SIZE), str(-SIZE)]


def test_maps_since_in_a_table(pagemap: Pagemap, case: Case) -> None:
    words = ["maps", case.after, "--since", case.before, "--columns", "start,rss"]
    code, out, err = pagemap(*words)
    assert code == 0, err
    lines = [line.split() for line in out.decode().splitlines()]
    assert [hex(case.area.start), "256.0K", "+256.0K"] in lines
    assert lines[-1][0] == "total"
    assert lines[-1][-1].startswith("+")


def test_maps_since_takes_a_snapshot_of_the_process(
    pagemap: Pagemap, case: Case, start: Start
) -> None:
    target = start(workloads.idle())
    code, out, err = pagemap("maps", target.pid, "--since", "self")
    assert (code, out) == (2, b"")
    assert "--since takes a snapshot, and 'self' means a process" in err[0]
    code, out, err = pagemap("maps", target.pid, target.pid, case.after, "--since", case.before)
    assert code == 2
    assert f"has no process {target.pid}; pagemap diff compares" in "\n".join(err)
    code, out, err = pagemap("maps", target.pid, "--since", case.before, "--watch", "1")
    assert (code, out) == (2, b"")
    assert "--watch" in err[0]


def test_again_and_again(pagemap: Pagemap) -> None:
    """What changed since the time before: some memory of one that takes more and more."""
    grows = "import time\nheld = []\nwhile True: held.append(bytes(1 << 20)); time.sleep(0.05)"
    with subprocess.Popen([sys.executable, "-c", grows]) as target:
        words = ("diff", target.pid, "--every", "200ms", "--by", "kind", "--format", "jsonl")
        process = pagemap.start(*words)
        try:
            assert process.stdout is not None
            rows = map(json.loads, process.stdout)
            sizes = [row["amount"] for _, row in zip(range(3), grown(rows), strict=False)]
            assert max(sizes) < 1 << 30
            target.kill()
            _, err = process.communicate()
            assert process.returncode == 75
            assert err.splitlines()[-1].startswith(f"pagemap: process {target.pid} exited".encode())
        finally:
            target.kill()
            process.kill()
            process.wait()


def test_killed_it_leaves_nothing_behind(pagemap: Pagemap, tmp_path: Path) -> None:
    """Its looks were files below TMPDIR, which hold physical addresses."""
    words = ("diff", os.getpid(), "--every", "100ms")
    process = pagemap.start(*words, env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.communicate()
    assert list(tmp_path.iterdir()) == []


def test_why_looks_have_no_frames(unprivileged: Pagemap) -> None:
    """It named a file of its own, /proc/self/fd/6, and asked for another snapshot."""
    process = unprivileged.start("diff", "self", "--every", "10ms", "--by", "kind")
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == (
            b"pagemap: PFNs are not compared: the kernel hides them without CAP_SYS_ADMIN "
            b"(in the initial user namespace); run with sudo\n"
        )
    finally:
        process.kill()
        process.communicate()


def grown(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (row for row in rows if row["kind"] == "faulted in")


def test_one_process_alone(pagemap: Pagemap, case: Case) -> None:
    for words, said in (
        ((os.getpid(),), "give B too, or --every"),
        ((case.before, "--every", "1s"), "a snapshot does not change"),
        ((case.before, case.after, "--every", "1s"), "leave out B"),
        ((os.getpid(), "--every", "1s", "--watch", "1"), "they mean the same"),
    ):
        code, out, err = pagemap("diff", *words)
        assert (code, out) == (2, b"")
        assert said in err[0]


def test_a_narrow_terminal(pagemap: Pagemap, tmp_path: Path) -> None:
    """What became of how much of what is there; where, which has wide columns, is not."""
    case = Case(pagemap, tmp_path, "write file")
    terminal = Terminal(40)
    process = pagemap.start("diff", case.before, case.after, stdout=terminal.fd, env=colourful())
    process.communicate()
    lines = ESCAPE.sub(b"", terminal.close()).decode().splitlines()
    assert lines[0].split() == ["KIND", "AMOUNT", "PATH"]
    assert any(line.startswith("copied from file ") for line in lines)


def test_since_another_process(pagemap: Pagemap, case: Case) -> None:
    """Its mappings lie elsewhere; by path it does not matter where."""
    said = "pagemap: another process: addresses differ; --by path compares by file"
    code, _, err = pagemap("maps", "self", "--since", case.before, "--csv")
    assert (code, err.count(said)) == (0, 1)
    code, _, err = pagemap("maps", "self", "--since", case.before, "--csv", "--by", "path")
    assert (code, err.count(said)) == (0, 0)
    code, _, err = pagemap("maps", case.after, "--since", case.before, "--csv")
    assert (code, err.count(said)) == (0, 0)
