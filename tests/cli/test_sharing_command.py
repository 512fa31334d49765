"""`pagemap sharing`: whole outputs, and every error with its exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests import everyone, oracle, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

PAGE = oracle.PAGE
MIB = 1 << 20
KINDS = ("anon", "file", "shmem", "ksm", "other", "zero")
PARTS = ("total", "processes", "pairs", "groups", "paths", "frames")


@pytest.fixture
def family(start: Start, need_pfns: None, need_root: None) -> list[int]:
    """Three processes at rest that share anonymous memory."""
    target = start(workloads.dense(64 * PAGE))
    pids = [target.pid, target.ask("f"), target.ask("f")]
    for pid in pids:
        everyone.wait_asleep(pid)
    target.stop()
    return pids


def ask(pagemap: Pagemap, pids: list[int], *options: str) -> bytes:
    code, out, err = pagemap("sharing", *pids, "--targets-only", *options)
    assert code == 0
    # said where the kernel's flag of merged pages is on all that are anonymous
    said = [] if everyone.ksm_is_told() else ["pagemap: this kernel marks every"]
    assert [line.partition(" anonymous")[0] for line in err] == said
    return out


def test_json(pagemap: Pagemap, family: list[int]) -> None:
    told = json.loads(ask(pagemap, family, "--json"))
    about = told["about"]
    assert (told["schema"], told["version"], about["page_size"]) == ("pagemap.sharing", 3, PAGE)
    naive, _ = everyone.groups(family)
    untold = {} if everyone.ksm_is_told() else {"ksm": None}
    assert about["ksm_told"] == (not untold)
    wanted = {
        key: {kind: count[kind] * PAGE for kind in KINDS} | untold
        for key, count in naive.items()
        if set(count) - {"zero"}
    }
    groups = {(tuple(each["pids"]), each["path"]): each for each in told["groups"]}
    assert {key: {kind: each[kind] for kind in KINDS} for key, each in groups.items()} == wanted
    assert all(each["processes"] == len(each["pids"]) for each in told["groups"])
    assert all(
        each["shared"] == sum(each[kind] or 0 for kind in KINDS[:-1]) for each in told["groups"]
    )
    (total,) = told["total"]
    assert total["shared"] == sum(each["shared"] for each in told["groups"])
    saved = sum(each["shared"] * (each["processes"] - 1) for each in told["groups"])
    assert total["saved"] == saved
    assert {(each["pid"], each["other_pid"]) for each in told["pairs"]} == {
        (family[0], family[1]),
        (family[0], family[2]),
        (family[1], family[2]),
    }
    assert {each["pid"] for each in told["processes"]} == set(family)
    assert (about["processes"], about["left_out"], about["complete"]) == (3, [], True)
    assert told["frames"][0]["processes"] == 3


def number(text: str) -> int:
    """Bytes of an amount in a cell, as exact as it tells."""
    unit = {"K": 1 << 10, "M": 1 << 20}.get(text[-1], 1)
    return round(float(text.rstrip("KM")) * unit)


def test_tables(pagemap: Pagemap, family: list[int]) -> None:
    told = json.loads(ask(pagemap, family, "--json", "--top", "10"))
    out = ask(pagemap, family).decode()
    tables = [table.splitlines() for table in out.split("\n\n")]
    assert [table[0] for table in tables] == list(PARTS)
    for name, titles, *rows in tables:
        columns = titles.lower().split()
        items: list[dict[str, Any]] = told[name]
        assert len(rows) == len(items)
        shown = set(columns) & set(KINDS)
        assert shown == (set() if name == "frames" else set(KINDS))
        for row, item in zip(rows, items, strict=True):
            words = row.split()
            if "pids" in columns:  # there are several
                first = columns.index("pids")
                pids = words[first : first + item["processes"]]
                assert pids == list(map(str, item["pids"]))
                words[first : first + item["processes"]] = [""]
            cells = dict(zip(columns, words, strict=False))
            for kind in shown:
                if item[kind] is None:
                    assert cells[kind] == "-"
                else:
                    assert abs(number(cells[kind]) - item[kind]) <= item[kind] / 10
            if "path" in columns:
                assert cells["path"] == (item["path"].split() or ["[anon]"])[0]
            if "pfn" in columns:
                assert (cells["pfn"], cells["kind"]) == (item["pfn"], item["kind"])


@pytest.mark.parametrize("part", PARTS)
def test_csv(pagemap: Pagemap, family: list[int], part: str) -> None:
    told = json.loads(ask(pagemap, family, "--json", "--what", part))
    assert (told["schema"], told["version"]) == (f"pagemap.sharing.{part}", 3)
    items = told["rows"]
    rows = list(csv.DictReader(io.StringIO(ask(pagemap, family, "--csv", "--what", part).decode())))
    for row in (*items, *rows):
        row.pop("mapcount", None)  # of libc, it is others' too, who come and go
    assert [
        {
            name: " ".join(map(str, value)) if isinstance(value, list) else cell(value)
            for name, value in item.items()
        }
        for item in items
    ] == rows


def cell(value: object) -> str:
    return "" if value is None else str(value)


def test_the_heaviest_few(pagemap: Pagemap, family: list[int]) -> None:
    out = ask(pagemap, family, "--top", "2", "--what", "groups,frames").decode()
    assert [len(table.splitlines()) for table in out.split("\n\n")] == [4, 4]
    words = ["--what", "pairs", "--sort", "pid", "--columns", "pid,shared"]
    out = ask(pagemap, family, *words).decode()
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["PID", "SHARED"]
    assert [int(line[0]) for line in lines[1:]] == sorted(int(line[0]) for line in lines[1:])


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_a_name_may_fit_several(pagemap: Pagemap, namesakes: list[int]) -> None:
    name = everyone.status(namesakes[0], "Name")
    code, out, _ = pagemap("sharing", name, "--json", "--what", "groups")
    assert code == 0
    assert any(set(namesakes) <= set(each["pids"]) for each in json.loads(out)["rows"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--targets-only", "--targets-only needs targets: name the processes to read"),
        ("--what grups", "--what knows no 'grups'; did you mean groups?"),
        (
            "--what pairs,groups --csv",
            "--format csv needs a single table, and these are 2: choose one with",
        ),
        (
            "--csv",
            "--format csv needs a single table, and these are 6: choose one with --what: ",
        ),
        ("--format jsonl", "--format jsonl needs a single table"),
        ("--format arrow", "--format arrow needs a single table"),
        ("--columns pid", "--columns needs a single table"),
        ("--sort pid", "--sort needs a single table"),
        ("--watch 1", "--watch needs a single table"),
        ("--what pairs --columns path", "--columns knows no 'path'; choose from pid"),
        ("--top -1", "--top needs a number from 0 on, not '-1'"),
        ("--threads many", "--threads needs a number from 1 on, not 'many'"),
        (
            "--by grup",
            "--by knows no 'grup'; did you mean cgroup? choose from name, exe, user, cgroup",
        ),
        ("--by name,user", "--by takes one word"),
        (
            "--by name --what frames",
            "--what with --by knows no 'frames'; choose from total, groups",
        ),
        ("--by name --csv", "--format csv needs a single table, and these are 5: choose one with"),
        ("--json --csv", "argument --csv: not allowed with argument --json"),
    ],
)
def test_what_cannot_be_understood(pagemap: Pagemap, line: str, said: str) -> None:
    code, out, err = pagemap("sharing", *line.split())
    assert (code, out) == (2, b"")
    assert err[0].startswith(f"pagemap: {said}")


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_one_target_alone(pagemap: Pagemap) -> None:
    """Six empty tables, and not a word."""
    code, _, err = pagemap("sharing", os.getpid(), "--targets-only")
    said = "pagemap: of one process alone nothing is shared; name more, or leave out --targets-only"
    assert code == 0
    assert said in err


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_targets_that_are_not_there(pagemap: Pagemap, unused_pid: int, kernel_thread: int) -> None:
    assert pagemap("sharing", unused_pid)[:2] == (66, b"")
    assert pagemap("sharing", "no such name at all")[:2] == (66, b"")
    code, out, _ = pagemap("sharing", kernel_thread, "--targets-only", "--json")
    assert (code, json.loads(out)["groups"]) == (0, [])


def test_without_rights(unprivileged: Pagemap) -> None:
    code, out, err = unprivileged("sharing")
    assert (code, out) == (77, b"")
    assert err[0].startswith("pagemap: cannot read /proc/kpageflags: permission denied")
    assert "CAP_DAC_READ_SEARCH" in err[0]
    assert "; 'pagemap maps TARGET --columns rss," in err[0]


@pytest.mark.usefixtures("need_pfns", "need_root")
@pytest.mark.parametrize("which", ["sharing", "who"])
def test_few_descriptors(pagemap: Pagemap, start: Start, which: str) -> None:
    """With RLIMIT_NOFILE=10 processes were left out for want of descriptors, and the exit was 0."""
    parent = start(workloads.dense(MIB))
    children = {parent.ask("f") for _ in range(12)}
    frame = oracle.pfn(oracle.entries(parent.pid, parent.first.start, parent.first.end)[0])
    words = ["who", "--pfn", f"{frame:#x}"] if which == "who" else ["sharing", str(parent.pid)]
    for most in (6, 8, 10, 64):
        process = pagemap.start(*words, "--json", prefix=("prlimit", f"--nofile={most}"))
        out, err = process.communicate(timeout=60)
        said = err.decode()
        if process.returncode:
            assert "Too many open files" in said
            assert most < 64  # how many at once, is a matter of threads and of their turns
            continue
        about = json.loads(out)
        rows = about["rows"] if which == "who" else about["processes"]
        assert {parent.pid, *children} <= {row["pid"] for row in rows}
        assert "Too many open files" not in said
        assert not any("open files" in each["reason"] for each in about["about"]["left_out"])


@pytest.mark.usefixtures("need_pfns", "need_root")
@pytest.mark.parametrize("which", ["sharing", "who"])
def test_processes_of_other_namespaces(pagemap: Pagemap, start: Start, which: str) -> None:
    """From within a PID namespace "the kernel" was blamed for what others map."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    if not everyone.all_are_seen():
        pytest.skip("needs the initial PID namespace, from which all others are seen")
    parent = start(workloads.dense(MIB))
    parent.ask("f")
    parent.stop()
    frame = oracle.pfn(oracle.entries(parent.pid, parent.first.start, parent.first.end)[0])
    words = ["who", "--pfn", f"{frame:#x}"] if which == "who" else ["sharing"]
    inside = ("unshare", "--pid", "--fork", "--mount-proc")
    process = pagemap.start(*words, prefix=inside)
    out, err = process.communicate(timeout=60)
    if process.returncode == 1 and b"unshare" in err:
        pytest.skip(f"no PID namespace can be made here: {err.decode().strip()}")
    said = "processes of other PID namespaces cannot be seen from this one"
    assert said in err.decode()
    assert said not in "".join(pagemap(*words).err)
    if which == "who":
        assert "2 more: of processes of other PID namespaces" in out.decode()
    process = pagemap.start(*words, "--json", prefix=inside)
    assert json.loads(process.communicate(timeout=60)[0])["about"]["all_namespaces"] is False
    assert json.loads(pagemap(*words, "--json").out)["about"]["all_namespaces"] is True


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("saved") / "all.pagemap")


