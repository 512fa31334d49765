"""`pagemap writes`, through its front door."""

from __future__ import annotations

import json
import os
import platform
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import looks, mappings, oracle, workloads
from tests.mappings import PAGE
from tests.writer import Writer, writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Pagemap

PAGES = 64
WRITTEN = [3, 4, 5, 40]


@pytest.fixture
def target(need_own_tracking: None) -> Iterator[Writer]:
    """It writes the same pages again and again, and can be made to call what tracks that."""
    if platform.machine() != "x86_64":
        pytest.skip("another process can be made to call on x86-64 only")
    yama = Path("/proc/sys/kernel/yama/ptrace_scope")
    if os.geteuid() and yama.exists() and yama.read_text() != "0\n":
        pytest.skip("needs the right to trace a process that is no child (CAP_SYS_PTRACE)")
    with writer(PAGES) as process:
        process.begin("spin " + " ".join(map(str, WRITTEN)))
        yield process


def track(pagemap: Pagemap, target: Writer, *words: str, code: int = 0) -> tuple[bytes, list[str]]:
    """What is written to stdout, and the messages but for the first, which warns."""
    got, out, err = pagemap("writes", target.pid, "--inject", *words)
    assert got == code, err
    assert err[0].startswith(f"pagemap: process {target.pid} is changed: ")
    return out, err[1:]


def of_target(rows: list[dict[str, Any]], target: Writer) -> list[dict[str, Any]]:
    start, end = target.start, target.start + PAGES * PAGE
    return [row for row in rows if start <= int(row["start"], 16) < end]


def test_by_mapping(pagemap: Pagemap, target: Writer) -> None:
    wanted = {
        "pid": target.pid,
        "start": f"{target.start:#x}",
        "end": f"{target.start + PAGES * PAGE:#x}",
        "size": PAGES * PAGE,
        "perms": "rw-p",
        "populated": PAGES * PAGE,
        "written": len(WRITTEN) * PAGE,
        "share": len(WRITTEN) / PAGES,
        "new": 0,
        "untracked": 0,
        "gone": 0,
        "path": "",
    }

    def look() -> tuple[tuple[Any, list[Any]], object]:
        out, err = track(pagemap, target, "--for", "200ms", "--json")
        assert err == []
        data = json.loads(out)
        return (data, of_target(data["rows"], target)), (data, [wanted])

    data, _ = looks.agreed(look)  # on a busy machine it has not always had a turn in 200 ms
    assert (data["schema"], data["version"]) == ("pagemap.writes", 1)
    assert data["about"]["method"] == "userfaultfd"
    assert data["total"]["written"] == sum(each["written"] for each in data["rows"])
    writable = [each.start for each in oracle.maps(target.pid) if "w" in each.perms]
    assert {int(each["start"], 16) for each in data["rows"]} <= set(writable)
    amounts = [each["written"] for each in data["rows"]]
    assert amounts == sorted(amounts, reverse=True)


def test_by_page(pagemap: Pagemap, target: Writer) -> None:
    def look() -> tuple[list[tuple[int, int, int, str]], object]:
        out, _ = track(pagemap, target, "--pages", "--for", "200ms", "--json")
        return [
            (int(row["start"], 16) - target.start, row["size"], row["pages"], row["how"])
            for row in of_target(json.loads(out)["rows"], target)
        ], [(3 * PAGE, 3 * PAGE, 3, "tracked"), (40 * PAGE, PAGE, 1, "tracked")]

    looks.agreed(look)


def test_rounds(pagemap: Pagemap, target: Writer) -> None:
    """Each with its time; it ends by itself."""
    words = ("--every", "100ms", "--for", "300ms", "--format", "jsonl", "--map", "[anon]")

    def look() -> tuple[list[int], list[int]]:
        out, err = track(pagemap, target, *words)
        assert err == []
        rows = of_target(list(map(json.loads, out.splitlines())), target)
        assert len({row["time"] for row in rows}) == 3
        # where a round began late, the target may have had no turn in it
        return [row["written"] for row in rows], [len(WRITTEN) * PAGE] * 3

    looks.agreed(look)


def test_rounds_into_a_file(pagemap: Pagemap, target: Writer, tmp_path: Path) -> None:
    """Because they come to an end."""
    file = tmp_path / "rows"
    options = ("--every", "100ms", "--for", "200ms", "--csv", "-o", str(file))
    out, _ = track(pagemap, target, *options, "--columns", "start,written")
    assert out == b""
    lines = [line.split(",") for line in file.read_text().splitlines()]
    assert lines[0] == ["time", "start", "written"]
    mine = [(time, int(size)) for time, start, size in lines[1:] if start == hex(target.start)]
    assert len(dict(mine)) == 2
    assert max(size for _, size in mine) == len(WRITTEN) * PAGE


