"""`pagemap footprint --cgroup`: the processes of a cgroup, and what is none."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import workloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Pagemap


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
    assert (code, json.loads(out)["rows"], err) == (0, [], [said])
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
    said = f"'{tmp_path}' is not a cgroup: it has no cgroup.procs"
    assert pagemap("footprint", "--cgroup", str(tmp_path)) == (66, b"", [f"pagemap: {said}"])


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("file", "it is not on a cgroup file system"),
        ("fifo", "it is not a regular file"),
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
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    said = f"pagemap: '{tmp_path}' is not a cgroup: of its cgroup.procs, {said}\n"
    assert (process.returncode, out, err.decode()) == (66, b"", said)


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
