"""An output file that replaces an older one when it is complete, or not at all."""

from __future__ import annotations

import os

from pagemap._cli.interrupts import Interrupts
from pagemap._cli.writing import Output, failure
from pagemap._errors import TargetVanished
from pagemap._kernel.new_file import NewFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._kernel.places import Place

__all__ = ["Replacement"]


class Replacement(Output):
    """A file that comes into its place at the end, whatever signal may come before.

    Until then an older file stays as it is. It is kept when all went well and when the target
    vanished, for what was read stands; after any other end nothing is left of it, for what has no
    name goes with its last descriptor.
    """

    def __init__(self, place: Place, path: str) -> None:
        self._new = NewFile(place)
        # First, so that there is no moment in which a signal leaves the file behind.
        self._interrupts = Interrupts(self._new.discard)
        try:
            super().__init__(self._new.create(place), path)
        except BaseException:
            self._new.discard()
            self._interrupts.restore()
            self._new.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        keep = kind is None or issubclass(kind, TargetVanished)
        try:
            if keep:
                # A network file system may tell only at a close that its disk is full; and the
                # last close is the end of a file without a name.
                os.close(os.dup(self.fd))
                # An interrupt that came to nothing, in a callback say, counts too.
                self._interrupts.check()
                self._new.put_into_place(self.fd)
        except OSError as why:
            raise failure("write", self.name, why) from why
        finally:
            self._new.discard()
            self._interrupts.restore()
            os.close(self.fd)
            self._new.close()
