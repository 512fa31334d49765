"""The command in a Python that stands ready: it has imported what the command does, and forks.

To start a Python and to import costs 50 ms of a processor, and most commands need 5 for their
work. A child has the arguments, the environment, the folder and the descriptors that it was given;
what it writes, and its exit code, are those of a command of its own. It ends without Python's own
end, which would copy all that was imported. Whoever is another user, and what is not waited for, is
started by itself (conftest.py); with PAGEMAP_STARTS=1 all are, as `make test-long` has it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn

STARTS = int(os.environ.get("PAGEMAP_STARTS", "0"))
SECONDS = 120.0
_NUMBER = 8  # bytes of each that is sent


class Ready:
    """Such a Python, and a connection to it."""

    def __init__(self, *, arrow: bool) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-W", "error", __file__, str(theirs.fileno()), str(int(arrow))],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )

    def close(self) -> None:
        """It ends with the connection."""
        self._socket.close()
        self._server.communicate(timeout=SECONDS)

    def run(
        self,
        words: Sequence[bytes],
        env: Mapping[str, str],
        stdin: bytes,
        stdout: int | None = None,
    ) -> tuple[int, bytes, bytes]:
        """The exit code, as subprocess has it, and what was written to stdout and stderr.

        Nothing to stdout where that is a descriptor of the caller's.
        """
        mask = os.umask(0)
        os.umask(mask)
        given = [[os.fsdecode(word) for word in words], dict(env), os.getcwd(), mask]
        request = json.dumps(given).encode()
        theirs, into = os.pipe()
        out, their_out = os.pipe()
        err, their_err = os.pipe()
        length = len(request).to_bytes(_NUMBER, "little")
        standard = [theirs, their_out if stdout is None else stdout, their_err]
        socket.send_fds(self._socket, [length], standard)
        for fd in (theirs, their_out, their_err):
            os.close(fd)
        self._socket.sendall(request)
        pid = _number(self._socket)
        try:
            written = _communicate(into, stdin, out, err)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            _number(self._socket)
            raise
        return _number(self._socket), *written


def _number(connection: socket.socket) -> int:
    data = connection.recv(_NUMBER, socket.MSG_WAITALL)
    if len(data) < _NUMBER:
        raise EOFError("the Python that stands ready has ended")
    return int.from_bytes(data, "little", signed=True)


def _communicate(into: int, stdin: bytes, *readers: int) -> tuple[bytes, bytes]:
    """Write to the first pipe and read the others, to their ends; then they are closed."""
    written: dict[int, list[bytes]] = {fd: [] for fd in readers}
    deadline = time.monotonic() + SECONDS
    with contextlib.ExitStack() as ends, selectors.DefaultSelector() as ready:
        for fd in readers:
            ends.callback(os.close, fd)
            ready.register(fd, selectors.EVENT_READ)
        os.set_blocking(into, False)
        ready.register(into, selectors.EVENT_WRITE)
        while ready.get_map():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the command has not ended within {SECONDS:g} s")
            for key, _ in ready.select(1.0):
                fd = key.fd
                if fd == into:
                    with contextlib.suppress(BrokenPipeError):
                        stdin = stdin[os.write(fd, stdin) :] if stdin else b""
                        if stdin:
                            continue
                    ready.unregister(fd)
                    os.close(fd)
                elif piece := os.read(fd, 1 << 20):
                    written[fd].append(piece)
                else:
                    ready.unregister(fd)
    out, err = (b"".join(written[fd]) for fd in readers)
    return out, err


def _serve(connection: socket.socket, run: Callable[[], int | str]) -> None:
    """Fork for each request, and say how the child has ended."""
    while True:
        data, fds, *_ = socket.recv_fds(connection, _NUMBER, 3)
        if not data:
            return
        request = connection.recv(int.from_bytes(data, "little"), socket.MSG_WAITALL)
        pid = os.fork()
        if pid == 0:
            connection.close()
            for number, fd in enumerate(fds):
                os.dup2(fd, number)
                os.close(fd)
            words, env, folder, mask = json.loads(request)
            sys.argv[1:] = words
            os.environ.clear()
            os.environ.update(env)
            time.tzset()
            os.chdir(folder)
            os.umask(mask)
            _end(run())
        for fd in fds:
            os.close(fd)
        connection.sendall(pid.to_bytes(_NUMBER, "little"))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        connection.sendall(code.to_bytes(_NUMBER, "little", signed=True))


def _end(code: int | str) -> NoReturn:
    """As sys.exit ends the main program, but for what Python then takes down."""
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _main() -> None:
    import pagemap
    from pagemap.__main__ import run

    modules = {each.name for each in pkgutil.walk_packages(pagemap.__path__, "pagemap.")}
    more = ["argparse", "json", "locale", "pwd", "shutil", "signal", "tempfile", "textwrap"]
    for name in sorted(modules) + more + ["pyarrow.ipc"] * int(sys.argv[2]):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # so that a child copies none of it
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        _serve(connection, run)


if __name__ == "__main__":
    _main()
