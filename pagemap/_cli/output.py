"""Where data goes: stdout or a file, without a buffer of Python's in between.

A dump is written in blocks of many rows already, so a buffered layer would only copy them once
more, and would try again at exit to write what a full disk or a closed pipe has refused.
"""

from __future__ import annotations

import os
import sys
from errno import EBADF, ENXIO
from stat import S_ISFIFO, S_ISREG

from pagemap._cli.writing import Output, failure
from pagemap._errors import PagemapError, UsageError
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._kernel.places import Place

__all__ = ["Output", "open_output"]

_DESCRIPTORS = {"/dev/stdout": 1, "/dev/stderr": 2}


def open_output(path: str | None = None, *, reads: int | None = None) -> Output:
    """The open place for output that `path` names; stdout for None or ``-``.

    Devices, pipes and descriptors (/dev/stdout, /dev/fd/N) are written to as they are. A regular or
    new file comes into its place only when all is written. In a folder where everybody may put
    things, no link, fifo or device of a stranger's is used. `reads` is a descriptor of the file
    that the data come from. Raises PagemapError when it cannot be opened, UsageError where that
    file would be replaced, before it is touched.
    """
    if path is None or path == "-":
        # A closed descriptor 1 is given to the next file opened: the target's pagemap, it may be.
        if sys.stdout is None:
            raise PagemapError("cannot write to standard output: it is closed", operation="write")
        _keep(reads, 1, "-")
        return Output(1, "standard output")
    if not path:
        raise UsageError("the name of the output file is empty")
    try:
        descriptor = _descriptor(path)
        if descriptor is not None:
            _keep(reads, descriptor, path)
            return Output(descriptor, path)
        from pagemap._kernel.places import find

        with find(path) as place:
            _keep(reads, place.found, path)
            if place.mode and not S_ISREG(place.mode):
                return _Direct(_open_special(place), path)
            from pagemap._cli.replacement import Replacement

            return Replacement(place, path)
    except OSError as error:
        raise failure("open", path, error) from error


def _keep(reads: int | None, found: int | None, path: str) -> None:
    """Raise UsageError where both descriptors are of one file, whatever its names are."""
    if reads is None or found is None:
        return
    if os.path.sameopenfile(reads, found):
        raise UsageError(
            f"-o {printable(path)} would replace the file that is read: give another name"
        )


class _Direct(Output):
    """A device or fifo, opened by its name."""

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        os.close(self.fd)


def _open_special(place: Place) -> int:
    """A descriptor of the device or fifo that was found here."""
    place.refuse_planted()
    flags = os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY
    found = f"/proc/self/fd/{place.found}"
    try:
        fd = os.open(found, flags | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != ENXIO or not S_ISFIFO(place.mode):
            raise
        # Of a fifo of one's own the reader may be about to come, as the shell's `>` has it.
        if place.owner != os.geteuid():
            raise OSError(ENXIO, "nobody reads from this fifo") from error
        return os.open(found, flags)
    os.set_blocking(fd, True)
    return fd


def _descriptor(path: str) -> int | None:
    """The number of the open descriptor that `path` names, if it does.

    Opened by name, a file that the shell opened for appending would be written over from its start.
    """
    number = _DESCRIPTORS.get(path)
    if number is None:
        folder, _, name = path.rpartition("/")
        if folder not in ("/dev/fd", "/proc/self/fd") or not (name.isascii() and name.isdecimal()):
            return None
        # The kernel allows fewer (fs.nr_open), and os.fstat() of far more is an OverflowError.
        if len(name) > 9:
            raise OSError(EBADF, os.strerror(EBADF))
        number = int(name)
    os.fstat(number)
    return number
