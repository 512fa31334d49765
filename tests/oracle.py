"""The slow, plain truth: what csrc/ and the layers above it must agree with.

The naive twin of each C function, one entry at a time with plain integers, and readers of the
kernel's own accounts. Nothing of `pagemap` is imported, and nothing here is fast.
"""

from __future__ import annotations

import contextlib
import csv
import ctypes
import functools
import gzip
import io
import json
import mmap
import os
import re
import struct
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests import build

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

PAGE = os.sysconf("SC_PAGESIZE")
NONE = 2**64 - 1
AT_A_TIME = 256
FLAGS = {
    "soft_dirty": 55,
    "file_or_shared": 61,
    "swapped": 62,
    "present": 63,
    "exclusive": 56,
    "uffd_wp": 57,
    "guard": 58,
}
COLUMNS = ["address", "pfn", *FLAGS, "swap_type", "swap_offset", "path"]


def has(entry: int, flag: str) -> bool:
    """Whether the entry carries the flag."""
    return bool(entry >> FLAGS[flag] & 1)


def place(entry: int) -> int:
    """Bits 0 to 54."""
    return entry % 2**55


def pfn(entry: int) -> int | None:
    """The PFN, None when the page is not present or the kernel hides it."""
    return place(entry) or None if has(entry, "present") else None


def swap_type(entry: int, *, hidden: bool) -> int | None:
    """The number of the swap area, None when there is none or it is hidden."""
    return place(entry) % 32 if has(entry, "swapped") and not hidden else None


KINDS = [
    "none",
    "present",
    "swap",
    "guard",
    "marker",
    "migrating",
    "poisoned",
    "device",
    "hidden",
]


def swap_type_names() -> list[str]:
    """What the 32 swap types are on this kernel, as include/linux/swap.h lays them out."""
    release = os.uname().release
    major, minor = (int(part) for part in release.split("-")[0].split(".")[:2])
    options = {"MIGRATION", "DEVICE_PRIVATE", "MEMORY_FAILURE", "PTE_MARKER"}
    for path in ("/proc/config.gz", f"/boot/config-{release}"):
        try:
            raw = Path(path).read_bytes()
        except OSError:
            continue
        text = (gzip.decompress(raw) if path.endswith(".gz") else raw).decode()
        options = {name for name in options if f"\nCONFIG_{name}=y\n" in text}
        break
    old = (major, minor) < (5, 19)
    special = ["poisoned"] * ("MEMORY_FAILURE" in options)
    special += ["migrating"] * ("MIGRATION" in options) * (2 if old else 3)
    devices = 2 if (major, minor) < (5, 14) else 4 if (major, minor) < (6, 15) else 3
    special += ["device"] * ("DEVICE_PRIVATE" in options) * devices
    if (major, minor) >= (6, 2):
        special += ["marker"]
    elif not old:
        special += ["marker"] * ("PTE_MARKER" in options) + ["poisoned"]
    return ["swap"] * (32 - len(special)) + special


def swap_in_use() -> bool:
    """Whether anything lies in swap, by /proc/swaps."""
    areas = Path("/proc/swaps").read_text().splitlines()[1:]
    return any(line.split()[3] != "0" for line in areas)


def kind(entry: int, types: Sequence[str]) -> str:
    """What the entry is, where swap types mean these."""
    if has(entry, "present"):
        return "present"
    if not has(entry, "swapped"):
        return "marker" if has(entry, "uffd_wp") else "none"
    if has(entry, "guard"):
        return "guard"
    if place(entry) == 0:
        return "hidden"
    found = types[place(entry) % 32]
    if found == "marker":
        bits = place(entry) // 32
        if bits // 4 % 2:
            return "guard"
        if bits // 2 % 2:
            return "poisoned"
    return found


def swap_offset(entry: int, *, hidden: bool) -> int | None:
    """The page in the swap area, None when there is none or it is hidden."""
    return place(entry) // 32 if has(entry, "swapped") and not hidden else None


def counts(entries: list[int]) -> dict[str, int]:
    """How many entries carry each flag."""
    # most pages are alike but for their place: each sort is looked at once
    alike = Counter(entry - place(entry) for entry in entries)
    result = {"pages": len(entries)}
    result |= {
        name: sum(count for entry, count in alike.items() if has(entry, name)) for name in FLAGS
    }
    result["anonymous"] = sum(
        count
        for entry, count in alike.items()
        if has(entry, "present") and not has(entry, "file_or_shared")
    )
    return result


