"""What `pagemap memory` says beside its tables."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from pagemap._analyses.memory import Memory

__all__ = ["LISTS", "remark", "remark_list", "summary"]

LISTS = {"blockers": "blocks that are not free", "runs": "runs of free frames"}
"""What is listed, by the name of its table."""


def summary(told: Memory) -> Iterator[str]:
    """Lines below the table of kinds: sums, blocks and swap."""
    from pagemap._vocabulary.units import format_size

    about: Mapping[str, Any] = told.about
    if about["total"] is not None and about["system_ram"] is not None:
        yield (
            f"memory by the firmware: {format_size(about['system_ram'])}, "
            f"of it MemTotal: {format_size(about['total'])}"
        )
    if told.blocks is not None and about["on_lists"]:
        yield f"part of unnamed: {format_size(about['on_lists'])} free on per-CPU lists"
    if told.blocks is not None:
        rows = [row for row in told.blocks if row.block == about["block"]]
        free, movable, blocked = (
            sum(getattr(row, name) for row in rows) for name in ("free", "movable", "blocked")
        )
        yield (
            f"blocks of {format_size(about['block'])}: {free} free, {movable} could be freed, "
            f"{blocked} blocked"
        )
    for area in told.swaps:
        size = "" if area.size is None else f" of {format_size(area.size)}"
        taken = "" if area.memory is None else f", for {format_size(area.memory)} of memory"
        yield f"swap {area.path}: {format_size(area.used)}{size} used{taken}"


def remark_list(told: Memory, part: str, top: int, *, usual: bool) -> None:
    """Report how many rows there are, where fewer are shown and nobody asked for so many."""
    from pagemap._cli.messages import complain

    about: Mapping[str, Any] = told.about
    kept, every = len(told._asdict()[part]), about[part]
    if usual and top < every:
        complain(f"{top} of {every} {LISTS[part]} are shown; --top {every} shows all")
    if kept < every and kept > top:
        complain(f"only the first {kept} of {every} {LISTS[part]} were sorted")


def remark(told: Memory, part: str) -> int:
    """Report what the table does not show; return the exit code."""
    from pagemap._cli.exit_codes import DENIED
    from pagemap._cli.messages import complain

    about: Any = told.about
    if part == "groups":
        from pagemap._cli.left_out import tell_left_out

        tell_left_out(about)
    if about["why"] is not None:
        complain(f"frames are not counted, only the kernel's own figures are shown: {about['why']}")
        if not told._asdict()[part]:
            return DENIED
    if part == "swaps" and not told.swaps:
        complain("no swap is set up")
    if not about["counted"]:
        return 0
    if about["changed"]:
        complain("memory was added or removed while it was counted; count again")
    if about["system_ram"] is None:
        complain(
            "/proc/iomem does not tell which frames are memory, so unnamed is estimated: "
            "MemTotal without all other kinds"
        )
    if about["ksm_told"] is not True and part in (
        "kinds",
        "zones",
        "nodes",
        "cgroups",
        "groups",
        "figures",
    ):
        complain("this kernel does not tell merged pages apart: those of KSM are counted in anon")
    return 0
