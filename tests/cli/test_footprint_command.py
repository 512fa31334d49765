"""`pagemap footprint`: of processes, mappings and paths, and of those that cannot be read."""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pagemap import FootprintSums
from tests import oracle, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

MIB = 1 << 20
SUMS = list(FootprintSums._fields)
IF_NAMED = {"anon_huge", "shmem_huge", "file_huge", "ksm", "size"}
# What may be the same pages in several processes has no total.
NO_TOTAL = {"hugetlb", "shared_hugetlb", "hugetlb_pss"}
TITLES = [
    *("PID", "RSS", "ANON", "FILE", "SHMEM", "PSS", "USS", "SWAP"),
    *("SHARED", "DIRTY", "HUGETLB", "SHARE", "NAME"),
]
ANON_BYTES = 4 * MIB


@pytest.fixture
def dense(start: Start) -> workloads.Target:
    target = start(workloads.dense(ANON_BYTES))
    target.stop()
    return target


def table(out: bytes) -> list[list[str]]:
    return [line.split() for line in out.decode().splitlines()]


def plain(sizes: dict[str, int]) -> dict[str, int]:
    """The kernel's sums that no other process can change."""
    return {"rss": sizes["Rss"], "swap": sizes["Swap"], "swap_pss": sizes["SwapPss"]}


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().removesuffix("\n")


def memory() -> int:
    return int(Path("/proc/meminfo").read_text().split()[1]) * 1024


def test_a_table(pagemap: Pagemap, dense: workloads.Target) -> None:
    code, out, err = pagemap("footprint", dense.pid)
    titles, row, total = table(out)
    assert (code, err, titles) == (0, [], TITLES)
    assert (row[0], row[-1]) == (str(dense.pid), comm(dense.pid))
    assert total == ["total", *row[1:10], row[11]]


def test_json(pagemap: Pagemap, dense: workloads.Target) -> None:
    code, out, err = pagemap("footprint", dense.pid, "--json")
    data = json.loads(out)
    (row,) = data["rows"]
    assert (code, err) == (0, [])
    assert (data["schema"], data["version"]) == ("pagemap.footprints", 3)
    assert list(row) == ["pid", "sharers", *(name for name in SUMS if name not in IF_NAMED), "name"]
    summed = set(SUMS) - NO_TOTAL - IF_NAMED
    assert data["total"] == {name: row[name] for name in summed}
    about = {"memory": memory(), "left_out": [], "complete": True, "sharers": {}}
    assert data["about"].items() >= about.items()
    assert row.items() >= {"pid": dense.pid, "name": comm(dense.pid), "sharers": []}.items()
    assert row.items() >= plain(oracle.smaps_rollup(dense.pid)).items()
    assert row["share"] == round(row["pss"] / memory(), 6)
    assert row["anon"] + row["file"] + row["shmem"] == row["rss"]


def test_csv(pagemap: Pagemap, dense: workloads.Target) -> None:
    code, out, err = pagemap("footprint", dense.pid, "--csv", "--columns", "name,rss,uss,share")
    assert (code, err) == (0, [])
    head, row = csv.reader(io.StringIO(out.decode()))
    assert head == ["name", "rss", "uss", "share"]
    assert row[:2] == [comm(dense.pid), str(oracle.smaps_rollup(dense.pid)["Rss"])]
    assert int(row[2]) > ANON_BYTES
    assert 0 < float(row[3]) < 1


def test_who_it_is(pagemap: Pagemap, dense: workloads.Target) -> None:
    """Read only where they are named: they cost more."""
    _, out, _ = pagemap("footprint", dense.pid, "--json", "--columns", "pid,user,cgroup,cmdline")
    (row,) = json.loads(out)["rows"]
    proc = Path(f"/proc/{dense.pid}")
    lines = [line.split(":", 2) for line in (proc / "cgroup").read_text().splitlines()]
    assert row == {
        "pid": dense.pid,
        "user": pwd.getpwuid(os.geteuid()).pw_name,
        "cgroup": next(
            (path for _, names, path in lines if "memory" in names.split(",")), lines[-1][-1]
        ),
        "cmdline": (proc / "cmdline").read_text().rstrip("\0").replace("\0", " "),
    }
    runs = os.readlink(proc / "exe")
    leads = os.getsid(dense.pid)  # 0 where it was begun outside of our PID namespace
    session = str(leads) if leads else None
    columns = (
        ("user", row["user"]),
        ("cgroup", row["cgroup"]),
        ("exe", runs),
        ("session", session),
    )
    for column, value in columns:
        _, out, _ = pagemap("footprint", dense.pid, "--json", "--by", column)
        (group,) = json.loads(out)["rows"]
        assert (group[column], group["processes"]) == (value, 1)
        assert group["rss"] == oracle.smaps_rollup(dense.pid)["Rss"]


