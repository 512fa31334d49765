"""A new file that comes into its place when it is complete, or not at all.

Everything is done within the one open folder that was judged: by name it could be another by now.
"""

from __future__ import annotations

import os
from contextlib import suppress
from errno import EACCES, EPERM
from stat import S_ISVTX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._kernel.places import Place

__all__ = ["NewFile"]

# Physical addresses help Rowhammer attacks, so nobody else may read them.
_MODE = 0o600

_WRITE = os.O_WRONLY | os.O_CLOEXEC


class NewFile:
    """A file that is written without a name, and comes into its place at the end.

    Until then an older file stays as it is. Only where the file system knows no files without a
    name, and for the moment in which an older one is replaced, it has a name beside that one's,
    which `discard` takes away. `create` gives its descriptor, which the caller closes.
    """

    def __init__(self, place: Place) -> None:
        self._place = place.name
        self._replaces = place.found is not None
        # Not named after the file: with anything added, that could be too long for a name.
        self._beside = f".pagemap-{os.getpid()}-{os.urandom(8).hex()}"
        self._named = False
        self._folder = place.take_folder()

    def create(self, place: Place) -> int:
        """Make it, open to be written. Raises OSError, also where an older one must stay."""
        try:
            if self._replaces:
                _require_replaceable(place, self._folder)
            return self._create()
        except FileNotFoundError as error:
            if self._replaces:
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

    def put_into_place(self, fd: int) -> None:
        """Give what was written to `fd` its name, in the place of an older file. Raises OSError."""
        if not self._named:
            if not self._replaces:
                try:
                    self._link(fd, self._place)
                except FileExistsError:
                    pass  # it has come since
                else:
                    return
            self._named = True
            try:
                self._link(fd, self._beside)
            except FileExistsError:
                self._named = False  # that one is not ours
                raise
        # A symbolic link that stands there by now is what is replaced, not what it leads to.
        os.replace(self._beside, self._place, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._named = False

    def _link(self, fd: int, name: str) -> None:
        # By its descriptor in /proc, which every kernel lets its owner do.
        os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=self._folder, follow_symlinks=True)

    def discard(self) -> None:
        """Take away the name beside, if there is one; after that, and at any time, nothing."""
        # Made too late, or in its place already, it has this name no more.
        if self._named:
            with suppress(FileNotFoundError):
                os.unlink(self._beside, dir_fd=self._folder)

    def close(self) -> None:
        """Close the folder."""
        os.close(self._folder)


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
