"""`pagemap maps` with chosen columns, order and mappings: the same as choosing afterwards."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import looks, oracle, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

PAGE = oracle.PAGE


def document(pagemap: Pagemap, pid: int, *more: str) -> dict[str, Any]:
    code, out, err = pagemap("maps", pid, "--json", *more)
    assert (code, err) == (0, [])
    about: dict[str, Any] = json.loads(out)
    return about


def test_the_usual_spellings(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.dense())
    target.stop()
    asked = document(pagemap, target.pid, "--columns", "rss,File,uffd-wp", "--columns=USS,rss")
    assert list(asked["total"]) == ["rss", "file", "uffd_wp", "uss"]


def test_a_column_has_one_name(pagemap: Pagemap) -> None:
    """`file` of the table and of --columns was `file_or_shared` in JSON and CSV."""
    out = pagemap("maps", "self", "--json").out
    about = json.loads(out)
    shown = [
        name
        for name in about["rows"][0]
        if about["total"].get(name, 0) is not None or name in ("start", "path", "perms")
    ]
    assert {"file", "anon", "shmem"} < set(shown)
    code, out, _ = pagemap("maps", "self", "--csv", "--columns", ",".join(shown))
    assert (code, out.splitlines()[0].decode().split(",")) == (0, shown)
    code, out, _ = pagemap("maps", "self", "--columns", ",".join(shown))
    assert (code, out.splitlines()[0].decode().lower().split()) == (0, shown)


def test_the_total_alone(pagemap: Pagemap, start: Start, can_scan: bool) -> None:
    target = start(workloads.dense())
    target.stop()
    names = "present,size,anon"
    arguments = ["maps", str(target.pid), "--top", "0", "--columns", names]
    about = json.loads(pagemap(*arguments, "--json").out)
    assert about["rows"] == []
    assert list(about["total"]) == names.split(",")
    assert about["total"] == document(pagemap, target.pid, "--columns", names)["total"]
    header, total = pagemap(*arguments).out.decode().splitlines()
    assert (header.split(), len(total.split())) == (names.upper().split(","), 3)


def test_several_processes(pagemap: Pagemap, start: Start) -> None:
    """A name that fits several was an error that listed them."""
    targets = [start(workloads.idle()) for _ in range(2)]
    pids = [target.pid for target in targets]
    code, out, err = pagemap("maps", *pids, "--json", "--columns", "pid,start,size")
    assert (code, err) == (0, [])
    rows = json.loads(out)["rows"]
    assert [(row["pid"], int(row["start"], 16)) for row in rows] == [
        (pid, line.start) for pid in pids for line in oracle.maps(pid)
    ]
    name = Path(f"/proc/{pids[0]}/comm").read_text().strip()
    code, out, err = pagemap("maps", name, "--by", "pid", "--csv", "--columns", "pid,rows")
    assert code in (0, 77), err  # another user's may have that name too
    found = dict(line.split(",") for line in out.decode().splitlines()[1:])
    for pid in pids:
        assert int(found[str(pid)]) == len(oracle.maps(pid))


@pytest.mark.parametrize("column", ["size", "rss", "path", "end", "uss", "perms", "inode"])
@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_sorted(pagemap: Pagemap, start: Start, column: str, form: str) -> None:
    target = start(workloads.bash())
    target.stop()
    descending = column in ("size", "rss", "uss")

    def key(each: dict[str, Any]) -> Any:
        return int(each[column], 16) if column == "end" else each[column]

    def look() -> tuple[list[str], list[str]]:
        rows = document(pagemap, target.pid)["rows"]
        out = pagemap("maps", target.pid, form, "--columns", "start", "--sort", column).out
        starts = re.findall(r"0x[0-9a-f]+", out.decode())
        return starts, [each["start"] for each in sorted(rows, key=key, reverse=descending)]

    looks.agreed(look)


def test_a_pattern(pagemap: Pagemap, start: Start, can_scan: bool) -> None:
    target = start(workloads.bash())
    target.stop()
    names = "start,path,present,anon,size"
    about = document(pagemap, target.pid, "--columns", names)
    chosen = [e for e in about["rows"] if not e["path"] or "/libc.so" in e["path"]]
    assert 1 < len(chosen) < len(about["rows"])
    found = document(
        pagemap, target.pid, "--columns", names, "--map", "[anon]", "--map", "libc.so*"
    )
    assert found["rows"] == chosen
    amounts = ("present", "anon", "size")
    assert {name: found["total"][name] for name in amounts} == {
        name: sum(e[name] for e in chosen) for name in amounts
    }


def test_a_pattern_that_fits_nothing(pagemap: Pagemap, start: Start) -> None:
    pid = start(workloads.idle()).pid
    said = [f"pagemap: no mapping of process {pid} matches the pattern 'nothing'"]
    code, out, err = pagemap("maps", pid, "--map", "nothing", "--json", "--columns", "start,size")
    assert (code, err) == (1, said)
    assert json.loads(out)["rows"] == []
    assert json.loads(out)["total"] == {"size": 0}


def test_a_file_is_not_replaced_by_nothing(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    pid = start(workloads.idle()).pid
    file = tmp_path / "maps.csv"
    file.write_text("of yesterday")
    code, out, err = pagemap("maps", pid, "--map", "nothing", "--csv", "-o", str(file))
    said = f"pagemap: no mapping of process {pid} matches the pattern 'nothing'"
    assert (code, out, err) == (1, b"", [said])
    assert file.read_text() == "of yesterday"
    assert (
        pagemap("maps", pid, "--map", "nothing", "--map", "*", "--csv", "-o", str(file)).code == 1
    )
    assert file.read_text().startswith("pid,")


@pytest.mark.parametrize(("text", "meant"), [("libc", "libc*"), ("anon", "[anon]")])
def test_a_pattern_that_nearly_fits(pagemap: Pagemap, start: Start, text: str, meant: str) -> None:
    """`--map libc` gave an empty table, and no hint."""
    pid = start(workloads.idle()).pid
    said = (
        f"pagemap: no mapping of process {pid} matches the pattern {text!r}; "
        f"did you mean {meant!r}?"
    )
    code, _, err = pagemap("maps", pid, "--map", text)
    assert (code, err) == (1, [said])
    assert pagemap("maps", pid, "--map", meant).code == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--by nod", "--by knows no 'nod'; did you mean node?"),
        ("--columns presnt", "--columns knows no 'presnt'; did you mean present?"),
        ("--columns size,rsss", "--columns knows no 'rsss'; did you mean rss?"),
        ("--columns size,", "--columns has an empty name; separate names by commas"),
        ("--sort psss", "--sort knows no 'psss'; did you mean pss?"),
        ("--sort size,path", "--sort takes one column, not 2"),
        ("--sort=", "--sort has an empty name; separate names by commas"),
        ("--map=", "an empty --map pattern matches nothing"),
        ("--threads 0", "--threads needs a number from 1 on, not '0'"),
        ("--csv --json", "argument --json: not allowed with argument --csv"),
    ],
)
def test_what_cannot_be_understood(pagemap: Pagemap, unused_pid: int, line: str, said: str) -> None:
    code, out, err = pagemap("maps", unused_pid, *line.split())
    assert (code, out) == (2, b"")
    assert err[0].startswith(f"pagemap: {said}")


@pytest.mark.parametrize("can_scan", ["without"], indirect=True)
@pytest.mark.parametrize("line", ["--columns huge", "--sort huge", "--columns huge,size --json"])
def test_a_count_that_is_not_to_be_had(pagemap: Pagemap, can_scan: bool, line: str) -> None:
    said = "pagemap: this kernel cannot count huge pages: PAGEMAP_SCAN can, since Linux 6.7"
    assert pagemap("maps", "self", *line.split()) == (69, b"", [said])


@pytest.mark.parametrize("how", ["twice", "vfork", "CLONE_VM"])
def test_one_address_space_counts_once(pagemap: Pagemap, start: Start, how: str) -> None:
    """`maps P P`, and a child of vfork beside its parent, counted all mappings twice."""
    if how == "CLONE_VM":
        target = start(workloads.own_target("clone_vm", 1 << 21))
        (other,) = target.children
    else:
        target = start(workloads.dense(1 << 21))
        other = target.ask("v") if how == "vfork" else target.pid
    code, out, err = pagemap("maps", target.pid, other, "--json", "--columns", "size,path")
    assert code == 0
    assert json.loads(out)["total"]["size"] == sum(
        line.end - line.start for line in oracle.maps(target.pid)
    )
    said = f"pagemap: counted once (vfork, CLONE_VM): process {target.pid} includes {other}"
    assert err == ([] if how == "twice" else [said])