@pytest.mark.usefixtures("need_pfns", "need_root")
@pytest.mark.parametrize("asked", ["footprint", "memory", "free-if"])
def test_a_session_begun_outside_of_our_namespace(pagemap: Pagemap, asked: str) -> None:
    """The kernel calls it 0, which is no process: whose it is is not known."""
    inside = ("unshare", "--pid", "--fork", "--mount-proc")
    process = pagemap.start(asked, "--by", "session", "--json", prefix=inside)
    out, err = process.communicate(timeout=60)
    if process.returncode == 1 and b"unshare" in err:
        pytest.skip(f"no PID namespace can be made here: {err.decode().strip()}")
    row = json.loads(out)["rows"][0]
    named = "session" if asked == "footprint" else "group"
    assert (row[named], row["processes"]) == (None, 1)


def test_of_several_users_one_row_each(pagemap: Pagemap, start: Start, need_root: None) -> None:
    ours = start(workloads.idle()).pid
    with subprocess.Popen(["sleep", "60"], user=12345) as his:
        try:
            workloads.wait_until(lambda: comm(his.pid) == "sleep")
            _, out, _ = pagemap("footprint", ours, his.pid, "--by", "user", "--csv")
        finally:
            his.kill()
    rows = {row["user"]: row for row in csv.DictReader(io.StringIO(out.decode()))}
    assert set(rows) == {"root", "12345"}
    assert int(rows["12345"]["rss"]) > 0


def test_mappings(pagemap: Pagemap, dense: workloads.Target) -> None:
    code, out, err = pagemap("footprint", dense.pid, "--by", "mapping", "--json")
    rows = json.loads(out)["rows"]
    assert (code, err) == (0, [])
    wanted = oracle.parse_smaps(Path(f"/proc/{dense.pid}/smaps").read_bytes())
    assert [(int(row["start"], 16), int(row["end"], 16), row["rss"]) for row in rows] == [
        (each.start, each.end, each.sizes["Rss"]) for each in wanted
    ]
    assert [row["path"] for row in rows] == [line.path for line in oracle.maps(dense.pid)]
    assert {row["pid"] for row in rows} == {dense.pid}
    code, out, err = pagemap("footprint", dense.pid, "--by", "mapping", "--sort", "uss")
    titles, first, *_ = table(out)
    assert (code, err, titles[:4]) == (0, [], ["PID", "START", "PERMS", "RSS"])
    assert first[1] == hex(dense.first.start)
    assert first[3] == "4.0M"


def test_paths(pagemap: Pagemap, start: Start) -> None:
    one, other = start(workloads.file(MIB)), start(workloads.dense(MIB))
    code, out, err = pagemap("footprint", one.pid, other.pid, "--by", "path", "--json")
    rows = {row["path"]: row for row in json.loads(out)["rows"]}
    lines = [line for target in (one, other) for line in oracle.maps(target.pid)]
    assert (code, err) == (0, [])
    assert {path: row["mappings"] for path, row in rows.items()} == {
        line.path: sum(each.path == line.path for each in lines) for line in lines
    }
    file = next(line.path for line in lines if line.start == one.areas["clean"].start)
    assert (rows[file]["processes"], rows[file]["rss"]) == (1, 3 * MIB)
    assert rows["[stack]"]["processes"] == 2
    assert "[anon]" in pagemap("footprint", one.pid, "--by", "path")[1].decode().split()


