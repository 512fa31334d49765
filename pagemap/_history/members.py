"""The processes that a working set is of: one that was named, or those of a cgroup."""

from __future__ import annotations

from pagemap._errors import PagemapError
from pagemap._native.descriptors import Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeVar

    from pagemap._space.address_space import AddressSpace
    from pagemap._space.every_process import EveryProcess

    _T = TypeVar("_T")

__all__ = ["Members"]


class Members(Holder):
    """Open processes. An error of one that was named is raised; of a cgroup that one is left out.

    `every` are the processes of the cgroup, those that were read and those that were not.
    """

    def __init__(self, one: AddressSpace | None = None, every: EveryProcess | None = None) -> None:
        self.every = every
        self.spaces: list[AddressSpace] = [] if one is None else [one]
        if every is not None:
            self.spaces = [space for _, space in every.read(every.open)]

    @property
    def only(self) -> AddressSpace | None:
        """The process that was named."""
        return self.spaces[0] if self.every is None and self.spaces else None

    def each(self, look: Callable[[AddressSpace], _T]) -> Iterator[tuple[AddressSpace, _T]]:
        """Each process, and what `look` gives of it."""
        for space in tuple(self.spaces):
            try:
                found = look(space)
            except PagemapError as error:
                if self.every is None:
                    raise
                self.every.leave_out(space.pid, error)
                self.spaces.remove(space)
                space.close()
                continue
            yield space, found

    def check(self) -> None:
        """Raise TargetVanished when the process that was named has gone."""
        if self.only is not None:
            self.only.check()

    def errors(self) -> Sequence[PagemapError]:
        """Why processes of the cgroup were left out."""
        return [] if self.every is None else list(self.every.errors.values())

    def close(self) -> None:
        """Close all of them."""
        for space in self.spaces:
            space.close()