def test_groups_of_processes(pagemap: Pagemap, family: list[int], saved: str) -> None:
    """Each part, of those that run and of a snapshot: one group alone shares with nobody."""
    (whole,) = json.loads(ask(pagemap, family, "--json", "--what", "total"))["rows"]
    told = json.loads(ask(pagemap, family, "--json", "--by", "name"))
    assert (told["schema"], told["version"]) == ("pagemap.sharing.by", 1)
    assert told["about"]["by"] == "name"
    (row,) = told["groups"]
    name = everyone.status(family[0], "Name")
    assert (row["group"], row["processes"], row["shared"]) == (name, 3, 0)
    assert row["within"] == told["total"][0]["within"] == whole["shared"]
    assert row["alone"] >= row["within"]
    assert (told["pairs"], told["sets"], told["paths"]) == ([], [], [])
    out = ask(pagemap, family, "--csv", "--by", "name", "--what", "groups", "--columns", "group")
    assert out.decode().split() == ["group", name]
    code, _, _ = pagemap("snapshot", *family, "--frames", "-o", saved)
    assert code == 0
    code, out, _ = pagemap("sharing", saved, "--json", "--by", "name", "--what", "groups")
    assert code == 0
    (again,) = json.loads(out)["rows"]
    assert {**again, "alone": row["alone"]} == row
    code, _, err = pagemap("sharing", saved, "--by", "user")
    assert (code, err) == (
        2,
        ["pagemap: by is name for a snapshot, which does not have the user of processes"],
    )
