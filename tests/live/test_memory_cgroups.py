"""What is charged to a memory cgroup of our own, beside the numbers of its process."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import build, oracle, workloads

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20


def turn_controller_on(scratch: Path) -> None:
    """In a guest, which is ours alone, have the root of version 2 give memory cgroups."""
    if "PAGEMAP_VM_SERIES" not in os.environ:
        return
    root = next(
        iter(re.findall(r"^\S+ (\S+) cgroup2 ", Path("/proc/mounts").read_text(), re.MULTILINE)), ""
    )
    if not root:
        root = str(scratch)
        subprocess.run(["mount", "-t", "cgroup2", "cgroup2", root], check=False)
    with contextlib.suppress(OSError):
        (Path(root) / "cgroup.subtree_control").write_text("+memory")


@pytest.fixture
def memory_cgroup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A memory cgroup of our own, by version 1 or 2."""
    turn_controller_on(tmp_path_factory.mktemp("cgroup2"))
    roots = re.findall(
        r"^\S+ (\S+) cgroup2? (\S+) ", Path("/proc/mounts").read_text(), re.MULTILINE
    )
    fitting = [path for path, options in roots if "memory" in options.split(",")]
    two = re.findall(r"^\S+ (\S+) cgroup2 ", Path("/proc/mounts").read_text(), re.MULTILINE)
    for root in fitting or two:
        folder = Path(root) / f"pagemap-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        if (folder / "memory.stat").exists():
            try:
                yield folder
            finally:
                workloads.wait_until(lambda folder=folder: _removed(folder))  # type: ignore[misc]
            return
        folder.rmdir()
    pytest.skip("no memory cgroup can be made here")


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return not folder.exists()
    return True


@pytest.mark.skipif(
    not oracle.may_read("/proc/kpageflags"),
    reason="/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH",
)
def test_what_is_charged_to_a_cgroup(memory_cgroup: Path) -> None:
    if not oracle.may_read("/proc/kpagecgroup"):
        pytest.skip("/proc/kpagecgroup: the kernel has no CONFIG_MEMCG")
    own = memory_cgroup / "cgroup.procs"
    size = 32 * MIB
    script = [
        *("sh", "-c", 'echo $$ > "$0"; exec "$@"', str(own)),
        str(build.targets()),
    ]
    with workloads.run(*script, "dense", str(size)) as target:
        table = pagemap.memory(cgroups=True).cgroups
        assert table is not None
        row = next(each for each in table if each.cgroup == str(memory_cgroup))
        assert row.inode == memory_cgroup.stat().st_ino
        rss = workloads.smaps_number(target.pid, "Anonymous")
        assert size <= rss <= (row.anon or 0) <= rss + MIB
        assert abs(row.difference or 0) <= 2 * MIB
