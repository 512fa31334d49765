"""What to say of processes that were not read when all were to be."""

from __future__ import annotations

from pagemap.cli.messages import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pagemap.space.every_space import Spaces
    from pagemap.space.twins import Twins

__all__ = ["tell_left_out", "tell_twins"]

_NAMED = 20


def tell_left_out(spaces: Spaces) -> None:
    """Name on stderr those that could not be read, and those that ended meanwhile."""
    reasons: dict[str, list[int]] = {}
    for pid, reason in spaces.unreadable.items():
        reasons.setdefault(reason, []).append(pid)
    for reason, pids in reasons.items():
        complain(f"{_processes(pids)} could not be read ({reason}): {_named(pids)}")
    if spaces.vanished:
        pids = spaces.vanished
        complain(f"{_processes(pids)} ended or called exec meanwhile: {_named(pids)}")
    if not spaces.complete:
        complain(
            "processes of other PID namespaces cannot be seen from this one, and are left out; "
            "the initial namespace shows all"
        )
    if not spaces.sharers_known:
        _tell_unknown()


def tell_twins(twins: Twins) -> None:
    """Say on stderr which processes were counted with others, having the same memory."""
    if twins.sharers:
        told = [
            f"process {pid} stands for {', '.join(map(str, others))} too"
            for pid, others in sorted(twins.sharers.items())
        ]
        more = f"; and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
        complain(f"counted once (vfork, CLONE_VM): {'; '.join(told[:_NAMED])}{more}")
    if not twins.known:
        _tell_unknown()


def _tell_unknown() -> None:
    complain(
        "processes that share one address space (vfork, CLONE_VM) are counted apart: "
        "this kernel does not tell them (kcmp: CONFIG_KCMP)"
    )


def _processes(pids: list[int]) -> str:
    return "1 process" if len(pids) == 1 else f"{len(pids)} processes"


def _named(pids: Iterable[int]) -> str:
    listed = sorted(pids)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(map(str, listed[:_NAMED])) + more
