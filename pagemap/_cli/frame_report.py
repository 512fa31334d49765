"""What is said of frames below a table of who maps them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.owners import OwnerRow

__all__ = ["PROCESSES", "counted", "facts"]

PROCESSES = ("process", "processes")

_PIDS = 8  # processes that have a file


def facts(table: Table[OwnerRow]) -> Iterator[str]:
    """Lines about each frame: what was found, what was not, and what it is."""
    from pagemap._vocabulary.text import printable

    about: Any = table.about
    pids: dict[int, set[int]] = {}
    for row in table:
        pids.setdefault(row.pfn, set()).add(row.pid)
    for frame in about["frames"]:
        yield _verdict(about, frame, len(pids.get(int(frame["pfn"], 16), ())))
        if "kind" in frame:
            yield from _contents(about, frame)
        yield f"  physical address: {frame['physical_address']}"
        names = "not known" if frame["names"] is None else frame["names"] or "none"
        yield f"  flags: {names.replace(',', ', ')}"
        yield f"  map count: {'not known' if frame['mapcount'] is None else frame['mapcount']}"
        if frame["cgroup"]:
            inode = f"inode {frame['cgroup']}"
            path = frame["cgroup_path"]
            yield f"  cgroup: {f'{printable(path)} ({inode})' if path else inode}"
    for pid, others in about["sharers"].items():
        if any(pid in them for them in pids.values()):
            yield f"process {pid} shares its memory with {', '.join(map(str, others))}"


def _contents(about: Mapping[str, Any], frame: Mapping[str, Any]) -> Iterator[str]:
    """What lies in a frame that nobody maps."""
    from pagemap._analyses.frame_files import OF_FILES
    from pagemap._vocabulary.frame_kinds import FRAME_KINDS
    from pagemap._vocabulary.text import printable

    meaning = next(kind.meaning for kind in FRAME_KINDS if kind.name == frame["kind"])
    yield f"  kind: {frame['kind']}: {meaning}"
    file = frame["file"]
    if file is not None:
        pids = ", ".join(map(str, file["pids"][:_PIDS]))
        more = f" and {len(file['pids']) - _PIDS} more" if len(file["pids"]) > _PIDS else ""
        yield (
            f"  file: {printable(file['path'])}, offset {file['offset']}"
            + (", deleted" if file["deleted"] else "")
            + (f"; of process {pids}{more}" if pids else "")
        )
    elif frame["kind"] in OF_FILES:
        searched, unsearched = about["search"]["searched"], about["search"]["unsearched"]
        yield (
            f"  file: not among {counted(searched['files'], 'file', 'files')} that were searched "
            f"({counted(searched['processes'], 'process', 'processes')} and --search)"
        )
        yield f"  not searched: {'; '.join(unsearched)}"
    elif frame["kind"] == "hugetlb_idle":
        yield "  not searched: files on hugetlbfs"


def _verdict(about: Mapping[str, Any], frame: Mapping[str, Any], processes: int) -> str:
    found, listed = frame["found"], frame["listed"]
    text = f"frame {frame['pfn']}: mapped {_times(found)}"
    if listed < found:
        text += f", of which the first {listed} are listed"
    elif found:
        text += f", by {counted(processes, *PROCESSES)}"
    if frame["mapcount"] is None:
        return f"{text}; the kernel's map count is not known"
    missing = frame["unexplained"]
    if not missing:
        return text
    if "among" in about:
        return f"{text}; the kernel counted {frame['mapcount']}, {missing} more, not of the file"
    from pagemap._space.left_out import ENDED

    unread = sum(each["reason"] != ENDED for each in about["left_out"])
    why = f"{counted(unread, *PROCESSES)} that could not be read, " if unread else ""
    if not about["all_namespaces"]:
        why += "processes of other PID namespaces, which cannot be seen from this one, "
    return (
        f"{text}; the kernel counts {frame['mapcount']}, {missing} more: of {why}processes that "
        "changed meanwhile, or the kernel's own"
    )


def _times(count: int) -> str:
    return {0: "nowhere", 1: "once", 2: "twice"}.get(count, f"{count} times")


def counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
