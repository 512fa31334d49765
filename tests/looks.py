"""Looks that are taken again: what strangers change meanwhile, and the kernel at its own work.

They map and unmap libraries, write files back, reclaim and move pages. That they changed something
and changed it back is not to be seen in two looks at the kernel's that are alike; so nothing is
excused: ours and the kernel's are to be the same, in one look. What is wrong is wrong in each.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["TRIES", "agreed", "settled"]

TRIES = 20

Ours = TypeVar("Ours")
Key = TypeVar("Key")


def agreed(look: Callable[[], tuple[Ours, object]]) -> Ours:
    """Ours, as soon as it is what the kernel says; AssertionError where it never is.

    `look` gives both, ours and the kernel's, and takes both anew each time.
    """
    for _ in _tries():
        ours, kernels = look()
        if ours == kernels:
            return ours
    raise AssertionError(f"ours is never the kernel's: {_first_difference(ours, kernels)}")


def settled(differences: Callable[[], Mapping[Key, object] | None]) -> None:
    """Each of many things is the kernel's in a look; AssertionError where one never is.

    `differences` gives what is not, by what it is of, or None where nothing can be compared. Where
    much is looked at there may be no moment in which all of it rests.
    """
    wrong: Mapping[Key, object] | None = None
    for _ in _tries():
        found = differences()
        if found is not None:
            wrong = {key: found[key] for key in (found if wrong is None else wrong) if key in found}
            if not wrong:
                return
    assert wrong is not None, "nothing could be compared"
    raise AssertionError(f"{len(wrong)} are never the kernel's: {dict(list(wrong.items())[:20])}")


def _tries() -> Iterator[None]:
    for number in range(TRIES):
        time.sleep(number / 100)  # not in step with what disturbs: 2 s in all
        yield


def _first_difference(ours: object, kernels: object) -> str:
    """Of long answers the whole is no help."""
    if isinstance(ours, list) and isinstance(kernels, list) and len(ours) == len(kernels):
        pairs = zip(ours, kernels, strict=True)
        return next(f"{one!r} for {other!r}" for one, other in pairs if one != other)
    if isinstance(ours, dict) and isinstance(kernels, dict):
        names = [*ours, *(name for name in kernels if name not in ours)]
        pair = {name: (ours.get(name), kernels.get(name)) for name in names}
        return str({name: both for name, both in pair.items() if both[0] != both[1]})
    return f"{ours!r} for {kernels!r}"
