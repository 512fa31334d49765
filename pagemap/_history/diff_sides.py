"""What is known of each of the two looks of a diff, and what may be compared of both."""

from __future__ import annotations

from pagemap._analyses.backing import Backing, may_be_shared
from pagemap._analyses.tally import tally
from pagemap._analyses.tally_plan import open_frames
from pagemap._kernel import executables, maps
from pagemap._kernel.zero_frames import zero_frames
from pagemap._native.counting import HUGETLB, SHMEM
from pagemap._native.descriptors import CLOSED
from pagemap._native.diffing import Look
from pagemap._native.lines import Lines
from pagemap._space.address_space import AddressSpace
from pagemap._space.saved_space import SavedSpace
from pagemap._vocabulary.flags import PFN_BITS, SCAN_CATEGORIES
from pagemap._vocabulary.page_changes import STATES
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["Identity", "Side", "compared_bits", "identity_of", "not_comparable"]

_CATEGORY = {flag.name: 1 << flag.bit for flag in SCAN_CATEGORIES}
_PRESENT_OR_SWAPPED = 3 << 62
_PFN = (1 << PFN_BITS) - 1


class Identity(Record):
    """Whose look it is."""

    boot_id: object = field("", "of the machine's boot; None where it is not told")
    pid: int = field("", "the process")
    start: int = field("", "when the process began, in clock ticks since the boot")
    executable: tuple[str, int] | None = field("", "device and inode of the program")
    image: str = field("", "a hash of the auxiliary vector, which exec chooses anew")


def identity_of(process: AddressSpace) -> Identity:
    """Whose look a process is, live or saved."""
    boot = process.machine.about(0)["boot_id"]
    if isinstance(process, SavedSpace):
        facts, exe = process.record.about, process.record.about["exe"]
        program = None if exe is None else (exe["device"], exe["inode"])
        return Identity(boot, process.pid, facts["start_time"], program, facts["auxv_sha256"])
    from hashlib import sha256

    folder = process.folder
    image = sha256(folder.image()).hexdigest()
    program = executables.executable(folder)
    return Identity(boot, process.pid, folder.start(), program, image)


class Side:
    """One of both looks: its mappings and what backs them, and how its pages are read."""

    def __init__(self, process: AddressSpace) -> None:
        if not isinstance(process, AddressSpace):
            raise TypeError(f"{process!r} is no process: give a Process, or one of a Snapshot")
        self.process = process
        self.identity = identity_of(process)
        lines = Lines.of_blocks(process.maps_blocks())
        self.mappings: list[Mapping] = list(maps.mappings_of(lines))
        backing = Backing(process).of(lines)
        self._backing = dict(zip((each.start for each in self.mappings), backing, strict=True))
        self.told = process.machine.told()
        self.swap_used = process.machine.swaps_in_use() is not False
        wanted = ("huge", "pfnzero", *(["soft_dirty"] if self.told >> 55 & 1 else []))
        scans = not process.kernel_thread and process.can_scan
        self.found = [name for name in wanted if scans and process.can_find(name)]
        self.zero_frames = (0, 0)
        self._flags = CLOSED
        if "pfnzero" not in self.found:
            self._flags = open_frames(process, "kpageflags")
            if self._flags >= 0:
                self.zero_frames = zero_frames(self._flags)
        self._mapcounts = open_frames(process, "kpagecount")

    @property
    def tells_zero(self) -> bool:
        """Whether pages of zeros are told from others."""
        return "pfnzero" in self.found or self.zero_frames[1] > 0

    @property
    def counted(self) -> bool:
        """Whether exclusive pages can be told by map counts."""
        process = self.process
        return process.counted if isinstance(process, SavedSpace) else self._mapcounts >= 0

    def is_zero(self, pfn: int) -> bool:
        """Whether this is a frame of zeros, as far as it is told by frames."""
        first, count = self.zero_frames
        return first <= pfn < first + count

    def backing(self, mapping: Mapping | None) -> int:
        """What backs a mapping of this look (csrc/analyses/tally.cdef.h); 0 of none."""
        return 0 if mapping is None else self._backing[mapping.start]

    def is_hugetlb(self, mapping: Mapping | None) -> bool:
        """Whether hugetlb backs it."""
        return self.backing(mapping) == HUGETLB

    def state(self, number: int, mapping: Mapping | None) -> str:
        """The word for what a page of a mapping is (enum pm_page_state)."""
        word = STATES[number]
        return "shmem" if word == "file" and self.backing(mapping) == SHMEM else word

    def swapped_shmem(self) -> list[tuple[int, int | None]]:
        """What is in swap of mappings of shared memory, by their first addresses; None: unknown."""
        shared = {each.start for each in self.mappings if may_be_shared(self.backing(each))}
        if not shared:
            return []
        table = tally(self.process, ["swap"], None)
        return [(row.start, row.swap) for row in table if row.start in shared]

    def look(self, *, counted: bool) -> Look:
        """How C reads it; `counted` is whether map counts tell what is exclusive."""
        process = self.process
        return Look(
            source=process.counted_source if counted else process.source,
            page_shift=PAGE_SHIFT,
            use_scan=process.can_scan,
            kinds=self.process.machine.swap_kinds(),
            end=process.end_page(),
            any_of=sum(_CATEGORY[name] for name in self.found),
            zero_frames=self.zero_frames,
            mapcounts=self._mapcounts if counted else CLOSED,
            counted=counted,
            tells_zero=self.tells_zero,
            hidden_is_swap=process.pfns_visible or self.swap_used,
        )


def not_comparable(before: Side, after: Side) -> str | None:
    """Why the frames of both looks cannot be compared; None where they can."""
    a, b = before.identity, after.identity
    if a.boot_id is None or a.boot_id != b.boot_id:
        return "the two are not of one boot of one machine"
    if (a.pid, a.start) != (b.pid, b.start):
        return "the two are of different processes"
    known = None not in (a.executable, b.executable)
    if a.image != b.image or (known and a.executable != b.executable):
        return "the process called exec in between"
    for process in (before.process, after.process):
        if not process.pfns_visible:
            if isinstance(process, SavedSpace):
                return process.machine.why_hidden
            return "the kernel hides them without CAP_SYS_ADMIN (in the initial user namespace)"
    return None


def compared_bits(before: Side, after: Side, *, frames: bool) -> int:
    """The bits of entries that mean the same in both."""
    bits = _PRESENT_OR_SWAPPED | (before.told & after.told)
    return bits | _PFN if frames else bits
