"""The three capabilities that SECURITY.md's recipe grants are enough, and may be dropped again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import oracle, workloads, zoo
from tests.live.as_nobody import NOBODY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Start

PAGE = oracle.PAGE
RECIPE = ("sys_admin", "sys_ptrace", "dac_read_search")

# Opens with the capabilities, drops them for good, and prints what it then can still read.
DROPS = """
import ctypes, sys
# What is imported late could not be read any more where Python lies in a closed folder.
from pagemap import FrameReader, PageFlag, Process
from pagemap._analyses import translate

PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
LINUX_CAPABILITY_VERSION_3 = 0x20080522

pid, start, end = (int(word) for word in sys.argv[1:])
with Process(pid) as process, FrameReader() as reader:
    for column in ("flags", "mapcounts"):
        reader.fileno(column)
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    assert libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0
    assert libc.capset(header, none) == 0
    try:
        open(f"/proc/{pid}/pagemap")
    except PermissionError:
        pass
    else:
        sys.exit("the capabilities were not dropped")
    pages = process.pages((start, end))
    frames = reader.read(pages.pfns(), ["flags", "mapcounts"])
    assert any(mapping.start <= start < mapping.end for mapping in process.maps())
    for page, frame in zip(pages, frames):
        print(page.pfn, frame.mapcount)
"""


def with_recipe(*command: str, recipe: Sequence[str] = RECIPE) -> subprocess.CompletedProcess[str]:
    """Run a command as nobody, with these capabilities and no others."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not installed (Debian: apt install util-linux)")
    granted = ",".join(["-all", *(f"+{name}" for name in recipe)])
    words = [
        setpriv,
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        f"--inh-caps={granted}",
        f"--ambient-caps={granted}",
        f"--bounding-set={granted}",
        "--no-new-privs",
    ]
    able = subprocess.run(
        [*words, sys.executable, "-c", "import pagemap._native"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if able.returncode:
        pytest.skip(f"user nobody cannot run this Python with capabilities: {able.stderr[-200:]}")
    return subprocess.run(
        [*words, *command], check=False, capture_output=True, text=True, timeout=60
    )


def test_the_recipe_is_enough(
    need_root: None, need_pfns: None, start: Start, command: list[str]
) -> None:
    target = start(workloads.dense(16 * PAGE))
    target.stop()
    area = target.first
    where = f"{area.start:#x}-{area.end:#x}"
    done = with_recipe(*command, "dump", str(target.pid), "--range", where)
    assert done.returncode == 0, done.stderr
    seen = [row.split()[1] for row in done.stdout.splitlines()[1:]]
    entries = oracle.entries(target.pid, area.start, area.end)
    assert seen == [f"{oracle.place(entry):x}" for entry in entries]
    for words in (
        ("types", str(target.pid)),
        ("who", str(target.pid), f"0x{area.start:x}"),
        ("footprint", str(target.pid), "--gentle"),
        ("maps", str(target.pid)),
        ("doctor", str(target.pid)),
    ):
        done = with_recipe(*command, *words)
        assert done.returncode == 0, (words, done.stderr)


def test_sums_take_one_capability(need_root: None, start: Start, command: list[str]) -> None:
    """The message asked for CAP_DAC_READ_SEARCH too."""
    target = start(workloads.dense(16 * PAGE))
    # nobody may not start a Python that lies in a closed folder
    recipe = ("sys_ptrace",) if os.path.realpath(sys.executable)[:6] != "/root/" else RECIPE[1:]
    done = with_recipe(*command, "footprint", str(target.pid), recipe=recipe)
    assert (done.returncode, done.stderr) == (0, "")


def test_memory_that_cannot_be_compared(
    need_root: None, need_pfns: None, command: list[str]
) -> None:
    """Without CAP_SYS_PTRACE one address space was counted twice, and said to be told apart.

    CAP_SYS_ADMIN, or CAP_PERFMON, lets newer kernels read a process (mm_access), and kcmp not.
    """
    with zoo.ZOO["CLONE_VM"]() as target:
        pids = [str(target.pid), *map(str, target.children)]
        words = (*command, "footprint", *pids, "--json")
        done = with_recipe(*words, recipe=("sys_admin", "dac_read_search"))
        if done.returncode == 77:
            pytest.skip("this kernel reads no process for CAP_SYS_ADMIN alone")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["about"]["sharers_known"] is False
        assert "CAP_SYS_PTRACE" in done.stderr
        done = with_recipe(*words)
        assert json.loads(done.stdout)["about"]["sharers_known"] is True


def test_capabilities_dropped_after_the_opening(
    need_root: None, need_pfns: None, start: Start
) -> None:
    target = start(workloads.dense(16 * PAGE))
    target.stop()
    area = target.first
    done = with_recipe(
        sys.executable, "-W", "error", "-c", DROPS, *map(str, (target.pid, area.start, area.end))
    )
    assert done.returncode == 0, done.stderr
    rows = [tuple(map(int, row.split())) for row in done.stdout.splitlines()]
    entries = oracle.entries(target.pid, area.start, area.end)
    with open("/proc/kpagecount", "rb") as file:
        counts = [
            int.from_bytes(os.pread(file.fileno(), 8, 8 * oracle.place(entry)), sys.byteorder)
            for entry in entries
        ]
    assert rows == list(zip(map(oracle.place, entries), counts, strict=True))
