"""The address space of a process that lives: a `Handle` that is an AddressSpace."""

from __future__ import annotations

from pagemap._kernel import statm
from pagemap._space.address_space import AddressSpace
from pagemap._space.handle import Handle
from pagemap._vocabulary.units import PAGE_SHIFT

__all__ = ["LiveSpace"]


class LiveSpace(Handle, AddressSpace):
    """An open process, its mappings and its pages. Use `pagemap.Process`, which is one."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The command name, which the kernel cuts to 15 bytes (/proc/PID/comm)."""
        self.require_open()
        return self._folder.read("comm").rstrip(b"\n").decode("utf-8", "surrogateescape")

    @property
    def reserved_pages(self) -> int:
        """The number of pages in all mappings, touched or not (/proc/PID/statm)."""
        return self._statm(statm.RESERVED)

    @property
    def resident_pages(self) -> int:
        """The number of pages that are present, about: the kernel's count may lag (statm)."""
        return self._statm(statm.RESIDENT)

    def _statm(self, field: int) -> int:
        self.require_open()
        text = self._folder.read("statm")
        try:
            return statm.count_in(text, field)
        except OSError as error:
            raise self._folder.error(error, "read statm", "statm") from None

    def end_page(self) -> int:
        """The first page number past the address space. Raises TargetVanished when that is gone."""
        if self._end is None:
            from pagemap._native.scan import address_space_end

            try:
                self._end = address_space_end(self.descriptor(), PAGE_SHIFT)
            except OSError as error:
                raise self.read_error(error) from None
        return self._end
