"""`--user`: the processes of a user, as ps lists them."""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Pagemap

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A process of another effective user, which sleeps."""
    if os.geteuid():
        pytest.skip("only root can start a process of another user")
    with subprocess.Popen(["sleep", "60"], user=NOBODY.pw_uid, extra_groups=[]) as process:
        yield process.pid
        process.kill()


def pids(out: bytes) -> set[int]:
    return {int(row["pid"]) for row in csv.DictReader(io.StringIO(out.decode()))}


@pytest.mark.parametrize("user", ["nobody", str(NOBODY.pw_uid)])
def test_the_processes_of_a_user(pagemap: Pagemap, sleeper: int, user: str) -> None:
    code, out, _ = pagemap("footprint", "--user", user, "--columns", "pid,user", "--csv")
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    assert code == 0
    assert sleeper in pids(out)
    assert os.getpid() not in pids(out)
    assert {row["user"] for row in rows} == {"nobody"}


@pytest.mark.parametrize("mapped", [False, True])
def test_a_user_without_a_number_in_our_namespace(pagemap: Pagemap, mapped: bool) -> None:
    """The kernel gives the number of nobody, who is somebody else."""
    inside = ("unshare", "--user", *(["--map-root-user"] if mapped else []))
    process = pagemap.start("footprint", "self", "--columns", "user", "--json", prefix=inside)
    out, err = process.communicate(timeout=60)
    if process.returncode == 1 and b"unshare" in err:
        pytest.skip(f"no user namespace can be made here: {err.decode().strip()}")
    assert json.loads(out)["rows"] == [{"user": "root" if mapped else None}]


def test_own_processes(pagemap: Pagemap) -> None:
    """Those that ps lists before and after are all there."""
    own = str(os.geteuid())
    ours = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with ours:
        _, out, _ = pagemap("footprint", "--user", own, "--columns", "pid", "--csv")
        listed = subprocess.run(
            ["ps", "-o", "pid=", "-u", own], capture_output=True, text=True, check=True
        ).stdout.split()
        ours.kill()
    assert {os.getpid(), ours.pid} <= pids(out) & set(map(int, listed))


def test_a_user_that_has_none(pagemap: Pagemap) -> None:
    code, out, err = pagemap("footprint", "--user", "4000000001", "--csv")
    assert (code, pids(out)) == (0, set())
    assert err == ["pagemap: user '4000000001' has no processes with memory"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--user", "no such user"], "there is no user 'no such user'"),
        (["--user", "root", "self"], "--user NAME stands alone"),
        (["--user", "root", "--cgroup", "/x"], "--user NAME stands alone"),
    ],
)
def test_what_is_no_user(pagemap: Pagemap, words: list[str], message: str) -> None:
    code, out, err = pagemap("footprint", *words)
    assert (code, out) == (2, b"")
    assert message in " ".join(err)
