"""Which pages a filter selects, by the flags and kinds of their entries.

`swap` is what lies in swap, and `guard`, `marker`, `migrating`, `poisoned` and `device` are the
other kinds of entries that the kernel calls swapped (`pagemap._vocabulary.flags.ENTRY_KINDS`).
"""

from __future__ import annotations

from errno import EPERM

from pagemap._errors import PfnsHidden, UsageError
from pagemap._vocabulary.filters import parse_filters, words_of
from pagemap._vocabulary.flags import ENTRY_FLAGS, ENTRY_KINDS, PAGE_WORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.filters import Filter

__all__ = ["Choice"]

_KINDS = {word.name for word in ENTRY_KINDS} & {word for word, _ in PAGE_WORDS} - {"present"}
_FLAGS = {flag.name: 1 << flag.bit for flag in ENTRY_FLAGS if flag.name != "swapped"}
_PRESENT = _FLAGS["present"]
_BIT = {kind.name: 1 << kind.number for kind in ENTRY_KINDS}
_BIT_OF_WORD = {word: _BIT.get(word, 0) for word, _ in PAGE_WORDS}
"""Each word, and the kind that it is of; 0 of a flag that several kinds may have."""

_ALL = sum(_BIT.values())
_PAGES = _BIT["present"] | _BIT["swap"] | _BIT["hidden"]
# What the walk over populated pages passes over: hugetlb has markers without bit 62.
_PASSED_OVER = _BIT["none"] | _BIT["marker"]


class Choice:
    """Pages that fit the filters `only`, and are nothing of `without`; and `filters`, read already.

    Raises UsageError for other words, TypeError for what is no sequence of them.
    """

    __slots__ = ("_flags", "_others", "_words", "all_of", "kinds", "none_of", "populated", "wanted")

    def __init__(
        self,
        only: Sequence[str] = (),
        without: Sequence[str] = (),
        *,
        filters: Sequence[Filter] = (),
    ) -> None:
        self._words: set[str] = set()
        self.all_of = self.none_of = 0
        self.wanted = _ALL
        self._others = False  # whether kinds are asked for that are no pages
        for each in (*parse_filters(only, without, words_of(_BIT_OF_WORD)), *filters):
            self._words.update(each.all_of, each.none_of, *each.any_of)
            self._others |= not (_KINDS - {"swap"}).isdisjoint(
                [*each.all_of, *sum(each.any_of, ())]
            )
            without = [*each.none_of]
            if each.exact:
                without += [word for word in _BIT_OF_WORD if word not in each.all_of]
            self.all_of |= _bits(set(each.all_of) - _KINDS)
            self.none_of |= _bits(set(without) - _KINDS)
            for word in each.all_of:
                self.wanted &= _BIT_OF_WORD[word] if word in _KINDS else _ALL
            for word in without:
                self.wanted &= ~_BIT_OF_WORD[word] if word in _KINDS else _ALL
            for group in each.any_of:
                self.wanted &= _one_of(group)
        self._take_hidden_for("swap")
        self.kinds: bytes | None = None
        self.populated = bool(self.all_of & _PRESENT) or not self.wanted & _PASSED_OVER

    def _take_hidden_for(self, name: str) -> None:
        """Take entries whose kind the kernel hides for this kind."""
        self.wanted &= ~_BIT["hidden"]
        if self.wanted & _BIT[name]:
            self.wanted |= _BIT["hidden"]

    @property
    def counted(self) -> int:
        """The kinds wanted where pages count: guards and the like only if they are named."""
        return self.wanted if self._others else self.wanted & _PAGES

    @property
    def mentions_swap(self) -> bool:
        """Whether it matters which of the pages that the kernel calls swapped are in swap."""
        return "swap" in self._words

    def of(self, process: AddressSpace) -> Choice:
        """The same, for a process: what this kernel tells of its pages.

        Raises Unsupported for a flag that it does not tell, PfnsHidden where it hides from this
        reader of which kind an entry is.
        """
        if not self._words and self.wanted == _ALL:
            return self
        process.machine.require_told(_bits(self._words), process.pid)
        if self.wanted == _ALL:
            return self
        self.kinds = process.machine.swap_kinds()
        if process.pfns_visible:
            return self
        for name in sorted(self._words & (_KINDS - {"swap", "guard"})):
            raise PfnsHidden(
                f"cannot tell which pages of process {process.pid} are {name}: the kernel hides "
                "this without CAP_SYS_ADMIN (in the initial user namespace); run with sudo",
                pid=process.pid,
                errno=EPERM,
                operation="read the page table",
            )
        if process.machine.swaps_in_use() is False:
            self._take_hidden_for("marker")  # or another that is no swap: all fare alike here
        return self


def _one_of(group: Sequence[str]) -> int:
    """The kinds of which a page must be one."""
    for word in group:
        if not _BIT_OF_WORD[word]:
            kinds = ", ".join(word for word, bit in _BIT_OF_WORD.items() if bit)
            raise UsageError(
                f"pages cannot be selected by {'/'.join(group)}: only kinds of entries can be "
                f"combined with /, which are {kinds}"
            )
    return sum(_BIT_OF_WORD[word] for word in set(group))


def _bits(names: Iterable[str]) -> int:
    return sum(_FLAGS[name] for name in set(names) if name in _FLAGS)