def test_everybody(pagemap: Pagemap, start: Start) -> None:
    """The largest first; nobody that there is left out, and nobody twice."""
    targets = [start(workloads.dense(size * MIB)) for size in (1, 8, 3)]
    code, out, _ = pagemap("footprint", "--json")
    rows = json.loads(out)["rows"]
    pids = [row["pid"] for row in rows]
    assert code == 0
    assert len(set(pids)) == len(pids)
    assert os.getpid() in pids
    ours = [pid for pid in pids if pid in {target.pid for target in targets}]
    assert ours == [targets[1].pid, targets[2].pid, targets[0].pid]
    assert [row["pss"] for row in rows] == sorted((row["pss"] for row in rows), reverse=True)


def test_a_name_means_all_that_have_it(pagemap: Pagemap, namesakes: list[int]) -> None:
    code, out, err = pagemap(
        "footprint", comm(namesakes[0]), "--columns", "pid", "--csv", "--sort", "pid"
    )
    assert (code, err) == (0, [])
    assert sorted(namesakes) == list(map(int, out.split()[1:]))


def test_targets_that_are_not_there(
    pagemap: Pagemap, dense: workloads.Target, unused_pid: int
) -> None:
    missing = (
        f"pagemap: there is no process {unused_pid} "
        "(it has ended, or /proc hides it: see hidepid in proc(5))"
    )
    hint = "give a pid, or a command's or program's name"
    unnamed = f"pagemap: no process has the name 'no-such-name', and there is no such file; {hint}"
    assert pagemap("footprint", unused_pid) == (66, b"", [missing])
    code, out, err = pagemap("footprint", "no-such-name", dense.pid, unused_pid)
    assert (code, err) == (66, [unnamed, missing])
    assert table(out)[1][0] == str(dense.pid)
    assert pagemap("footprint", "no-such-name", unused_pid) == (66, b"", [unnamed, missing])


def test_a_zombie(pagemap: Pagemap, zombie: int) -> None:
    code, out, err = pagemap("footprint", zombie)
    assert (code, out) == (66, b"")
    said = "is a zombie: it has ended, and its parent has not taken note; it has no memory to read"
    assert err == [f"pagemap: process {zombie} {said}"]
    everyone = json.loads(pagemap("footprint", "--json").out)  # it has no memory to be left out
    assert zombie not in {each["pid"] for each in everyone["about"]["left_out"]}


