"""Huge pages counted page by page, and as the kernel's thpmaps counts them; as naive.py.

Both give pages by ``(kind, what, order)``: kind anon or file, what pmd, partial, aligned, unaligned
or cont. Order 0 stands with what has none. Zeros are left out. The words that part all that is
present (rss, of it anonymous, zero, hugetlb) are kind and what at once; thpmaps has none of them.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    Key = tuple[str, str, int]
    WordOf = Callable[[int], int]

PAGE = oracle.PAGE
ANON, HEAD, TAIL, HUGE, THP, ZERO = 12, 15, 16, 17, 22, 24
PLAIN = ("rss", "anon", "zero", "hugetlb")
PMD_SIZE = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
THPMAPS_PATTERN = re.compile(
    r"^(anon|file)-(thp|cont)-(pte|pmd)-(partial|aligned|unaligned)(?:-(\d+)kB)?:\s+(\d+) kB"
)


def bit(word: int, number: int) -> bool:
    """Whether the word has this bit."""
    return word >> number & 1 == 1


def words_of(frames: Iterable[int]) -> dict[int, int]:
    """The words of frames in /proc/kpageflags, one read each; 0 where there is none."""
    fd = os.open("/proc/kpageflags", os.O_RDONLY)
    try:
        return {
            frame: struct.unpack("=Q", os.pread(fd, 8, frame * 8) or bytes(8))[0]
            for frame in frames
        }
    finally:
        os.close(fd)


def pieces(vpn: int, entries: Sequence[int], word_of: WordOf) -> list[list[tuple[int, int]]]:
    """What lies of one folio in a row, as lists of ``(page number, frame)``."""
    found: list[list[tuple[int, int]]] = []
    for number, entry in enumerate(entries, vpn):
        frame = oracle.place(entry)
        if not oracle.has(entry, "present") or not bit(word_of(frame), THP):
            continue
        follows = bool(found) and found[-1][-1] == (number - 1, frame - 1)
        if follows and not bit(word_of(frame), HEAD):
            found[-1].append((number, frame))
        else:
            found.append([(number, frame)])
    return found


def count(
    vpn: int, entries: Sequence[int], word_of: WordOf, conts: Sequence[int] = ()
) -> Counter[Key]:
    """The pages of one mapping that begins at page `vpn`, whatever maps them."""
    result: Counter[Key] = Counter()
    for entry in entries:
        if oracle.has(entry, "present"):
            word = word_of(oracle.place(entry))
            kind = "zero" if bit(word, ZERO) else "hugetlb" if bit(word, HUGE) else "rss"
            result[kind, kind, 0] += 1
            if kind == "rss" and not oracle.has(entry, "file_or_shared"):
                result["anon", "anon", 0] += 1
    for piece in pieces(vpn, entries, word_of):
        (first, frame), size = piece[0], len(piece)
        if bit(word_of(frame), ZERO):
            continue
        kind = "anon" if bit(word_of(frame), ANON) else "file"
        for order in conts:
            block = 2**order
            for number, place in piece:
                whole = number - first + block <= size
                if number % block == 0 and place % block == 0 and whole:
                    result[kind, "cont", order] += block
        if bit(word_of(frame), HEAD) and not bit(word_of(frame + size), TAIL):
            how = "aligned" if first % size == 0 else "unaligned"
            result[kind, how, size.bit_length() - 1] += size
        else:
            result[kind, "partial", 0] += size
    return result


def take_pmds(
    counts: Counter[Key], kind: str, pages: int, order: int, conts: Sequence[int]
) -> None:
    """Have `pages` be mapped by PMDs, which are of that order."""
    if pages:
        counts[kind, "pmd", 0] += pages
        counts[kind, "aligned", order] -= pages
        for each in conts:
            counts[kind, "cont", each] -= pages


def of_process(pid: int, conts: Sequence[int] = ()) -> list[Counter[Key]]:
    """The counts of each mapping of a process, with what PMDs map as smaps has it."""
    order = (int(PMD_SIZE.read_text()) // PAGE).bit_length() - 1
    result = []
    for account in oracle.parse_smaps(Path(f"/proc/{pid}/smaps").read_bytes()):
        entries = oracle.entries(pid, account.start, account.end)
        frames = {oracle.place(entry) for entry in entries if oracle.has(entry, "present")}
        words = words_of(frames | {frame + 1 for frame in frames})
        counts = count(account.start // PAGE, entries, words.__getitem__, conts)
        sizes = {name: size // PAGE for name, size in account.sizes.items()}
        file = sizes.get("ShmemPmdMapped", 0) + sizes.get("FilePmdMapped", 0)
        take_pmds(counts, "anon", sizes.get("AnonHugePages", 0), order, conts)
        take_pmds(counts, "file", file, order, conts)
        result.append(+counts)
    return result


def of_thpmaps(tool: str, pid: int, conts: Sequence[int] = ()) -> list[Counter[Key]]:
    """The counts of each mapping as thpmaps tells them."""
    options = [word for order in conts for word in ("--cont", str(PAGE << order))]
    done = subprocess.run(
        [tool, "--pid", str(pid), *options], capture_output=True, text=True, check=True, timeout=300
    )
    result: list[Counter[Key]] = []
    for line in done.stdout.splitlines()[1:]:
        found = THPMAPS_PATTERN.match(line)
        if found is None:
            assert line.startswith(f"{pid:010d}: "), line
            result.append(Counter())
            continue
        kind, sort, by, what, size, kilobytes = found.groups()
        pages = int(kilobytes) * 1024 // PAGE
        order = (int(size) * 1024 // PAGE).bit_length() - 1 if size else 0
        if by == "pmd":
            if sort == "thp":  # told again for each size of blocks
                result[-1][kind, "pmd", 0] += pages
        else:
            result[-1][kind, "cont" if sort == "cont" else what, order] += pages
    return [+counts for counts in result]


def word_of_size(order: int) -> str:
    """What stands in the name of a column for folios of 2**order pages."""
    size = PAGE << order
    return f"{size >> 20}m" if size >= 1 << 20 else f"{size >> 10}k"


def of_row(row: Any) -> Counter[Key]:
    """A row of ours, of all columns, in this form: in pages."""
    result: Counter[Key] = Counter()
    for word in PLAIN:
        result[word, word, 0] = getattr(row, word)
    for kind in ("anon", "file"):
        for what in ("pmd", "partial"):
            result[kind, what, 0] = getattr(row, f"{kind}_{what}") or 0
        for what in ("aligned", "unaligned", "cont"):
            for order in range(1, 14):
                name = f"{kind}_{what}_{word_of_size(order)}"
                result[kind, what, order] = getattr(row, name, 0)
    assert not any(size % PAGE for size in result.values())
    return +Counter({key: size // PAGE for key, size in result.items()})
