"""DAMON by files that a test has made: what is set up, what is refused, what is put back.

What a real kernel makes of them is shown in tests/vm.
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._kernel.control_files import get, put
from pagemap._kernel.damon import Damon, require
from tests import target

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 4096
REGIONS = [(16 * PAGE, 20 * PAGE), (20 * PAGE, 24 * PAGE), (64 * PAGE, 65 * PAGE)]


def make(root: Path, *, kdamonds: int = 0, state: str = "off", offered: str = "") -> Path:
    """The files of one kdamond, which stay as they are: nothing but texts."""
    admin = root / "kernel/mm/damon/admin/kdamonds"
    files = {
        "contexts/nr_contexts": "0",
        "contexts/0/avail_operations": offered or "vaddr\nfvaddr\npaddr\n",
        "contexts/0/operations": "vaddr",
        "contexts/0/targets/nr_targets": "0",
        "contexts/0/targets/0/pid_target": "0",
        "contexts/0/targets/0/regions/nr_regions": "0",
        "contexts/0/schemes/nr_schemes": "0",
        "contexts/0/schemes/0/action": "stat",
        "contexts/0/schemes/0/tried_regions/0/start": str(16 * PAGE),
        "contexts/0/schemes/0/tried_regions/0/end": str(20 * PAGE),
        "contexts/0/schemes/0/tried_regions/total_bytes": "16384",
        "state": state,
    }
    for name in ("intervals/sample_us", "intervals/aggr_us", "intervals/update_us"):
        files[f"contexts/0/monitoring_attrs/{name}"] = "5000"
    for name in ("nr_regions/min", "nr_regions/max"):
        files[f"contexts/0/monitoring_attrs/{name}"] = "10"
    for name in ("sz", "nr_accesses", "age"):
        for bound in ("min", "max"):
            files[f"contexts/0/schemes/0/access_pattern/{name}/{bound}"] = "0"
    for number in range(len(REGIONS)):
        for bound in ("start", "end"):
            files[f"contexts/0/targets/0/regions/{number}/{bound}"] = "0"
    for name, text in files.items():
        path = admin / "0" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    (admin / "nr_kdamonds").write_text(f"{kdamonds}\n")
    return admin


def start(root: Path) -> Damon:
    return Damon(4242, REGIONS, sample=0.05, aggregation=1, sysfs=str(root))


def test_what_is_set_up(tmp_path: Path) -> None:
    admin = make(tmp_path)
    with start(tmp_path) as damon:
        context = admin / "0/contexts/0"
        told = {
            str(path.relative_to(context)): path.read_text()
            for path in context.rglob("*")
            if path.is_file()
        }
        assert (admin / "nr_kdamonds").read_text() == "1"
        assert (admin / "0/state").read_text() == "on"
        assert told["operations"] == "fvaddr"
        assert told["targets/0/pid_target"] == "4242"
        assert told["targets/0/regions/nr_regions"] == "3"
        assert told["targets/0/regions/2/start"] == str(64 * PAGE)
        assert told["targets/0/regions/2/end"] == str(65 * PAGE)
        assert told["monitoring_attrs/intervals/sample_us"] == "50000"
        assert told["monitoring_attrs/intervals/aggr_us"] == "1000000"
        # of 3 regions none is split, which takes less than half of the most, and none merged
        assert told["monitoring_attrs/nr_regions/min"] == "5"
        assert told["monitoring_attrs/nr_regions/max"] == "5"
        assert told["schemes/0/action"] == "stat"
        assert told["schemes/0/access_pattern/nr_accesses/min"] == "1"
        assert damon.accessed() == [(16 * PAGE, 20 * PAGE)]
        assert (admin / "0/state").read_text() == "update_schemes_tried_regions"
    assert (admin / "0/state").read_text() == "off"
    assert (admin / "nr_kdamonds").read_text() == "0"


@pytest.mark.parametrize(
    ("state", "said"), [("on", "is running"), ("off", "is set up, though not running")]
)
def test_somebody_elses_is_left_alone(tmp_path: Path, state: str, said: str) -> None:
    admin = make(tmp_path, kdamonds=1, state=state)
    before = {path: path.read_text() for path in admin.rglob("*") if path.is_file()}
    with pytest.raises(pagemap.PagemapError, match=said) as caught:
        start(tmp_path)
    assert caught.value.errno == errno.EBUSY
    assert {path: path.read_text() for path in admin.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("state", "said"), [("on", "is running"), ("off", "is set up, though not running")]
)
def test_somebody_who_comes_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, said: str
) -> None:
    """DAMON was free when it was looked at, and is not when it would be written to."""
    admin = make(tmp_path)
    theirs = make(tmp_path / "theirs", kdamonds=1, state=state)
    (theirs / "0/contexts/0/targets/0/pid_target").write_text("77\n")
    python = tmp_path / "python"  # it is started between the two
    copied = shlex.join(["cp", "-R", f"{theirs}/.", str(admin)])
    python.write_text(f'#!/bin/sh\n{copied} && exec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(pagemap.PagemapError, match=said) as caught:
        start(tmp_path)
    assert caught.value.errno == errno.EBUSY
    for path in theirs.rglob("*"):
        if path.is_file():
            assert (admin / path.relative_to(theirs)).read_text() == path.read_text(), path


UNTIL_KILLED = """
import os, signal, sys
from pagemap._kernel.put_back import Guard
guard = Guard([(sys.argv[1], "off")])
if sys.argv[2] == "armed":
    guard.arm()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("armed", "text"), [("armed", "off"), ("not", "on")])
