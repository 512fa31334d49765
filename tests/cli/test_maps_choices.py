"""`pagemap maps` with chosen columns, order and mappings: the same as choosing afterwards."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests import oracle, workloads

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
    asked = document(pagemap, target.pid, "--columns", "rss,File,uffd_wp", "--columns=USS,rss")
    assert list(asked["totals"]) == ["rss", "file", "uffd_wp", "exclusive"]


def test_a_column_has_one_name(pagemap: Pagemap) -> None:
    """`file` of the table and of --columns was `file_or_shared` in JSON and CSV."""
    code, out, _ = pagemap("maps", "self", "--json")
    about = json.loads(out)
    shown = [name for name in about["mappings"][0] if about["totals"].get(name, 0) is not None]
    assert {"file", "anonymous"} < set(shown)
    code, out, _ = pagemap("maps", "self", "--csv", "--columns", ",".join(shown))
    assert (code, out.splitlines()[0].decode().split(",")) == (0, shown)
    code, out, _ = pagemap("maps", "self", "--columns", ",".join(shown))
    titles = out.splitlines()[0].decode().lower().replace("-", "_").split()
    assert (code, titles) == (0, shown)
    code, out, _ = pagemap("maps", "self", "--columns", "anon", "--csv")
    assert (code, out.splitlines()[0]) == (0, b"anonymous")


def test_totals_only(pagemap: Pagemap, start: Start, can_scan: bool) -> None:
    target = start(workloads.dense())
    target.stop()
    names = "present,size,anonymous"
    arguments = ["maps", str(target.pid), "--totals-only", "--columns", f"path,{names}"]
    about = json.loads(pagemap(*arguments, "--json").out)
    assert list(about) == ["schema", "pid", "page_size", "totals"]
    assert list(about["totals"]) == names.split(",")
    assert about["totals"] == document(pagemap, target.pid, "--columns", names)["totals"]
    amounts = [str(amount) for amount in about["totals"].values()]
    expected = f"{names}\n{','.join(amounts)}\n".encode()
    assert pagemap(*arguments, "--csv") == (0, expected, [])
    lines = pagemap(*arguments, "--pages").out.decode().splitlines()
    assert [line.split() for line in lines] == [
        ["WHAT", "TOTAL"],
        *([name.upper(), str(int(b) // PAGE)] for name, b in about["totals"].items()),
    ]


@pytest.mark.parametrize("column", ["size", "rss", "path", "end", "exclusive", "perms", "inode"])
@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_sorted(pagemap: Pagemap, start: Start, column: str, form: str) -> None:
    target = start(workloads.bash())
    target.stop()
    about = document(pagemap, target.pid)["mappings"]
    name = {"uss": "exclusive"}.get(column, column)
    descending = name in ("size", "rss", "exclusive")

    def key(each: dict[str, Any]) -> Any:
        return int(each[name], 16) if name == "end" else each[name]

    expected = [each["start"] for each in sorted(about, key=key, reverse=descending)]
    out = pagemap("maps", target.pid, form, "--columns", "start", "--sort", column).out
    starts = re.findall(r"0x[0-9a-f]+", out.decode())
    if name == "exclusive":  # what else runs may map the same libraries meanwhile
        expected, starts = expected[:1], starts[:1]
    assert starts == expected


def test_a_pattern(pagemap: Pagemap, start: Start, can_scan: bool) -> None:
    target = start(workloads.bash())
    target.stop()
    names = "start,path,present,anonymous,size"
    about = document(pagemap, target.pid, "--columns", names)
    chosen = [e for e in about["mappings"] if not e["path"] or "/libc.so" in e["path"]]
    assert 1 < len(chosen) < len(about["mappings"])
    found = document(
        pagemap, target.pid, "--columns", names, "--map", "[anon]", "--map", "libc.so*"
    )
    assert found["mappings"] == chosen
    amounts = ("present", "anonymous", "size")
    assert found["totals"] == {name: sum(e[name] for e in chosen) for name in amounts}


def test_a_pattern_that_fits_nothing(pagemap: Pagemap, start: Start) -> None:
    pid = start(workloads.idle()).pid
    said = [f"pagemap: no mapping of process {pid} fits the pattern 'nothing'"]
    code, out, err = pagemap("maps", pid, "--map", "nothing", "--json", "--columns", "start,size")
    assert (code, err) == (1, said)
    assert json.loads(out)["mappings"] == []
    assert json.loads(out)["totals"] == {"size": 0}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--columns presnt", "--columns knows no 'presnt'; did you mean present?"),
        ("--columns size,rsss", "--columns knows no 'rsss'; did you mean rss?"),
        ("--columns size,", "--columns has an empty name; give names parted by commas"),
        ("--sort pss", "--sort knows no 'pss'; did you mean "),
        ("--sort size,path", "--sort takes one column, not 2"),
        ("--sort=", "--sort has an empty name; give names parted by commas"),
        ("--map=", "an empty --map pattern fits nothing"),
        ("--threads 0", "--threads wants a number from 1 on, not '0'"),
        ("--totals-only --columns path", "--totals-only has nothing to add up"),
        ("--pages --json", "argument --json: not allowed with argument --pages"),
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
