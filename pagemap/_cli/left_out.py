"""What to say of processes that were not read when all were to be."""

from __future__ import annotations

from pagemap._cli.messages import complain
from pagemap._errors import remedy_for_others

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pagemap._space.every_space import Spaces
    from pagemap._space.twins import Twins

__all__ = ["tell_left_out", "tell_passed", "tell_twins"]

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


def tell_passed(denied: list[str], vanished: list[str], *, sums: bool = False) -> None:
    """Say on stderr who forbade reading, be it of `sums` alone, and who ended before that."""
    if denied:
        words = "1 process forbids" if len(denied) == 1 else f"{len(denied)} processes forbid"
        remedy = remedy_for_others(sums=sums, of="it" if len(denied) == 1 else "them")
        complain(f"{words} reading: {_some(denied)}; {remedy}")
    if vanished:
        complain(f"{_processes(vanished)} ended before being read: {_some(vanished)}")


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
        "kcmp does not tell them here (it needs CONFIG_KCMP and CAP_SYS_PTRACE)"
    )


def _processes(pids: Sequence[object]) -> str:
    return "1 process" if len(pids) == 1 else f"{len(pids)} processes"


def _named(pids: Iterable[int]) -> str:
    return _some([str(pid) for pid in sorted(pids)])


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
