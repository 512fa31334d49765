"""The machine that a snapshot was taken on, by what the file says of it."""

from __future__ import annotations

from errno import EBADMSG, ENOTSUP

from pagemap._errors import PagemapError, Unsupported
from pagemap._kernel import features
from pagemap._kernel.zones import NO_END
from pagemap._native.descriptors import CLOSED
from pagemap._space.machine import Machine
from pagemap._vocabulary.flags import ENTRY_FLAGS
from pagemap._vocabulary.names import spell
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pagemap._space.saved_frames import SavedFrames

__all__ = ["SavedMachine"]

_NODES = 1 << 10  # MAX_NUMNODES
_OF_PROCESS = ("host", "kernel", "boot_id", "page_size", "begin", "end")


class SavedMachine(Machine):
    """Nothing here is asked of this machine: `facts` are those of a process in the file `path`."""

    __slots__ = ("_facts", "_frames", "_path")

    def __init__(self, facts: Mapping[str, Any], path: str, frames: SavedFrames) -> None:
        super().__init__("")  # there is no proc file system of it
        self._facts = facts
        self._path = path
        self._frames = frames

    def told(self, wanted: int = features.ALL) -> int:
        """Those of the flags `wanted` that the kernel told."""
        return int(self._facts["told"]) & wanted

    def require_told(self, wanted: int, pid: int) -> None:
        """Raise Unsupported where the kernel did not tell one of the flags `wanted`."""
        missing = wanted & ~self.told(wanted)
        for flag in ENTRY_FLAGS:
            if missing >> flag.bit & 1:
                raise Unsupported(
                    self.why_not(flag.name),
                    pid=pid,
                    errno=ENOTSUP,
                    operation="read the page table",
                    path=self._path,
                )

    def why_not(self, name: str) -> str:
        """Why a flag is not told."""
        return (
            f"{printable(self._path)} does not tell which pages are {spell(name)}: "
            "the kernel that it was taken on does not"
        )

    @property
    def why_hidden(self) -> str:
        """Why there are no PFNs nor places in swap, and what to do."""
        return (
            f"{printable(self._path)} was taken without them, because that was asked for or by "
            "who has no right to read them; take it as root, with PFNs"
        )

    def swap_kinds(self) -> bytes:
        """For each of the 32 types of swap entries the number of its kind."""
        return bytes.fromhex(self._facts["swap_kinds"])

    def swaps_in_use(self) -> bool | None:
        """Whether any page was in a swap area; None where that was not told."""
        used: bool | None = self._facts["swaps_in_use"]
        return used

    def may_have_swapped(self) -> bool:
        """Whether any page may have been in a swap area."""
        return bool(self._facts.get("may_have_swapped", True))

    def memory(self) -> int | None:
        """All memory of the machine, in bytes; None where that was not told."""
        found = self._facts.get("memory")
        return found if type(found) is int and found > 0 else None

    def node_parts(self) -> list[tuple[int, int, int]]:
        """Which frames were of which node, ``(start, end, node)``; empty where that is not told.

        Raises PagemapError where it is none.
        """
        parts = self._facts.get("nodes", [])
        found: list[tuple[int, int, int]] = []
        for each in parts if isinstance(parts, list) else [None]:
            if not isinstance(each, list) or [type(number) for number in each] != [int] * 3:
                raise self._damaged()
            start, end, node = each
            before = found[-1][1] if found else 0
            if not before <= start < end <= NO_END or not 0 <= node < _NODES:
                raise self._damaged()
            found.append((start, end, node))
        return found

    def memory_end(self) -> int:
        """The first PFN past all frames; `NO_END` where nothing tells."""
        end = self._facts.get("frames_end")
        if type(end) is int and end > 0:
            return end
        return max((end for _, end, _ in self.node_parts()), default=NO_END)

    def zero_frames(self, flags: int) -> tuple[int, int]:  # noqa: ARG002 - as of a Machine
        """The first of the small pages of zeros, and how many there were."""
        first, count = self._facts["zero_frames"] or (0, 0)
        return first, count

    def pmd_order(self) -> int | None:
        """The order of what a PMD mapped: a table of the lowest level is a page of entries."""
        return None if self._facts["thp"] is None else int(self._facts["page_shift"]) - 3

    def least_anon_order(self) -> int | None:
        """Not known."""
        return None

    @property
    def ksm_told(self) -> bool | None:
        """Whether the flag KSM of frames is to be believed; None: not known."""
        told = self._facts.get("ksm_told")
        return told if isinstance(told, bool) else None

    def open_frames(self, name: str) -> int:
        """A file about frames as it was; CLOSED where not all of it was saved, or some is lost."""
        if self._facts.get("frames_lost") is True:
            return CLOSED
        return self._frames.open(name)

    def _damaged(self) -> PagemapError:
        return PagemapError(
            f"{printable(self._path)} is damaged: the list of nodes is none",
            errno=EBADMSG,
            operation="read the snapshot",
            path=self._path,
        )

    def about(self, begin: float) -> dict[str, object]:  # noqa: ARG002 - as of a Machine
        """What holds for all of a result: of when the snapshot was taken, whenever it is read."""
        about: dict[str, object] = {name: self._facts[name] for name in _OF_PROCESS}
        about["snapshot"] = printable(self._path)
        about["complete"] = self._facts["complete"]
        about["stopped"] = self._facts["stopped"]
        return about