def entries(pid: int, start: int, end: int) -> list[int]:
    """The entries from `start` to `end`, a few pages at a time; the list ends where they do."""
    result: list[int] = []
    first, last = start // PAGE, -(-end // PAGE)
    fd = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY)
    try:
        for vpn in range(first, last, AT_A_TIME):
            count = min(AT_A_TIME, last - vpn)
            data = os.pread(fd, 8 * count, 8 * vpn)
            result += struct.unpack(f"={len(data) // 8}Q", data)
            if len(data) < 8 * count:
                break
    finally:
        os.close(fd)
    return result


def pfns_visible() -> bool:
    """Whether the kernel shows us PFNs: those of a page that was just written."""
    # In CPython id() is an address: that of an object's header, so of a page in memory.
    address = id(object()) // PAGE * PAGE
    return place(entries(os.getpid(), address, address + PAGE)[0]) != 0


def counts_mappings() -> bool:
    """Whether these rights tell how often a page is mapped."""
    return pfns_visible() and may_read("/proc/kpagecount")


def address_of(memory: mmap.mmap) -> int:
    """Where a writable mapping lies."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def text_row(entry: int, address: int, label: bytes, *, hidden: bool) -> bytes:
    """A row of the text dump."""
    held = hidden and (has(entry, "present") or has(entry, "swapped"))
    flags = [has(entry, name) for name in ("soft_dirty", "file_or_shared", "swapped", "present")]
    words = [f"{address:x}", "-" if held else f"{place(entry):x}", *(str(int(f)) for f in flags)]
    return " ".join(words).encode() + b" " + label + b"\n"


@functools.cache
def told_here() -> frozenset[str]:
    """The flags that this kernel tells, by a page of our own: written, and then guarded."""
    memory = mmap.mmap(-1, PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory[0] = 1
    start = address_of(memory)
    written = entries(os.getpid(), start, start + PAGE)[0]
    with contextlib.suppress(OSError):
        memory.madvise(102)
    guarded = entries(os.getpid(), start, start + PAGE)[0]
    untold = {name for name in ("soft_dirty", "exclusive") if not has(written, name)}
    if not has(guarded, "guard"):
        untold.add("guard")
    return frozenset(FLAGS) - untold


def values(
    entry: int, address: int, path: str, *, hidden: bool, told: Collection[str] = tuple(FLAGS)
) -> dict[str, object]:
    """What a row of JSON says; CSV says the same in its own words."""
    return {
        "address": hex(address),
        "pfn": None if (frame := pfn(entry)) is None else hex(frame),
        **{name: has(entry, name) if name in told else None for name in FLAGS},
        "swap_type": swap_type(entry, hidden=hidden),
        "swap_offset": swap_offset(entry, hidden=hidden),
        "path": in_json(path),
    }


def json_row(entry: int, address: int, path: str, *, hidden: bool) -> bytes:
    """A row of the JSON lines dump."""
    row = values(entry, address, path, hidden=hidden)
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def in_json(text: str) -> str:
    """A name as JSON has it: itself, but octal for bytes that are not UTF-8."""
    return re.sub("[\udc80-\udcff]", lambda stray: f"\\{ord(stray[0]) - 0xDC00:o}", text)


def cell(text: str) -> str:
    """A name as CSV has it: octal for what drives a terminal, parts cells, makes a formula."""
    harmless = "".join(
        c
        if c.isprintable() and c != ";"
        else "".join(f"\\{byte:03o}" for byte in c.encode("utf-8", "surrogateescape"))
        for c in text
    )
    first, rest = harmless[:1], harmless[1:]
    if first not in tuple("=+-@\uff1d\uff0b\uff0d\uff20"):
        return harmless
    return "".join(f"\\{byte:03o}" for byte in first.encode()) + rest


def csv_fields(
    entry: int, address: int, path: str, *, hidden: bool, told: Collection[str] = tuple(FLAGS)
) -> list[str]:
    """The fields of a row of the CSV dump, as a reader of CSV gives them back."""
    row = values(entry, address, cell(path), hidden=hidden, told=told).values()
    return ["" if v is None else str(int(v)) if isinstance(v, bool) else str(v) for v in row]


def read_csv(data: bytes) -> list[list[str]]:
    """The rows of CSV data."""
    text = data.decode("utf-8", "surrogateescape")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


class MapsLine(NamedTuple):
    """A line of /proc/PID/maps; `label` as the kernel wrote it."""

    start: int
    end: int
    perms: str
    offset: int
    dev: str
    inode: int
    label: bytes

    @property
    def path(self) -> str:
        """The label with its newlines put back."""
        return self.label.replace(rb"\012", b"\n").decode("utf-8", "surrogateescape")


_LINE = re.compile(
    rb"([0-9a-f]+)-([0-9a-f]+) ([-r][-w][-x][ps]) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)"
)


def parse_maps(data: bytes) -> list[MapsLine]:
    """The lines of /proc/PID/maps, each matched as a whole."""
    result = []
    for line in data.removesuffix(b"\n").split(b"\n") if data else []:
        found = _LINE.fullmatch(line)
        assert found, line
        start, end, perms, offset, dev, inode, label = found.groups()
        numbers = int(start, 16), int(end, 16), perms.decode(), int(offset, 16)
        result.append(MapsLine(*numbers, dev.decode(), int(inode), label))
    return result


def maps(pid: int) -> list[MapsLine]:
    """The mappings of a process."""
    return parse_maps(Path(f"/proc/{pid}/maps").read_bytes())


class Smaps(NamedTuple):
    """The kernel's own account of one mapping; `sizes` in bytes by the kernel's names."""

    start: int
    end: int
    sizes: dict[str, int]
    flags: frozenset[str]


def parse_smaps(data: bytes) -> list[Smaps]:
    """What /proc/PID/smaps says, mapping for mapping."""
    result: list[Smaps] = []
    for line in data.splitlines():
        name, colon, rest = line.partition(b":")
        # a file may be called so that its line of maps ends like this too
        if rest.endswith(b" kB") and re.fullmatch(rb"\w+: *\d+ kB", line):
            result[-1].sizes[name.decode()] = int(rest[:-3]) * 1024
        elif name == b"VmFlags":
            result[-1] = result[-1]._replace(flags=frozenset(rest.decode().split()))
        elif colon and (head := _LINE.fullmatch(line)):
            result.append(Smaps(int(head[1], 16), int(head[2], 16), {}, frozenset()))
    return result


def smaps_rollup(pid: int) -> dict[str, int]:
    """The kernel's account of the whole process, in bytes."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {
        name: int(size) * 1024
        for name, size in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)
    }


