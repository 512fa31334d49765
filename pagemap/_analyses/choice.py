"""Which pages to write, by the words of their entries: flags, and the kinds of what is no page.

`swap` is what lies in swap, and `guard`, `marker`, `migrating`, `poisoned` and `device` are the
other kinds of entries that the kernel calls swapped (`pagemap._vocabulary.flags.ENTRY_KINDS`).
"""

from __future__ import annotations

from errno import EPERM

from pagemap._errors import PfnsHidden
from pagemap._kernel import told
from pagemap._kernel.swap_types import in_use, kinds
from pagemap._vocabulary.checks import check_names
from pagemap._vocabulary.flags import ENTRY_FLAGS, ENTRY_KINDS, PAGE_WORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pagemap._space.handle import Handle

__all__ = ["Choice"]

_KINDS = {word.name for word in ENTRY_KINDS} & {word for word, _ in PAGE_WORDS} - {"present"}
_FLAGS = {flag.name: 1 << flag.bit for flag in ENTRY_FLAGS if flag.name != "swapped"}
_BIT = {kind.name: 1 << kind.number for kind in ENTRY_KINDS}
_ALL = sum(_BIT.values())
# What the walk over populated pages passes over: hugetlb has markers without bit 62.
_PASSED_OVER = _BIT["none"] | _BIT["marker"]


class Choice:
    """Pages that are all of `only`, and nothing of `without`: words, as the command takes them too.

    Raises UsageError for other words, TypeError for what is no sequence of them.
    """

    __slots__ = ("_flags", "_words", "all_of", "kinds", "none_of", "populated", "wanted")

    def __init__(self, only: Sequence[str], without: Sequence[str]) -> None:
        known = [word for word, _ in PAGE_WORDS]
        only = check_names("only", only, known)
        without = check_names("without", without, known)
        self._words = {*only, *without}
        self.all_of, self.none_of = (_bits(set(names) - _KINDS) for names in (only, without))
        self.wanted = _ALL
        for name in only:
            if name in _KINDS:
                self.wanted &= _BIT[name]
        for name in without:
            if name in _KINDS:
                self.wanted &= ~_BIT[name]
        self._take_hidden_for("swap")
        self.kinds: bytes | None = None
        self.populated = "present" in only or not self.wanted & _PASSED_OVER

    def _take_hidden_for(self, name: str) -> None:
        """Take entries whose kind the kernel hides for this kind."""
        self.wanted &= ~_BIT["hidden"]
        if self.wanted & _BIT[name]:
            self.wanted |= _BIT["hidden"]

    @property
    def mentions_swap(self) -> bool:
        """Whether it matters which of the pages that the kernel calls swapped are in swap."""
        return "swap" in self._words

    def of(self, process: Handle) -> Choice:
        """The same, for a process: what this kernel tells of its pages.

        Raises Unsupported for a flag that it does not tell, PfnsHidden where it hides from this
        reader of which kind an entry is.
        """
        if not self._words:
            return self
        told.require(_bits(self._words), procfs=process.procfs, pid=process.pid)
        if self.wanted == _ALL:
            return self
        self.kinds = kinds()
        if process.pfns_visible:
            return self
        for name in sorted(self._words & (_KINDS - {"swap", "guard"})):
            raise PfnsHidden(
                f"cannot tell which pages of process {process.pid} are {name}: the kernel hides it "
                "without CAP_SYS_ADMIN (in the initial user namespace); run with sudo",
                pid=process.pid,
                errno=EPERM,
                operation="read the page table",
            )
        if in_use(process.procfs) is False:
            self._take_hidden_for("marker")  # or another that is no swap: all fare alike here
        return self


def _bits(names: Iterable[str]) -> int:
    return sum(_FLAGS[name] for name in set(names) if name in _FLAGS)
