"""What /proc says of a process at one moment, copied: a look that stays."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests import oracle

_FILES = ("maps", "stat", "statm", "status", "comm", "auxv", "mountinfo", "smaps")
_MACHINE = ("sys/kernel/random/boot_id", "swaps")


def copied(pid: int, root: Path, *, flags: bool = True) -> str:
    """Copy what `pagemap.Process` reads of the process; gives the folder to be its procfs."""
    folder = root / str(pid)
    folder.mkdir(parents=True)
    for name in _FILES:
        (folder / name).write_bytes(Path(f"/proc/{pid}/{name}").read_bytes())
    (folder / "exe").symlink_to(os.readlink(f"/proc/{pid}/exe"))
    with (folder / "pagemap").open("wb") as out, open(f"/proc/{pid}/pagemap", "rb", 0) as file:
        for line in oracle.maps(pid):
            if line.start >> 47:
                continue  # [vsyscall]
            for at in range(line.start, line.end, 512 * oracle.PAGE):
                count = min(512, (line.end - at) // oracle.PAGE)
                data = os.pread(file.fileno(), 8 * count, at // oracle.PAGE * 8)
                if data.strip(b"\0"):
                    out.seek(at // oracle.PAGE * 8)
                    out.write(data)
        out.truncate((1 << 47) // oracle.PAGE * 8)
    for name in _MACHINE:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(f"/proc/{name}", root / name)
    if flags:
        (root / "kpageflags").symlink_to("/proc/kpageflags")
    return str(root)
