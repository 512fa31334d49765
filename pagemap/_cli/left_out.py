"""The messages about processes that were left out where many were to be read."""

from __future__ import annotations

from pagemap._cli.messages import complain
from pagemap._kernel.os_errors import remedy_for_others
from pagemap._space.left_out import DENIED, ENDED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any

__all__ = ["tell_left_out", "tell_sharers", "tell_unasked", "tell_unknown"]

_NAMED = 3  # processes; of more, how many there are says enough
_STOOD_FOR = 20


def tell_left_out(
    about: Mapping[str, Any], *, sums: bool = False, told: Collection[int] = ()
) -> None:
    """Say on stderr how many could not be read, why, and what to do; of a few, which.

    `about` is that of a result. `sums` alone take fewer rights than page tables. Of those in `told`
    it was said already.
    """
    reasons: dict[str, list[str]] = {}
    for each in about["left_out"]:
        if each["pid"] not in told:
            reasons.setdefault(each["reason"], []).append(_named(**each))
    for reason, names in reasons.items():
        _tell(reason, names, sums=sums)
    if not about["all_namespaces"]:
        complain(
            "processes of other PID namespaces cannot be seen from this one, and are left out; "
            "the initial namespace shows all"
        )
    if not about["sharers_known"]:
        tell_unknown()


def _tell(reason: str, names: list[str], *, sums: bool) -> None:
    one = len(names) == 1
    listed = f": {', '.join(names)}" if len(names) <= _NAMED else ""
    if reason == DENIED:
        remedy = remedy_for_others(sums=sums, of="it" if one else "them")
        complain(f"{_processes(names)} forbid{'s' * one} reading{listed}; {remedy}")
    elif reason == ENDED:
        complain(f"{_processes(names)} {reason}{listed}")
    else:
        complain(f"{_processes(names)} could not be read ({reason}){listed}")


def tell_unasked(count: int) -> None:
    """Say on stderr how many files were not asked about, so as not to wait for ever."""
    if count:
        files = "1 file that is" if count == 1 else f"{count} files that are"
        complain(
            f"left out: {files} open or mapped on file systems in user space or of the network, or "
            "on mounts that are not known, which need not answer"
        )


def tell_sharers(sharers: Mapping[int, Iterable[int]]) -> None:
    """Say on stderr which processes were counted with others, having the same memory."""
    if sharers:
        told = [
            f"process {pid} includes {', '.join(map(str, others))}"
            for pid, others in sorted(sharers.items())
        ]
        more = f"; and {len(told) - _STOOD_FOR} more" if len(told) > _STOOD_FOR else ""
        complain(f"counted once (vfork, CLONE_VM): {'; '.join(told[:_STOOD_FOR])}{more}")


def tell_unknown() -> None:
    """Say that processes which share memory could not be told apart."""
    complain(
        "processes that share one address space (vfork, CLONE_VM) are counted apart: "
        "kcmp cannot identify them here (it needs CONFIG_KCMP and CAP_SYS_PTRACE)"
    )


def _named(pid: int, name: str | None, reason: str) -> str:  # noqa: ARG001 - said of all alike
    return f"{pid} ({name})" if name else str(pid)


def _processes(names: Sequence[object]) -> str:
    return "1 process" if len(names) == 1 else f"{len(names)} processes"
