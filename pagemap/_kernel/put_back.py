"""A process that puts settings of the kernel back when this one ends, however it ends.

What must not outlive us is undone by us; but SIGKILL leaves no time for that. The guard waits at a
pipe: when we are gone it reads the pipe's end, and writes what it was given. It does so only if
`arm` was called: before our own first write, the settings are another's.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

from pagemap._errors import PagemapError
from pagemap._native.descriptors import Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Guard"]

# It imports nothing of ours, which may be removed or replaced while it waits. The signals that a
# terminal or a shutdown sends to all processes must leave it alive until the pipe ends.
_GUARD = """
import errno, os, signal, sys, time
for number in (1, 2, 3, 14, 15):
    signal.signal(number, signal.SIG_IGN)
os.write(1, b"r")
if os.read(0, 1) == b"a" and not os.read(0, 1):
    for path, text in zip(sys.argv[1::2], sys.argv[2::2]):
        for tries in range(500):
            try:
                file = os.open(path, os.O_WRONLY | os.O_TRUNC)
                os.write(file, text.encode())
                os.close(file)
            except OSError as error:
                if error.errno == errno.EBUSY:
                    time.sleep(0.02)
                    continue
            break
"""


class Guard(Holder):
    """From `arm` until `dismiss`, the end of this process has `texts` written to their files.

    Each is a path and a text, written in order. Raises PagemapError where no process can be started
    for that: then nothing should be changed that has to be put back.
    """

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        words = [word for pair in texts for word in pair]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own Python and text
                [sys.executable, "-I", "-S", "-c", _GUARD, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise PagemapError(
                "cannot start the process that would put the kernel's settings back if this one "
                f"were killed: {error}",
                operation="find the working set",
            ) from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        if self._stdout.read(1) != b"r":
            self.dismiss()
            raise PagemapError(
                "the process that would put the kernel's settings back if this one were killed "
                "ended at once",
                operation="find the working set",
            )

    @property
    def pid(self) -> int:
        """The number of the process that waits."""
        return self._process.pid

    def arm(self) -> None:
        """From now on there is something to put back."""
        try:
            self._stdin.write(b"a")
        except OSError as error:  # somebody has ended it
            raise PagemapError(
                "the process that would put the kernel's settings back if this one were killed "
                f"is gone: {error.strerror}",
                errno=error.errno,
                operation="find the working set",
            ) from None

    def dismiss(self) -> None:
        """Let it end without doing anything; everything was put back."""
        with suppress(OSError):  # somebody has ended it
            self._stdin.write(b"d")
        self.act()

    def act(self) -> None:
        """Have it put everything back now, if it is armed, and wait for that."""
        self._stdin.close()
        self._stdout.close()
        self._process.wait()
