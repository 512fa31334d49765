"""What a snapshot says of each process beside its pages, and of which type that is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["checked_facts"]

_NONE = type(None)
_FACTS: dict[str, tuple[type, ...]] = {
    "pid": (int,),
    "name": (str,),
    "pid_namespace": (int, _NONE),
    "start_time": (int, _NONE),
    "exe": (dict, _NONE),
    "auxv_sha256": (str,),
    "host": (str,),
    "kernel": (str,),
    "boot_id": (str, _NONE),
    "page_shift": (int,),
    "page_size": (int,),
    "end_page": (int,),
    "begin": (str,),
    "end": (str,),
    "begin_ns": (int,),
    "end_ns": (int,),
    "complete": (bool,),
    "cut_at": (int, _NONE),
    "stopped": (bool,),
    "pfns_visible": (bool,),
    "can_scan": (bool,),
    "told": (int,),
    "categories": (list,),
    "swap_kinds": (str,),
    "swaps_in_use": (bool, _NONE),
    "swap_areas": (list, _NONE),
    "zero_frames": (list, _NONE),
    "thp": (str, _NONE),
    "resident": (int,),
    "exclusive_by": (str,),
}

_ENDS = {"told": 1 << 64, "end_page": (1 << 52) + 1, "resident": 1 << 46}
"""Numbers are below, and not below 0; C has no others."""
_END = 1 << 63
_END_FRAME = 1 << 55


def checked_facts(about: dict[str, Any]) -> dict[str, Any]:
    """`about`, where each fact is there, of its type, and in its bounds. Raises ValueError."""
    for name, types in _FACTS.items():
        if name not in about or type(about[name]) not in types:
            raise ValueError(f"{name} of a process is missing, or no fact")
        fact = about[name]
        if type(fact) is int and not 0 <= fact < _ENDS.get(name, _END):
            raise ValueError(f"{name} of a process is out of bounds")
    shift = about["page_shift"]
    if not 12 <= shift <= 16 or about["page_size"] != 1 << shift:
        raise ValueError(f"there are no pages of {about['page_size']} bytes")
    if about["end_page"] > 1 << 63 - shift:  # addresses are signed in tables
        raise ValueError("end_page of a process is out of bounds")
    if not all(type(word) is str for word in about["categories"]):
        raise ValueError("categories that are no words")
    if not all(type(area) is dict for area in about["swap_areas"] or ()):
        raise ValueError("swap areas that are none")
    program = about["exe"]
    if program is not None and not (
        type(program.get("device")) is str
        and type(program.get("inode")) is int
        and 0 <= program["inode"] < 1 << 64
    ):
        raise ValueError("an executable that is none")
    zeros = about["zero_frames"]
    if zeros is not None and not _are_frames(zeros):
        raise ValueError("frames of zeros that are none")
    if len(bytes.fromhex(about["swap_kinds"])) != 32:
        raise ValueError("there are 32 swap types")
    return about


def _are_frames(range_of: list[Any]) -> bool:
    """Whether this is a first frame and how many there are."""
    return len(range_of) == 2 and all(
        type(number) is int and 0 <= number < _END_FRAME for number in range_of
    )