def may_read(path: str) -> bool:
    """Whether the kernel lets us open a file: to be root says little, for capabilities can go."""
    try:
        os.close(os.open(path, os.O_RDONLY))
    except PermissionError:
        return False
    return True


def zero_frames(frames: set[int]) -> set[int]:
    """Which of these PFNs hold the kernel's page of zeros, says /proc/kpageflags (root only)."""
    kpf_zero_page = 2**24
    fd = os.open("/proc/kpageflags", os.O_RDONLY)
    try:
        words = {frame: struct.unpack("=Q", os.pread(fd, 8, frame * 8))[0] for frame in frames}
    finally:
        os.close(fd)
    return {frame for frame, word in words.items() if word & kpf_zero_page}


def textbook(pid: int) -> bytes:
    """The table of the textbook program: one pread and one printf for each page."""
    done = subprocess.run(
        [build.textbook(), str(pid)], check=True, capture_output=True, timeout=600
    )
    return done.stdout


def hide_pfns(table: bytes) -> bytes:
    """The table as it must look where the kernel hides PFNs: `-` for a present or swapped page."""
    rows = table.split(b"\n")
    for number, row in enumerate(rows):
        words = row.split(b" ", 6)
        if b"1" in words[4:6]:
            words[1] = b"-"
            rows[number] = b" ".join(words)
    return b"\n".join(rows)


def has_ended(pid: int) -> bool:
    """Whether it is gone, or waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return True


def came_back() -> bool:
    """Whether any page of this machine came back from swap, ever (/proc/vmstat)."""
    with open("/proc/vmstat", encoding="ascii") as file:
        words = dict(line.split() for line in file)
    return any(int(words.get(name, 0)) for name in ("pswpin", "zswpin", "swpin_zero"))
