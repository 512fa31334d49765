"""What is promised of servers as people run them: PostgreSQL, and Redis while it saves.

Only with PAGEMAP_ENDING, and where they are installed (Debian: postgresql, redis-server).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import ending
from tests.kernel_settings import Unavailable
from tests.live.test_freed import LONG, OF_A_PROCESS, near

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = ending.MIB
BACKENDS = 6

pytestmark = pytest.mark.skipif(not LONG, reason="servers are started only with PAGEMAP_ENDING")


def tool(name: str) -> str:
    """Where a program is; skips where it is not installed."""
    places = [str(path) for path in Path("/usr/lib/postgresql").glob("*/bin")]
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@contextlib.contextmanager
def started(group: ending.Cgroup, *words: str, user: int | None = None) -> Iterator[None]:
    """Run a server in the cgroup."""

    def enter() -> None:
        (group.path / "cgroup.procs").write_text("0")
        if user is not None:
            os.setgroups([])
            os.setuid(user)

    with subprocess.Popen(
        words,
        preexec_fn=enter,  # noqa: PLW1509 - so that all of it is charged there
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    ) as process:
        try:
            yield
        finally:
            group.kill(group.pids())
            process.kill()


def again(words: list[str], **more: int) -> str:
    """What a client prints, once the server is there."""
    for _ in range(200):
        done = subprocess.run(words, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
        if done.returncode == 0 and "LOADING" not in done.stdout:
            return str(done.stdout)
        time.sleep(0.1)
    pytest.skip(f"{words[0]} gets no answer: {done.stderr}")


def judge(group: ending.Cgroup) -> pagemap.FreedRow:
    pids = group.pids()
    before = group.stat(), group.usage()
    (row,) = pagemap.freed(pids)
    group.kill(pids)
    came = {name: size - group.stat()[name] for name, size in before[0].items()}
    usage = before[1] - group.usage()
    print(f"\n{row}\n{came} usage {usage} processes {len(pids)}")  # noqa: T201 - seen with -s
    assert near(row.anon, came["anon"]), (row, came)
    assert near(row.shmem, came["shmem"]), (row, came)
    assert near(row.frees, usage, more=2 * OF_A_PROCESS * len(pids)), (row, usage)
    return row


def test_postgres_and_its_backends(need_pfns: None, need_root: None) -> None:
    server, make, client = tool("postgres"), tool("initdb"), tool("psql")
    user = pwd.getpwnam("postgres").pw_uid
    try:
        with contextlib.ExitStack() as stack:
            group = stack.enter_context(ending.cgroup())
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pagemap-"))
            os.chown(folder, user, -1)
            data = f"{folder}/data"
            subprocess.run([make, "-D", data, "-A", "trust"], check=True, capture_output=True,
                           user=user, cwd="/")  # fmt: skip
            words = [server, "-D", data, "-k", folder, "-c", "listen_addresses="]
            words += ["-c", f"shared_buffers={LONG}MB"]
            stack.enter_context(started(group, *words, user=user))
            ask = [client, "-h", folder, "-d", "postgres", "-qAt", "-c"]
            again([*ask, "select 1"], user=user)
            table = "create table t as select g, md5(g::text) from generate_series(1, 100000) g"
            again([*ask, table], user=user)
            for _ in range(BACKENDS):
                query = "select count(*) from t a join t b using (md5); select pg_sleep(600)"
                clients = subprocess.Popen([*ask, query], user=user, cwd="/")
                stack.callback(clients.wait)
                stack.callback(clients.kill)
            sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
            while int(again([*ask, sleeping], user=user)) < BACKENDS:
                time.sleep(0.1)
            row = judge(group)
            assert row.processes > BACKENDS
            # shared_buffers is memory that they alone have
            assert (row.shmem or 0) > 8 * MIB
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("alone", [False, True], ids=["with its child", "alone"])
def test_redis_that_saves(alone: bool, need_pfns: None) -> None:
    server, client = tool("redis-server"), tool("redis-cli")
    try:
        with contextlib.ExitStack() as stack:
            group = stack.enter_context(ending.cgroup())
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pagemap-"))
            socket = f"{folder}/socket"
            words = [server, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
            stack.enter_context(started(group, *words, "--enable-debug-command", "yes"))
            ask = [client, "-s", socket]
            again([*ask, "debug", "populate", str(LONG * 4000), "key", "200"])
            again([*ask, "config", "set", "rdb-key-save-delay", "100000"])
            again([*ask, "bgsave"])
            again([*ask, "debug", "populate", str(LONG * 1000), "more", "200"])
            parent, child = sorted(group.pids())
            if not alone:
                row = judge(group)
                assert row.anon > LONG * MIB // 2
                return
            before = group.usage()
            (row,) = pagemap.freed([parent])
            group.kill([parent])
            assert near(row.frees, before - group.usage(), more=2 * OF_A_PROCESS)
            assert (row.stays_anon or 0) > LONG * MIB // 2
            assert child in group.pids()
    except Unavailable as reason:
        pytest.skip(str(reason))
