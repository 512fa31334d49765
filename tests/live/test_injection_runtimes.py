"""Programs as people run them, each with threads of its own and a main loop that waits somewhere.

Each answers with a number that it has to compute, from memory that it keeps: before, while and
after a userfaultfd of it is made, again and again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests.live.test_injection import ROUNDS, inject, left_behind
from tests.target import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask = Callable[[int], int]

PYTHON = """
import sys, threading
kept, lock = {}, threading.Lock()
def work():
    turn = 0
    while True:
        turn += 1
        with lock:
            kept[turn % 5000] = str(turn) * 20
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
for line in sys.stdin:
    print(sum(i * i for i in range(int(line))), flush=True)
"""
NODE = """
const kept = new Map();
let turn = 0;
setInterval(() => {
  for (let i = 0; i < 200; i++) kept.set(++turn % 5000, String(turn).repeat(20));
}, 1);
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  let sum = 0;
  for (let i = 0; i < Number(line); i++) sum += i * i;
  console.log(sum);
});
"""
JAVA = """
import java.util.*;
public class Kept {
    public static void main(String[] none) throws Exception {
        Map<Long, String> kept = new HashMap<>();
        Thread work = new Thread(() -> {
            for (long turn = 1; ; turn++) {
                kept.put(turn % 5000, String.valueOf(turn).repeat(20));
            }
        });
        work.setDaemon(true);
        work.start();
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            long end = Long.parseLong(lines.nextLine().trim()), sum = 0;
            for (long i = 0; i < end; i++) sum += i * i;
            System.out.println(sum);
        }
    }
}
"""
NGINX = """
daemon off;
worker_processes 2;
pid {folder}/pid;
error_log {folder}/log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location ~ ^/(\\d+)$ {{ return 200 "$1"; }}
  }}
}}
"""

NAMES = ("python", "node", "java")

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="needs x86-64")


def need(name: str, package: str) -> str:
    """The path of a program; skips where it is not installed."""
    path = shutil.which(name, path="/usr/local/bin:/usr/bin:/usr/sbin")
    if path is None:
        pytest.skip(f"there is no {name} (Debian: apt install {package})")
    return path


@contextlib.contextmanager
def talking(*command: str | Path) -> Iterator[tuple[int, Ask]]:
    """A program that answers each number with the sum of the squares below it."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:

            def ask(number: int) -> int:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(f"{number}\n")
                process.stdin.flush()
                return int(process.stdout.readline())

            assert ask(10) == 285
            yield process.pid, ask
        finally:
            process.kill()


def squares(below: int) -> int:
    """The sum of their squares, in closed form."""
    return (below - 1) * below * (2 * below - 1) // 6


def command_of(name: str, folder: Path) -> list[str | Path]:
    """What runs it; skips where that is not installed."""
    if name == "python":
        return [need("python3", "python3"), "-c", PYTHON]
    if name == "node":
        return [need("node", "nodejs"), "-e", NODE]
    need("javac", "default-jdk-headless")
    (folder / "Kept.java").write_text(JAVA)
    return [need("java", "default-jdk-headless"), folder / "Kept.java"]


@pytest.mark.parametrize("name", NAMES)
def test_a_runtime_is_right_afterwards(name: str, tmp_path: Path) -> None:
    with talking(*command_of(name, tmp_path)) as (pid, ask), pagemap.Process(pid) as process:
        for turn in range(ROUNDS):
            inject(process)
            assert ask(1000 + turn) == squares(1000 + turn)
        assert ask(100_000) == squares(100_000)
        assert left_behind(pid) == []
        process.check()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[list[int], Callable[[str], bytes]]]:
    """The pids of an nginx, of its master and its workers, and what gets a path from it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "config"
    config.write_text(NGINX.format(folder=folder, port=port))
    log = folder / "log"
    with subprocess.Popen([need("nginx", "nginx-light"), "-e", log, "-c", config]) as master:

        def get(path: str) -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                connection.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
                with connection.makefile("rb") as answer:
                    return answer.read().partition(b"\r\n\r\n")[2]

        try:
            children = Path(f"/proc/{master.pid}/task/{master.pid}/children")
            wait_until(lambda: len(children.read_text().split()) == 2)
            yield [master.pid, *map(int, children.read_text().split())], get
        finally:
            master.terminate()


def test_nginx_serves_on(tmp_path: Path) -> None:
    with serving(tmp_path) as (pids, get), contextlib.ExitStack() as stack:
        opened = [stack.enter_context(pagemap.Process(pid)) for pid in pids]
        for turn in range(ROUNDS):
            for process in opened:
                inject(process)
            assert get(str(turn)) == str(turn).encode()
        for process in opened:
            process.check()
            assert left_behind(process.pid) == []
