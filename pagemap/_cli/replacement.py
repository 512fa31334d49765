"""An output file that replaces an older one when it is complete, or not at all.

Everything is done within the one open folder that was judged: by name it could be another by now.
"""

from __future__ import annotations

import os
from contextlib import suppress
from errno import EACCES, EPERM
from stat import S_ISVTX

from pagemap._cli.interrupts import Interrupts
from pagemap._cli.writing import Output, failure
from pagemap._errors import TargetVanished

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._kernel.places import Place

__all__ = ["Replacement"]

# Physical addresses help Rowhammer attacks, so nobody else may read them.
_MODE = 0o600

_WRITE = os.O_WRONLY | os.O_CLOEXEC


class Replacement(Output):
    """A file that is written without a name, and comes into its place at the end.

    Until then an older file stays as it is. It is kept when all went well and when the target
    vanished, for what was read stands; after any other end nothing is left of it, for what has no
    name goes with its last descriptor. Only where the file system knows no such files, and for the
    moment in which an older one is replaced, it has a name beside that one's.
    """

    def __init__(self, place: Place, path: str) -> None:
        self._place = place.name
        self._replaces = place.found is not None
        # Not named after the file: with anything added, that could be too long for a name.
        self._beside = f".pagemap-{os.getpid()}-{os.urandom(8).hex()}"
        self._named = False
        self._folder = place.take_folder()
        # First, so that there is no moment in which a signal leaves the file behind.
        self._interrupts = Interrupts(self._discard)
        try:
            if self._replaces:
                _require_replaceable(place, self._folder)
            super().__init__(self._create(), path)
        except BaseException as error:
            self._discard()
            self._interrupts.restore()
            os.close(self._folder)
            if isinstance(error, FileNotFoundError) and self._replaces:
                # As /proc does for /proc/self/comm, which is there itself.
                raise OSError(EPERM, "its directory takes no new file") from error
            raise

    def _create(self) -> int:
        try:
            return os.open(".", _WRITE | os.O_TMPFILE, _MODE, dir_fd=self._folder)
        except OSError:
            pass  # an old kernel or a network file system; or the same error comes again, below
        self._named = True
        try:
            flags = _WRITE | os.O_CREAT | os.O_EXCL
            return os.open(self._beside, flags, _MODE, dir_fd=self._folder)
        except FileExistsError:
            self._named = False  # that one is not ours
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
                self._put_into_place()
        except OSError as why:
            raise failure("write", self.name, why) from why
        finally:
            self._discard()
            self._interrupts.restore()
            os.close(self.fd)
            os.close(self._folder)

    def _put_into_place(self) -> None:
        if not self._named:
            if not self._replaces:
                try:
                    self._link(self._place)
                except FileExistsError:
                    pass  # it has come since
                else:
                    return
            self._named = True
            try:
                self._link(self._beside)
            except FileExistsError:
                self._named = False  # that one is not ours
                raise
        # A symbolic link that stands there by now is what is replaced, not what it leads to.
        os.replace(self._beside, self._place, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._named = False

    def _link(self, name: str) -> None:
        # By its descriptor in /proc, which every kernel lets its owner do.
        os.link(f"/proc/self/fd/{self.fd}", name, dst_dir_fd=self._folder, follow_symlinks=True)

    def _discard(self) -> None:
        # Made too late, or in its place already, it has this name no more.
        if self._named:
            with suppress(FileNotFoundError):
                os.unlink(self._beside, dir_fd=self._folder)


def _require_replaceable(place: Place, folder: int) -> None:
    """Raise PermissionError where an older file must not, or could not, be replaced in the end."""
    # A rename would go over a file that may not be written to, as `>` would not.
    if not os.access(f"/proc/self/fd/{place.found}", os.W_OK):
        raise PermissionError(EACCES, os.strerror(EACCES))
    about, user = os.fstat(folder), os.geteuid()
    if about.st_mode & S_ISVTX and user not in (0, place.owner, about.st_uid):
        raise PermissionError(
            EPERM, f"it belongs to uid {place.owner}, who alone may replace it in its folder"
        )