def test_the_guard_acts_only_when_it_is_armed(tmp_path: Path, armed: str, text: str) -> None:
    state = tmp_path / "state"
    state.write_text("on")
    # the guard keeps the standard error, which ends when both have ended
    done = subprocess.run(
        [sys.executable, "-c", UNTIL_KILLED, str(state), armed], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, b"")
    assert state.read_text() == text


def test_a_kernel_that_monitors_no_virtual_addresses(tmp_path: Path) -> None:
    make(tmp_path, kdamonds=1, offered="paddr")
    with pytest.raises(pagemap.Unsupported, match="CONFIG_DAMON_VADDR"):
        require(str(tmp_path))


def test_no_damon(tmp_path: Path) -> None:
    with pytest.raises(pagemap.Unsupported, match="CONFIG_DAMON_SYSFS"):
        require(str(tmp_path))


@pytest.mark.parametrize("name", ["contexts/0/operations", "contexts/0/targets/0/pid_target"])
def test_a_file_that_refuses(tmp_path: Path, name: str) -> None:
    """Whatever fails on the way, all is put back. /dev/full refuses every write."""
    admin = make(tmp_path)
    (admin / "0" / name).unlink()
    (admin / "0" / name).symlink_to("/dev/full")
    with pytest.raises(pagemap.PagemapError, match="No space left"):
        start(tmp_path)
    assert (admin / "0/state").read_text().strip() == "off"
    assert (admin / "nr_kdamonds").read_text() == "0"


def test_a_state_that_cannot_be_set(tmp_path: Path) -> None:
    admin = make(tmp_path)
    (admin / "0/state").unlink()
    (admin / "0/state").mkdir()
    with pytest.raises(pagemap.PagemapError, match="Is a directory"):
        start(tmp_path)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    admin = make(tmp_path)
    with start(tmp_path) as damon:
        (admin / "0/state").rename(admin / "away")
        (admin / "0").rename(admin / "1")
        with pytest.raises(pagemap.PagemapError, match="switched it off"):
            damon.accessed()
    assert (admin / "nr_kdamonds").read_text() == "0"


SCRIPT = """
import sys, time
from pagemap._kernel.damon import Damon
with Damon(4242, [(65536, 81920)], sample=0.05, aggregation=1, sysfs=sys.argv[1]):
    print("on", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_whoever_is_killed_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    admin = make(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"on\n"
        assert (admin / "0/state").read_text() == "on"
        # as a terminal does, to all of the group
        os.killpg(process.pid, number)
        process.wait()
    target.wait_until(lambda: (admin / "nr_kdamonds").read_text() == "0")
    assert (admin / "0/state").read_text() == "off"


def test_what_close_tells(tmp_path: Path) -> None:
    """A file of sysfs may refuse as late as that; `with` would have swallowed it."""
    file = tmp_path / "state"
    file.touch()

    def refuse(fd: int) -> None:
        os.close(fd)
        raise OSError(errno.EINVAL, "Invalid argument")

    with pytest.raises(OSError, match="Invalid argument") as caught:
        put(str(file), "on", close=refuse)
    assert (caught.value.errno, caught.value.filename) == (errno.EINVAL, str(file))


def test_a_file_that_takes_less(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        put("/dev/full", "on")
    file = tmp_path / "file"
    with pytest.raises(FileNotFoundError):
        put(str(file), "on")
    assert not file.exists()
    file.write_text("a longer text\n")
    put(str(file), 12)
    assert get(str(file)) == "12"
    assert get(str(file), most=1) == "1"
