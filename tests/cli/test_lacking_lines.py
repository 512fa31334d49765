"""Kernels whose smaps lacks lines, as the command shows them: not known, and never 0.

The files of a real process are covered by copies without these lines, in a mount namespace in which
the command runs: qemu-user has no Rss and Pss, Linux before 4.3 no SwapPss.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import looks, oracle, workloads
from tests.cli.conftest import Pagemap

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Start

LACKING = {"Rss": "rss", "Pss": "pss", "SwapPss": "swap_pss"}
MIB = 1 << 20
# With a user namespace of its own (-r) the command might not read a process that is outside of it.
INTO_NAMESPACE = ["unshare", "--mount"]


def without(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join(
        line for line in lines if line.partition(b":")[0].decode(errors="replace") not in LACKING
    )


@pytest.fixture
def lacking(pagemap: Pagemap, tmp_path: Path) -> Callable[[int], Pagemap]:
    """The command, to which the files of one process lack lines."""

    def make(pid: int) -> Pagemap:
        mounts = []
        for name in ("smaps", "smaps_rollup"):
            path = Path(f"/proc/{pid}/{name}")
            (tmp_path / name).write_bytes(without(path.read_bytes()))
            mounts.append(shlex.join(["mount", "--bind", str(tmp_path / name), str(path)]))
        return behind(" && ".join(mounts), pagemap)

    return make


def behind(script: str, pagemap: Pagemap) -> Pagemap:
    """The command in a mount namespace where `script` has mounted what it likes."""
    command = [*INTO_NAMESPACE, "sh", "-c", f'{script} && exec "$@"', "sh"]
    try:
        made = subprocess.run([*command, "true"], capture_output=True, check=False, timeout=60)
    except OSError as error:
        pytest.skip(f"{error.filename}: {error.strerror}")
    if made.returncode:
        said = made.stderr.decode(errors="replace").strip()
        pytest.skip(f"no mount namespace with files of ours over those of /proc: {said}")
    return Pagemap([*command, *pagemap.command], pagemap.user, pagemap.group)


def shown(pagemap: Pagemap, *arguments: str | int) -> dict[str, Any]:
    code, out, err = pagemap("footprint", *arguments, "--json")
    assert (code, err) == (0, [])
    data: dict[str, Any] = json.loads(out)
    return data


@pytest.fixture
def pids(start: Start) -> tuple[int, int]:
    """One process, and a smaller one."""
    first, second = start(workloads.dense(2 * MIB)), start(workloads.dense(MIB))
    first.stop()
    second.stop()
    return first.pid, second.pid


def test_a_line_that_is_lacking_is_null(
    lacking: Callable[[int], Pagemap], pids: tuple[int, int]
) -> None:
    pid, other = pids

    def look() -> tuple[tuple[dict[str, Any], int], object]:
        sizes = oracle.smaps_rollup(pid)
        data = shown(lacking(pid), pid, other, "--sort", "rss")
        (uss,) = (row["uss"] for row in data["rows"] if row["pid"] == pid)
        return (data, uss), (data, sizes["Private_Clean"] + sizes["Private_Dirty"])

    data, _ = looks.agreed(look)
    rows = {row["pid"]: row for row in data["rows"]}
    for name in LACKING.values():
        assert rows[pid][name] is None
        assert data["total"][name] is None, "a sum of which a part is not known is not known"
    assert [rows[pid][name] for name in ("share", "file", "shmem")] == [None] * 3
    assert rows[other]["rss"] == oracle.smaps_rollup(other)["Rss"]
    assert [row["pid"] for row in data["rows"]] == [other, pid], "what is not known comes last"
    assert [row["pid"] for row in shown(lacking(pid), pid, other)["rows"]] == [other, pid]


def test_in_a_table_and_in_csv(lacking: Callable[[int], Pagemap], pids: tuple[int, int]) -> None:
    pid, other = pids
    names = "pid,rss,pss,swap_pss,share,swap"
    code, out, err = lacking(pid)("footprint", pid, other, "--columns", names)
    assert (code, err) == (0, [])
    _, known, unknown, total = (line.split() for line in out.decode().splitlines())
    assert unknown == [str(pid), "-", "-", "-", "-", "0"]
    assert total == ["total", "-", "-", "-", "-", "0"]
    assert "-" not in known
    code, out, err = lacking(pid)("footprint", pid, other, "--columns", names, "--csv")
    assert (code, err) == (0, [])
    assert out.decode().splitlines()[2] == f"{pid},,,,,0"


def test_by_path_and_of_mappings(lacking: Callable[[int], Pagemap], pids: tuple[int, int]) -> None:
    pid, other = pids
    rows = shown(lacking(pid), pid, "--by", "mapping")["rows"]
    assert len(rows) == len(oracle.maps(pid))
    assert {row[name] for row in rows for name in LACKING.values()} == {None}
    assert sum(row["uss"] for row in rows) >= 2 * MIB
    data = shown(lacking(pid), pid, other, "--by", "path")
    (anonymous,) = (row for row in data["rows"] if row["path"] == "")
    assert anonymous["processes"] == 2
    for name in LACKING.values():
        assert anonymous[name] is None, "a row of which a part is not known is not known"
        assert data["total"][name] is None


MEMINFO = ["", "MemFree: 1 kB\n", "MemTotal:\nMemAvailable:\n", "MemTotal: 0 kB\n"]


@pytest.mark.parametrize("text", [None, *MEMINFO])
def test_a_machine_that_does_not_tell_its_memory(
    pagemap: Pagemap, pids: tuple[int, int], tmp_path: Path, text: str | None
) -> None:
    """Under proc mounted with subset=pid `footprint` failed; of a strange meminfo, a traceback."""
    script = "mount -t proc -o subset=pid proc /proc"
    if text is not None:
        (tmp_path / "meminfo").write_text(text)
        script = shlex.join(["mount", "--bind", str(tmp_path / "meminfo"), "/proc/meminfo"])
    command = behind(script, pagemap)
    data = shown(command, pids[0])
    (row,) = data["rows"]
    assert row["rss"] == oracle.smaps_rollup(pids[0])["Rss"]
    assert [data["about"]["memory"], row["share"], data["total"].get("share")] == [None] * 3
    code, out, _ = command("footprint", pids[0], "--columns", "pid,share", "--csv")
    assert (code, out.decode().splitlines()[1]) == (0, f"{pids[0]},")


@pytest.mark.parametrize("text", MEMINFO[:3])
def test_what_is_available_and_not_told(
    pagemap: Pagemap, need_pfns: None, tmp_path: Path, text: str
) -> None:
    """`sharing` ended in a traceback where meminfo has no MemAvailable."""
    (tmp_path / "meminfo").write_text(text)
    script = shlex.join(["mount", "--bind", str(tmp_path / "meminfo"), "/proc/meminfo"])
    code, _, err = behind(script, pagemap)("sharing", "self")
    assert (code, [line for line in err if "Traceback" in line]) == (0, [])
