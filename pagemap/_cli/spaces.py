"""TARGET where a process of a snapshot will do as well as one that runs."""

from __future__ import annotations

from pagemap._cli.saved_targets import SavedTarget, saved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pagemap._process import Process
    from pagemap._snapshot import SavedProcess

__all__ = ["one", "opened", "several"]


def one(text: str, *, exclude: Collection[int] | None = None) -> Process | SavedProcess:
    """The process that is meant, open; raises what `targets.one` and `pagemap.Snapshot` raise."""
    from pagemap._cli import targets

    meant = saved(text)
    return opened(targets.one(text, exclude=exclude) if meant is None else meant)


def several(texts: Iterable[str]) -> list[int | SavedTarget]:
    """All processes that are meant, each once: pids, and all those of each snapshot."""
    from pagemap._cli import targets
    from pagemap._snapshot import Snapshot

    found: dict[int | SavedTarget, None] = {}
    for text in texts:
        meant = saved(text)
        if meant is None:
            found.update(dict.fromkeys(targets.several([text])))
        elif meant.pid is not None:
            found[meant] = None
        else:
            with Snapshot(meant.path) as snapshot:
                for pid in snapshot.pids(moment=meant.moment):
                    found[meant._replace(pid=pid)] = None
    return list(found)


def opened(target: int | SavedTarget) -> Process | SavedProcess:
    """The process, open."""
    from pagemap._process import Process

    return target.open() if isinstance(target, SavedTarget) else Process(target)