def test_until_interrupted(pagemap: Pagemap, target: Writer) -> None:
    words = ("writes", target.pid, "--inject", "--every", "50ms", "--format", "jsonl")
    with pagemap.start(*words) as process:
        assert process.stdout is not None
        seen: set[str] = set()
        while len(seen) < 3:
            seen.add(json.loads(process.stdout.readline())["time"])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert "uw" not in mappings.flags_of(target.start, target.pid)


@pytest.mark.parametrize(
    "words", [("--for", "1h"), ("--every", "100ms"), ("--for", "1h", "--json")]
)
def test_a_target_that_exits(pagemap: Pagemap, target: Writer, words: tuple[str, ...]) -> None:
    """It is noticed at once; what was written before stands."""
    with pagemap.start("writes", target.pid, "--inject", *words) as process:
        workloads.wait_until(lambda: "uw" in mappings.flags_of(target.start, target.pid))
        os.kill(target.pid, signal.SIGKILL)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 75
    said = f"pagemap: process {target.pid} exited before it was read to the end"
    assert err.decode().splitlines()[1:] == [said]


def test_without_injection(pagemap: Pagemap, target: Writer) -> None:
    if "soft_dirty" in oracle.told_here():
        pytest.skip("this kernel has soft-dirty bits")
    code, out, err = pagemap("writes", target.pid)
    assert (code, out) == (69, b"")
    assert "no soft-dirty bits" in err[0]
    assert err[0].endswith("; 'pagemap writes PID --inject' does that")


def test_itself(pagemap: Pagemap, need_own_tracking: None) -> None:
    code, out, err = pagemap("writes", "self", "--for", "50ms", "--json")
    assert (code, err) == (0, [])
    assert json.loads(out)["total"]["written"] > 0


def test_itself_by_injection(pagemap: Pagemap) -> None:
    """Refused before anything is said to be changed."""
    code, out, err = pagemap("writes", "self", "--inject")
    assert (code, out, len(err)) == (2, b"", 1)
    assert "for another process" in err[0]


def test_columns_stand_as_in_maps(pagemap: Pagemap, target: Writer) -> None:
    out, _ = track(pagemap, target, "--for", "1ms", "--csv")
    _, maps, _ = pagemap("maps", target.pid, "--csv")
    names = out.splitlines()[0].split(b",")
    assert [each for each in maps.splitlines()[0].split(b",") if each in names][:5] == names[:5]


def test_a_pattern_that_matches_nothing(pagemap: Pagemap, target: Writer) -> None:
    out, err = track(pagemap, target, "--for", "1ms", "--map", "anon", "--json", code=1)
    assert json.loads(out)["rows"] == []
    said = f"pagemap: no mapping of process {target.pid} matches the pattern 'anon'"
    assert err == [f"{said}; did you mean '[anon]'?"]


def test_a_pattern_of_a_mapping_that_is_not_written(pagemap: Pagemap, target: Writer) -> None:
    out, err = track(pagemap, target, "--for", "1ms", "--map", "libc.so*", "--pages", "--json")
    assert (json.loads(out)["rows"], err) == ([], [])


@pytest.mark.usefixtures("need_root")
def test_a_kernel_thread(pagemap: Pagemap) -> None:
    code, out, err = pagemap("writes", "2", "--inject", "--json")
    if code == 66:
        pytest.skip("process 2 is none here")
    assert (code, err) == (0, ["pagemap: process 2 is a kernel thread: it has no mappings"])
    assert json.loads(out)["rows"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--every", "1s", "--watch", "1"), "--every or --watch, not both"),
        (("--every", "1s", "--for", "500ms"), "--for must be at least as long as a round, 1 s"),
        (("--for", "0"), "--for needs a time above 0"),
        (("--every", "x"), "--every needs a time above 0"),
        (("--every", "1s", "--json"), "there is a result every round"),
        (("--map", ""), "an empty --map pattern"),
        (("--inject",), "inject is for another process, not for this one"),
    ],
)
def test_bad_words(pagemap: Pagemap, words: tuple[str, ...], said: str) -> None:
    code, out, err = pagemap("writes", "self", *words)
    assert (code, out) == (2, b"")
    assert said in err[0]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed(pagemap: Pagemap, target: Writer, number: int) -> None:
    """The tracking ends with the command, and the target goes on."""
    with pagemap.start("writes", target.pid, "--inject", "--for", "1h") as process:
        workloads.wait_until(lambda: "uw" in mappings.flags_of(target.start, target.pid))
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == -number
    workloads.wait_until(lambda: "uw" not in mappings.flags_of(target.start, target.pid))
    before = used(target.pid)
    workloads.wait_until(lambda: used(target.pid) > before)


def used(pid: int) -> int:
    """The processor time that it has used, in clock ticks."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