def test_a_process_without_its_main_thread(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.dense(MIB))
    target.ask("t")
    target.tell("l")
    workloads.wait_until(
        lambda: Path(f"/proc/{target.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    )
    for options in ([], ["--by", "mapping"]):
        code, out, err = pagemap("footprint", target.pid, *options)
        assert (code, err) == (0, [])
        assert {row[0] for row in table(out)[1:-1]} == {str(target.pid)}


def test_a_kernel_thread(pagemap: Pagemap, kernel_thread: int) -> None:
    code, out, err = pagemap("footprint", kernel_thread, "--json")
    data = json.loads(out)
    assert (code, data["rows"]) == (0, [])
    said = "a kernel thread has no memory of its own"
    named = f"{kernel_thread} ({comm(kernel_thread)})"
    assert err == [f"pagemap: 1 process could not be read ({said}): {named}"]
    assert data["about"]["left_out"] == [
        {"pid": kernel_thread, "name": comm(kernel_thread), "reason": said}
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1 --cgroup /x", "give targets or --cgroup PATH, not both"),
        ("--by paths", "--by knows no 'paths'; did you mean path?"),
        (
            "--by pss",
            "--by knows no 'pss'; choose from mapping, path, name, exe, user, cgroup, ",
        ),
        ("--by path,mapping", "--by takes one word"),
        ("--columns rs", "--columns knows no 'rs'; did you mean rss?"),
        ("--columns start", "--columns knows no 'start'; did you mean share?"),
        ("--by path --columns pid", "--columns knows no 'pid'; "),
        ("--sort pss,rss", "--sort takes one column, not 2"),
        ("--budget 10", "--budget says how much of a core --gentle may use; add --gentle"),
        ("--gentle --budget 101", "--budget is a percentage of one core, from 1 to 100, not 101"),
        ("--gentle --budget x", "--budget needs a number from 1 on, not 'x'"),
        (
            "--watch 0",
            "--watch needs a time above 0, in seconds or with a unit (",
        ),
        (
            "--watch nan",
            "--watch needs a time above 0, in seconds or with a unit (",
        ),
    ],
)
def test_command_lines_that_cannot_be_understood(pagemap: Pagemap, line: str, said: str) -> None:
    code, out, err = pagemap("footprint", *line.split())
    assert (code, out) == (2, b"")
    assert err[0].startswith(f"pagemap: {said}")


def test_gentle(pagemap: Pagemap, dense: workloads.Target, need_pfns: None) -> None:
    code, out, err = pagemap("footprint", dense.pid, "--gentle", "--budget", "100", "--json")
    data: dict[str, Any] = json.loads(out)
    (row,) = data["rows"]
    assert code == 0
    assert row.items() >= {**plain(oracle.smaps_rollup(dense.pid)), "swap_pss": None}.items()
    walk = data["about"]["gentle"]
    chunks, longest = walk["chunks"], walk["longest_seconds"]
    assert chunks >= ANON_BYTES // oracle.PAGE // 512
    assert err == [f"pagemap: the longest of {chunks} steps took {longest * 1000:.2f} ms"]


def test_without_rights(pagemap_as_nobody: Pagemap, dense: workloads.Target) -> None:
    """One's own processes are told of all the same; those that forbid reading are counted."""
    code, out, err = pagemap_as_nobody("footprint", "self", "--json")
    assert (code, err) == (0, [])
    assert json.loads(out)["total"]["rss"] > MIB
    code, out, err = pagemap_as_nobody("footprint", dense.pid)
    assert (code, out) == (77, b"")
    said = "run as its user, or with sudo (CAP_SYS_PTRACE)"
    what = f"cannot read the memory sums of process {dense.pid}: permission denied"
    assert err == [f"pagemap: {what}; {said}"]
    for options in ([], ["--by", "path"]):
        code, out, err = pagemap_as_nobody("footprint", "--json", *options)
        assert code == 0
        left_out = json.loads(out)["about"]["left_out"]
        denied = {"pid": dense.pid, "name": comm(dense.pid), "reason": "permission denied"}
        assert denied in left_out
        number = sum(each["reason"] == denied["reason"] for each in left_out)
        (line,) = (line for line in err if "forbid reading" in line)
        # it was a line of all names, and did not say what to do
        assert line.startswith(f"pagemap: {number} processes forbid reading; ")
        needed = "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH" if options else "CAP_SYS_PTRACE"
        assert line.endswith(f"; run as their user, or with sudo ({needed})")


@pytest.mark.parametrize("options", [("--columns", "pid,swap_pss"), ("--sort", "swap-pss")])
def test_what_a_gentle_walk_cannot_tell(pagemap: Pagemap, options: tuple[str, str]) -> None:
    """Asked for by name it was - and exit 0."""
    said = (
        "pagemap: --gentle cannot find swap_pss, which only the kernel's own sums have; "
        "leave out --gentle"
    )
    assert pagemap("footprint", "self", "--gentle", *options) == (69, b"", [said])


def test_gentle_without_rights(pagemap_as_nobody: Pagemap) -> None:
    said = (
        "pagemap: cannot read /proc/kpagecount: permission denied; only root may read it: "
        "run with sudo (CAP_DAC_READ_SEARCH); without --gentle the kernel's own sums of your "
        "processes can be read"
    )
    assert pagemap_as_nobody("footprint", "self", "--gentle") == (77, b"", [said])


def test_stdout_closed_from_the_start(pagemap: Pagemap) -> None:
    for options in (["--json"], ["--csv"], [], ["--watch", "1"]):
        read, write = os.pipe()
        os.close(read)
        with pagemap.start("footprint", "self", *options, stdout=write) as process:
            os.close(write)
            assert process.stderr
            assert process.stderr.read() == b""
            assert process.wait(timeout=60) == 141


def test_names_that_would_drive_a_terminal(pagemap: Pagemap, tmp_path: Path) -> None:
    evil = tmp_path / "a\x1b[31mb\nc"
    evil.symlink_to("/bin/sleep")
    with subprocess.Popen([evil, "60"]) as process:
        try:
            name = "a\\033[31mb\\012c"
            assert name in pagemap("footprint", process.pid).out.decode()
            data = json.loads(pagemap("footprint", process.pid, "--json").out)
            assert data["rows"][0]["name"] == "a\x1b[31mb\nc"
        finally:
            process.kill()
