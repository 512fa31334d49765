"""`pagemap footprint`: of processes, mappings and paths, and of those that cannot be read."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import oracle, workloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

MIB = 1 << 20
AMOUNTS = [
    *("rss", "pss", "uss", "swap", "swap_pss", "shared", "dirty", "clean"),
    *("shared_clean", "shared_dirty", "private_clean", "private_dirty"),
    *("hugetlb", "shared_hugetlb", "private_hugetlb", "hugetlb_pss"),
]
TITLES = [
    *("PID", "RSS", "PSS", "USS", "SWAP", "SWAP-PSS"),
    *("SHARED", "DIRTY", "CLEAN", "HUGETLB", "HUGETLB-PSS", "MEMORY", "NAME"),
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
    assert total == ["total", *row[1:-1]]


def test_json(pagemap: Pagemap, dense: workloads.Target) -> None:
    code, out, err = pagemap("footprint", dense.pid, "--json")
    data = json.loads(out)
    (row,) = data["processes"]
    assert (code, err) == (0, [])
    assert list(data) == ["schema", "memory", "processes", "totals", "passed", "sharers_known"]
    assert (data["schema"], data["memory"]) == ("pagemap.footprint/2", memory())
    assert list(row) == ["pid", "also", *AMOUNTS, "share", "name"]
    assert data["totals"] == {name: row[name] for name in [*AMOUNTS, "share"]}
    assert data["passed"] == {"denied": [], "vanished": []}
    assert row.items() >= {"pid": dense.pid, "name": comm(dense.pid)}.items()
    assert row.items() >= plain(oracle.smaps_rollup(dense.pid)).items()
    assert row["share"] == round(row["pss"] / memory(), 6)


def test_csv(pagemap: Pagemap, dense: workloads.Target) -> None:
    code, out, err = pagemap("footprint", dense.pid, "--csv", "--columns", "name,rss,private,share")
    assert (code, err) == (0, [])
    head, row = csv.reader(io.StringIO(out.decode()))
    assert head == ["name", "rss", "uss", "share"]
    assert row[:2] == [comm(dense.pid), str(oracle.smaps_rollup(dense.pid)["Rss"])]
    assert int(row[2]) > ANON_BYTES
    assert 0 < float(row[3]) < 1


def test_mappings(pagemap: Pagemap, dense: workloads.Target) -> None:
    code, out, err = pagemap("footprint", dense.pid, "--maps", "--json")
    rows = json.loads(out)["mappings"]
    assert (code, err) == (0, [])
    wanted = oracle.parse_smaps(Path(f"/proc/{dense.pid}/smaps").read_bytes())
    assert [(int(row["start"], 16), int(row["end"], 16), row["rss"]) for row in rows] == [
        (each.start, each.end, each.sizes["Rss"]) for each in wanted
    ]
    assert [row["path"] for row in rows] == [line.path for line in oracle.maps(dense.pid)]
    assert {row["pid"] for row in rows} == {dense.pid}
    code, out, err = pagemap("footprint", dense.pid, "--maps", "--sort", "uss")
    first = table(out)[1]
    assert (code, err) == (0, [])
    assert first[1] == hex(dense.first.start)
    assert first[3] == "4.0M"


def test_paths(pagemap: Pagemap, start: Start) -> None:
    one, other = start(workloads.file(MIB)), start(workloads.dense(MIB))
    code, out, err = pagemap("footprint", one.pid, other.pid, "--by-path", "--json")
    rows = {row["path"]: row for row in json.loads(out)["paths"]}
    lines = [line for target in (one, other) for line in oracle.maps(target.pid)]
    assert (code, err) == (0, [])
    assert {path: row["mappings"] for path, row in rows.items()} == {
        line.path: sum(each.path == line.path for each in lines) for line in lines
    }
    file = next(line.path for line in lines if line.start == one.areas["clean"].start)
    assert (rows[file]["processes"], rows[file]["rss"]) == (1, 3 * MIB)
    assert rows["[stack]"]["processes"] == 2
    assert "[anon]" in pagemap("footprint", one.pid, "--by-path")[1].decode().split()


def test_everybody(pagemap: Pagemap, start: Start) -> None:
    """The largest first; nobody that there is left out, and nobody twice."""
    targets = [start(workloads.dense(size * MIB)) for size in (1, 8, 3)]
    code, out, _ = pagemap("footprint", "--json")
    rows = json.loads(out)["processes"]
    pids = [row["pid"] for row in rows]
    assert code == 0
    assert len(set(pids)) == len(pids)
    assert os.getpid() in pids
    ours = [pid for pid in pids if pid in {target.pid for target in targets}]
    assert ours == [targets[1].pid, targets[2].pid, targets[0].pid]
    assert [row["pss"] for row in rows] == sorted((row["pss"] for row in rows), reverse=True)
    assert json.loads(pagemap("footprint", "--all", "--json").out)["schema"]


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
    unnamed = f"pagemap: no process has the name 'no-such-name'; {hint}"
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
    rows = json.loads(pagemap("footprint", "--json").out)
    assert zombie in {each["pid"] for each in rows["passed"]["vanished"]}


def test_a_process_without_its_main_thread(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.dense(MIB))
    target.ask("t")
    target.tell("l")
    workloads.wait_until(
        lambda: Path(f"/proc/{target.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    )
    for options in ([], ["--maps"]):
        code, out, err = pagemap("footprint", target.pid, *options)
        assert (code, err) == (0, [])
        assert {row[0] for row in table(out)[1:-1]} == {str(target.pid)}


def test_a_kernel_thread(pagemap: Pagemap, kernel_thread: int) -> None:
    code, out, err = pagemap("footprint", kernel_thread, "--json")
    assert (code, json.loads(out)["processes"]) == (0, [])
    said = f"pagemap: process {kernel_thread} is a kernel thread: it has no memory of its own"
    assert err == [said]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1 --all", "give targets, --all or --cgroup PATH, not several of them"),
        ("1 --cgroup /x", "give targets, --all or --cgroup PATH, not several of them"),
        ("--all --cgroup /x", "argument --cgroup: not allowed with argument --all"),
        ("--maps --by-path", "argument --by-path: not allowed with argument --maps"),
        ("--columns rs", "--columns knows no 'rs'; did you mean rss?"),
        ("--columns start", "--columns knows no 'start'; did you mean share?"),
        ("--by-path --columns pid", "--columns knows no 'pid'; choose from processes, "),
        ("--sort pss,rss", "--sort takes one column, not 2"),
        ("--budget 10", "--budget is of --gentle, which is not given"),
        ("--gentle --budget 101", "--budget wants percent of one core, up to 100, not 101"),
        ("--gentle --budget x", "--budget wants a number from 1 on, not 'x'"),
        ("--watch 0", "--watch wants a time in seconds, above 0, not '0'"),
        ("--watch nan", "--watch wants a time in seconds, above 0, not 'nan'"),
        ("--watch 1 --csv", "--watch writes tables or JSON, not --csv"),
    ],
)
def test_command_lines_that_cannot_be_understood(pagemap: Pagemap, line: str, said: str) -> None:
    code, out, err = pagemap("footprint", *line.split())
    assert (code, out) == (2, b"")
    assert err[0].startswith(f"pagemap: {said}")


@pytest.fixture
def cgroup(need_root: None, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A cgroup of our own with one below it, of the first hierarchy that takes new ones."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    version = {"v1": "cgroup", "v2": "cgroup2"}[request.param]
    for mount in (Path(fields[1]) for fields in mounts if fields[2] == version):
        top = mount / f"pagemap-test-{os.getpid()}"
        try:
            (top / "below").mkdir(parents=True)
        except OSError:
            continue
        # a cpuset takes no process before it has processors and memory
        if not (top / "cpuset.cpus").exists() or version == "cgroup2":
            yield top
            (top / "below").rmdir()
            top.rmdir()
            return
        (top / "below").rmdir()
        top.rmdir()
    pytest.skip(f"no {version} hierarchy here takes new groups")


@pytest.mark.parametrize("cgroup", ["v1", "v2"], indirect=True)
def test_a_cgroup(pagemap: Pagemap, cgroup: Path) -> None:
    said = f"pagemap: cgroup '{cgroup}' has no processes"
    code, out, err = pagemap("footprint", "--cgroup", str(cgroup), "--json")
    assert (code, json.loads(out)["processes"], err) == (0, [], [said])
    with workloads.idle() as one, workloads.idle() as other:
        (cgroup / "cgroup.procs").write_text(str(one.pid))
        (cgroup / "below" / "cgroup.procs").write_text(str(other.pid))
        arguments = ("--cgroup", str(cgroup), "--csv", "--columns", "pid", "--sort", "pid")
        code, out, err = pagemap("footprint", *arguments)
        assert (code, err) == (0, [])
        assert [int(word) for word in out.split()[1:]] == sorted([one.pid, other.pid])


def test_what_is_no_cgroup(pagemap: Pagemap, tmp_path: Path) -> None:
    missing = tmp_path / "none"
    said = f"there is no cgroup '{missing}': give its directory, as /sys/fs/cgroup/user.slice"
    assert pagemap("footprint", "--cgroup", str(missing)) == (66, b"", [f"pagemap: {said}"])
    said = f"'{tmp_path}' is no cgroup: it has no cgroup.procs"
    assert pagemap("footprint", "--cgroup", str(tmp_path)) == (2, b"", [f"pagemap: {said}"])


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("file", "it does not lie on a file system of cgroups"),
        ("fifo", "it is no regular file"),
    ],
)
def test_what_only_looks_like_a_cgroup(
    pagemap: Pagemap, tmp_path: Path, what: str, said: str
) -> None:
    """Any file of that name was believed, words were a traceback, and a fifo hung for good."""
    if what == "file":
        (tmp_path / "cgroup.procs").write_text("abc\n")
    else:
        os.mkfifo(tmp_path / "cgroup.procs")
    with pagemap.start("footprint", "--cgroup", str(tmp_path)) as process:
        try:
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    said = f"pagemap: '{tmp_path}' is no cgroup: of its cgroup.procs, {said}\n"
    assert (process.returncode, out, err.decode()) == (2, b"", said)


def test_a_cgroup_that_may_not_be_listed(pagemap_as_nobody: Pagemap, tmp_path: Path) -> None:
    for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
        folder.chmod(0o755)
    file = tmp_path / "cgroup.procs"
    file.write_text("1\n")
    file.chmod(0o600)
    said = f"cannot read {file}: permission denied; run with sudo (CAP_DAC_READ_SEARCH)"
    assert pagemap_as_nobody("footprint", "--cgroup", str(tmp_path)) == (
        *(77, b""),
        [f"pagemap: {said}"],
    )


def test_gentle(pagemap: Pagemap, dense: workloads.Target, need_pfns: None) -> None:
    code, out, err = pagemap("footprint", dense.pid, "--gentle", "--budget", "100", "--json")
    data: dict[str, Any] = json.loads(out)
    (row,) = data["processes"]
    assert code == 0
    assert row.items() >= {**plain(oracle.smaps_rollup(dense.pid)), "swap_pss": None}.items()
    chunks, longest = data["gentle"]["chunks"], data["gentle"]["longest_seconds"]
    assert chunks >= ANON_BYTES // oracle.PAGE // 512
    assert err == [f"pagemap: the longest of {chunks} chunks took {longest * 1000:.2f} ms"]


def test_without_rights(pagemap_as_nobody: Pagemap, dense: workloads.Target) -> None:
    """One's own processes are told of all the same; who forbids reading is named."""
    code, out, err = pagemap_as_nobody("footprint", "self", "--json")
    assert (code, err) == (0, [])
    assert json.loads(out)["totals"]["rss"] > MIB
    code, out, err = pagemap_as_nobody("footprint", dense.pid)
    assert (code, out) == (77, b"")
    said = "run as its user, or with sudo (CAP_SYS_PTRACE)"
    what = f"cannot read the memory sums of process {dense.pid}: permission denied"
    assert err == [f"pagemap: {what}; {said}"]
    for options in ([], ["--by-path"]):
        code, out, err = pagemap_as_nobody("footprint", "--json", *options)
        assert code == 0
        denied = json.loads(out)["passed"]["denied"]
        assert {"pid": dense.pid, "name": comm(dense.pid)} in denied
        (line,) = (line for line in err if "forbid reading: " in line)
        assert line.startswith("pagemap: ")
        # it was a line of all names, and did not say what to do
        assert line.count("(") <= 21
        needed = "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH" if options else "CAP_SYS_PTRACE"
        assert line.endswith(f"; run as their user, or with sudo ({needed})")


@pytest.mark.parametrize("options", [("--columns", "pid,swap-pss"), ("--sort", "swap-pss")])
def test_what_a_gentle_walk_cannot_tell(pagemap: Pagemap, options: tuple[str, str]) -> None:
    """Asked for by name it was - and exit 0."""
    said = (
        "pagemap: --gentle cannot tell swap-pss: how many use a page in swap no file of the kernel "
        "tells; without --gentle the kernel's own sums have it"
    )
    assert pagemap("footprint", "self", "--gentle", *options) == (69, b"", [said])


def test_gentle_without_rights(pagemap_as_nobody: Pagemap) -> None:
    said = (
        "pagemap: cannot read /proc/kpagecount: permission denied; it is root's alone: "
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
            assert data["processes"][0]["name"] == "a\x1b[31mb\nc"
        finally:
            process.kill()
