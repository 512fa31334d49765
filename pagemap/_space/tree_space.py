"""A process in a copy of /proc: what the kernel said of it is there, but no page table."""

from __future__ import annotations

from errno import ENOTSUP

from pagemap._errors import Unsupported
from pagemap._kernel.folder import Folder
from pagemap._kernel.maps_blocks import in_order, read_blocks
from pagemap._native.descriptors import Descriptor
from pagemap._space.address_space import AddressSpace
from pagemap._space.machine import Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from pagemap._native.source import Source

__all__ = ["TreeSpace"]


class TreeSpace(AddressSpace):
    """What /proc/PID told when the tree at `procfs` was copied. Nothing changes any more.

    Raises what `Folder` raises. All that needs a page table raises Unsupported.
    """

    __slots__ = ("_folder", "_kernel_thread", "machine", "pfns_visible", "pid", "procfs")

    def __init__(self, pid: int, *, procfs: str) -> None:
        self.pid: int = int(pid)
        self.procfs: str = procfs
        self.pfns_visible: bool = False
        self.machine: Machine = Machine(procfs)
        self._folder = Folder(pid, str(int(pid)), procfs)
        try:
            self._kernel_thread: bool = self._folder.is_kernel_thread()
        except BaseException:
            self._folder.close()
            raise

    def __enter__(self) -> TreeSpace:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        self._folder.close()

    @property
    def kernel_thread(self) -> bool:
        """Whether it was a thread of the kernel."""
        return self._kernel_thread

    @property
    def folder(self) -> Folder:
        """The files that were copied."""
        return self._folder

    @property
    def name(self) -> str:
        """The command name."""
        return self._folder.read("comm").rstrip(b"\n").decode("utf-8", "surrogateescape")

    @property
    def can_scan(self) -> bool:
        """Nothing can be scanned."""
        return False

    @property
    def source(self) -> Source:
        """Raises Unsupported: there are no entries."""
        raise Unsupported(
            f"cannot read the page table of process {self.pid}: {self.procfs} is a copy of a proc "
            "file system, which has none",
            pid=self.pid,
            errno=ENOTSUP,
            operation="read the page table",
            path=self.procfs,
        )

    def maps_blocks(self) -> Generator[bytes, None, None]:
        """The text of maps, in blocks of whole lines."""
        if self._kernel_thread:
            return
        try:
            fd = Descriptor(self._folder.open("maps"))
            yield from in_order(read_blocks(fd))
        except OSError as error:
            raise self._folder.error(error, "read the mappings", "maps") from None

    def check(self) -> None:
        """Nothing changes any more."""
