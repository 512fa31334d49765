"""`pagemap maps` with columns that smaps alone tells: as smaps has them, and only if named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pagemap._vocabulary.vm_flags import VM_FLAGS
from tests import looks, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

LINES = {
    "locked": "Locked",
    "lazyfree": "LazyFree",
    "referenced": "Referenced",
    "anon_huge": "AnonHugePages",
    "shmem_huge": "ShmemPmdMapped",
    "file_huge": "FilePmdMapped",
    "ksm": "KSM",
    "kernel_page_size": "KernelPageSize",
    "mmu_page_size": "MMUPageSize",
}


def test_as_smaps_has_it(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.dense(1 << 22))
    target.stop()
    names = [*LINES, "thp_eligible", "vm_flags"]
    words = ("maps", target.pid, "--json", "--columns", ",".join(["start", "rss", *names]))
    smaps = Path(f"/proc/{target.pid}/smaps")

    def account(text: str) -> dict[str, object]:
        told: dict[str, object] = {"start": hex(int(text.partition("-")[0], 16))}
        for name, line in {**LINES, "rss": "Rss"}.items():
            found = re.search(rf"^{line}: +(\d+) kB$", text, re.MULTILINE)
            told[name] = int(found[1]) << 10 if found else None
        (flags,) = re.findall(r"^VmFlags: (.*?) ?$", text, re.MULTILINE)
        known = [VM_FLAGS[each][0] if each in VM_FLAGS else each for each in flags.split()]
        return {**told, "vm_flags": " ".join(known)}

    def look() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        code, out, err = pagemap(*words)
        assert (code, err) == (0, [])
        rows = json.loads(out)["rows"]
        assert json.loads(out)["total"]["locked"] == sum(row["locked"] for row in rows)
        for row in rows:
            row.pop("thp_eligible")
        accounts = re.split(r"^(?=[0-9a-f]+-)", smaps.read_text(), flags=re.MULTILINE)[1:]
        return rows, list(map(account, accounts))

    looks.agreed(look)


def test_they_are_read_only_if_named(pagemap: Pagemap) -> None:
    out = pagemap("maps", "self", "--json").out
    assert not set(LINES) & set(json.loads(out)["rows"][0])
    code, out, _ = pagemap("maps", "self", "--by", "path", "--columns", "path,locked", "--csv")
    assert (code, out.splitlines()[0]) == (0, b"path,locked")


def test_snapshots(pagemap: Pagemap, tmp_path: Path) -> None:
    """They have these if they were taken with smaps."""
    path = str(tmp_path / "own.pagemap")
    for more, wanted in ((["--smaps"], 0), ([], 69)):
        assert pagemap("snapshot", "self", "-o", path, *more)[0] == 0
        code, out, _ = pagemap("maps", path, "--columns", "start,vm_flags", "--csv")
        assert code == wanted
        assert (b"may-read" in out) == (wanted == 0)
