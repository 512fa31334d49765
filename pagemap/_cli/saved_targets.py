"""TARGET that is a snapshot: a file, one of its processes, or a moment of a record.

``FILE`` is all of it, ``FILE#PID`` one process, ``FILE@N`` a moment: 0 is the first, -1 the last,
which is meant where none is given. A number, ``self`` and ``@FILE`` are never a snapshot: a file
may have any name, and not everybody's folder is one's own.
"""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._errors import UsageError
    from pagemap._snapshot import SavedProcess

__all__ = ["READERS", "SavedTarget", "refused", "saved"]

READERS = (
    *("maps", "dump", "regions", "footprint", "huge", "types", "segments", "virt-to-phys"),
    *("who", "sharing", "diff", "contents"),
)
"""The commands that take a snapshot."""

_DIGITS = 19


class SavedTarget(Record):
    """A snapshot, or a process of one."""

    path: str = field("", "of the file")
    pid: int | None = field("", "of the process; None: that which the file has alone")
    moment: int = field("", "of a record")

    def shown(self) -> str:
        """The file and the moment, as they are given for a TARGET."""
        from pagemap._vocabulary.text import printable

        return printable(self.path) + ("" if self.moment == -1 else f"@{self.moment}")

    def open(self) -> SavedProcess:
        """The process. Says so where the file has not all of it."""
        from pagemap._cli.messages import complain, ends_midway
        from pagemap._errors import UsageError
        from pagemap._snapshot import Snapshot
        from pagemap._vocabulary.text import printable

        snapshot = Snapshot(self.path)
        if snapshot.cut_short and self.moment == -1:
            complain(ends_midway(snapshot))
        if self.pid is None:
            names = snapshot.names(moment=self.moment)
            if len(names) > 1:
                rows = "\n".join(f"  {pid:>7}  {printable(name)}" for pid, name in names.items())
                raise UsageError(
                    f"{printable(self.path)} has {len(names)} processes; choose one, as "
                    f"{printable(self.path)}#{next(iter(names))}:\n{rows}"
                )
        process = snapshot.process(self.pid, moment=self.moment)
        facts = process.record.about
        if facts.get("salvaged"):
            frames = "; flags of frames too" if process.frames_lost else ""
            complain(
                f"process {process.pid} of {printable(self.path)} was salvaged from a damaged "
                f"file: pages may be missing, and look untouched{frames}"
            )
        elif not facts["complete"]:
            cut = facts["cut_at"]
            where = f" at {cut:#x}" if isinstance(cut, int) else ""
            complain(
                f"process {process.pid} of {printable(self.path)} was cut short{where}: it ended, "
                "or became another program, while it was taken; what lies above is missing"
            )
        return process


def refused(text: str) -> UsageError:
    """The error where a snapshot is given to what reads processes that run."""
    from pagemap._errors import UsageError
    from pagemap._vocabulary.text import printable

    *most, last = READERS
    return UsageError(
        f"{printable(text)} is a snapshot, and this command reads what runs now; "
        f"snapshots are read by {', '.join(most)} and {last}"
    )


def saved(text: str) -> SavedTarget | None:
    """The snapshot that is meant; None where it is none."""
    from pagemap._space.snapshot_file import is_snapshot

    if not text or text == "self" or text[0] == "@" or text.isdecimal():
        return None
    if is_snapshot(text):
        return SavedTarget(text, None, -1)
    path, pid, moment = text, None, -1
    for _ in range(2):
        at = max(path.rfind("#"), path.rfind("@"))
        if at <= 0:
            return None
        mark, number = path[at], _number(path[at + 1 :])
        if number is None or (mark == "#" and number < 0):
            return None
        path = path[:at]
        pid, moment = (number, moment) if mark == "#" else (pid, number)
        if is_snapshot(path):
            return SavedTarget(path, pid, moment)
    return None


def _number(text: str) -> int | None:
    digits = text.removeprefix("-")
    plain = digits.isascii() and digits.isdecimal() and len(digits) < _DIGITS
    return int(text) if plain else None
