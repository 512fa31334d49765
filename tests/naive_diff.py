"""What changed between two looks, found page by page.

The naive twin of csrc/history and pagemap/_history/diff*.py, with rules of its own. Nothing of
`pagemap` is imported.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.oracle import MapsLine

PAGE = oracle.PAGE
PRESENT = ("anon", "file", "zero", "hugetlb")
BITS = {"exclusive": 56, "uffd_wp": 57}


class Page(NamedTuple):
    """What a page is at one look."""

    entry: int
    state: str
    hidden: bool = False
    huge: bool = False

    def has(self, flag: str) -> bool:
        """Whether its entry carries the flag."""
        return oracle.has(self.entry, flag)


NOTHING = Page(0, "none")


class Rules(NamedTuple):
    """What can be told: of frames, of bits, and of pages that a PMD maps."""

    frames: bool = True
    told: frozenset[str] = frozenset(oracle.FLAGS)
    huge: bool = False
    zeros: bool = True
    counted: bool = False


def page(
    entry: int,
    types: Sequence[str],
    *,
    zero: bool = False,
    huge: bool = False,
    hidden_is_swap: bool = True,
    hugetlb: bool = False,
) -> Page:
    """The page with this entry."""
    kind = oracle.kind(entry, types)
    if kind == "present":
        if hugetlb:
            return Page(entry, "hugetlb", huge=huge)
        if zero:
            return Page(entry, "zero")
        return Page(entry, "file" if oracle.has(entry, "file_or_shared") else "anon", huge=huge)
    if kind == "hidden":
        return Page(entry, "swap" if hidden_is_swap else "marker", hidden=True)
    return Page(entry, kind)


def change(a: Page, b: Page, rules: Rules) -> str:
    """What became of a page, or "unchanged"."""
    if a.state in PRESENT and b.state in PRESENT:
        return _kept(a, b, rules)
    if a.state == b.state:
        slot = oracle.place(a.entry) != oracle.place(b.entry)
        if a.state == "swap" and slot and rules.frames:
            return "moved"
        marks = [name for name in rules.told if name not in ("present", "swapped")]
        return "marks changed" if any(a.has(m) != b.has(m) for m in marks) else "unchanged"
    into = {"guard": "guard set", "poisoned": "poisoned"}
    if b.state in into and not (b.state == "poisoned" and a.state == "guard"):
        return into[b.state]
    if a.state == "guard":
        return "guard cleared"
    if b.state == "none":
        return "marker cleared" if a.state == "marker" else "dropped"
    if b.state == "marker":
        return "marker set" if a.state == "none" else "dropped"
    later = {"swap": "swapped out", "migrating": "migrating", "device": "to device"}
    if b.state in later:
        return later[b.state]
    if a.state == "swap":
        return "swapped in" if b.state in ("anon", "hugetlb") else "replaced"
    return {"migrating": "moved", "device": "from device"}.get(a.state, "faulted in")


def _kept(a: Page, b: Page, rules: Rules) -> str:
    if a.state != b.state:
        copies = {"zero": "copied from zero", "file": "copied from file"}
        return copies.get(a.state, "replaced") if b.state == "anon" else "replaced"
    marks = any(
        a.has(mark) != b.has(mark) for mark in rules.told if mark not in ("present", "swapped")
    )
    elsewhere = rules.frames and oracle.place(a.entry) != oracle.place(b.entry)
    if a.state == "zero":
        return "marks changed" if marks or elsewhere else "unchanged"
    if rules.huge and b.huge and not a.huge:
        return "became huge"
    reliable = rules.counted or a.state == "hugetlb" or not (a.huge or b.huge)
    sharing = "exclusive" in rules.told and reliable
    shared = sharing and a.has("exclusive") and not b.has("exclusive")
    sole = sharing and b.has("exclusive") and not a.has("exclusive")
    if elsewhere and a.state != "file" and (shared or sole):
        return "became shared" if shared else "copied from shared"
    if elsewhere:
        return "moved"
    if rules.huge and a.huge and not b.huge:
        return "huge split"
    if shared:
        return "became shared"
    if sole and (rules.frames or rules.zeros or a.state == "file"):
        return "sole again"
    if "soft_dirty" in rules.told and b.has("soft_dirty") and not a.has("soft_dirty"):
        return "written"
    return "marks changed" if marks else "unchanged"


def counts(seen: Page) -> Counter[str]:
    """The counts of maps that a page is part of."""
    found: Counter[str] = Counter()
    if seen.state in PRESENT:
        found["present"] = 1
        found["uss"] = int(seen.has("exclusive") and seen.state != "hugetlb")
    if seen.state in ("anon", "file"):
        found["rss"] = 1
    if seen.state != "none" and not seen.hidden:
        found[seen.state] += 1
    found["huge"] = int(seen.huge and seen.state in PRESENT)
    found["uffd_wp"] = int(seen.has("uffd_wp"))
    return found


Sums = dict[tuple[str, str], Counter[str]]
"""By mapping (the start of its row, in hex) and kind: pages, and by how much each count changed."""


class Naive:
    """A diff of two lists of lines of maps, and what the page at an address is at each look."""

    def __init__(
        self,
        before: Sequence[MapsLine],
        after: Sequence[MapsLine],
        look: Callable[[int], Page],
        look_again: Callable[[int], Page],
        rules: Rules,
    ) -> None:
        self.sums: Sums = defaultdict(Counter)
        self.kinds: dict[int, list[str]] = defaultdict(list)
        lines = {at: line for line in before for at in range(line.start, line.end, PAGE)}
        again = {at: line for line in after for at in range(line.start, line.end, PAGE)}
        kept = [at for at in lines if at in again and same(lines[at], again[at])]
        into: dict[int, list[int]] = defaultdict(list)
        out_of: dict[int, list[int]] = defaultdict(list)
        for at in sorted(kept):
            into[lines[at].start].append(again[at].start)
            out_of[again[at].start].append(lines[at].start)
        inside = set(kept)
        for at, line in sorted(lines.items()):
            old = look(at)
            if at in inside:
                now = again[at]
                row = f"{now.start:#x}"
                self._page(row, at, old, look_again(at), rules)
                if line.perms != now.perms:
                    self._event(row, "rights changed")
                if line.path != now.path:
                    self._event(row, "mapping renamed")
                if len(set(into[line.start])) > 1:
                    self._event(row, "mapping split")
                if len(set(out_of[now.start])) > 1:
                    self._event(row, "mapping merged")
                continue
            left = into.get(line.start)
            row = f"{left[0] if left else line.start:#x}"
            how = "replaced" if at in again else "shrank" if left else "removed"
            self._event(row, f"mapping {how}", -1)
            self._page(row, at, old, NOTHING, rules)
        for at, line in sorted(again.items()):
            if at not in inside:
                row = f"{line.start:#x}"
                self._event(row, f"mapping {'grew' if line.start in out_of else 'added'}", 1)
                self._page(row, at, NOTHING, look_again(at), rules)

    def _event(self, row: str, kind: str, size: int = 0) -> None:
        self.sums[row, kind]["amount"] += 1
        self.sums[row, kind]["size"] += size

    def _page(self, row: str, at: int, a: Page, b: Page, rules: Rules) -> None:
        kind = change(a, b, rules)
        if kind == "unchanged":
            return
        self.kinds[at].append(kind)
        found = self.sums[row, kind]
        found["amount"] += 1
        for sign, seen in ((-1, a), (1, b)):
            for name, number in counts(seen).items():
                found[name] += sign * number
            found["hidden"] += seen.hidden


def same(a: MapsLine, b: MapsLine) -> bool:
    """Whether two lines that have an address in common have the same memory there."""
    if (a.dev, a.inode, a.perms[3]) != (b.dev, b.inode, b.perms[3]):
        return False
    if a.inode:
        return a.offset - a.start == b.offset - b.start
    plain = ("", "[heap]", "[stack]")
    return a.path == b.path or (a.path in plain and b.path in plain)


def totals(sums: Iterable[Counter[str]]) -> Counter[str]:
    """The sums of all."""
    total: Counter[str] = Counter()
    for each in sums:
        total.update(each)
    return total
