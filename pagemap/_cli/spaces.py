"""TARGET where a process of a snapshot will do as well as one that runs."""

from __future__ import annotations

from pagemap._cli.saved_targets import SavedTarget, saved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pagemap._process import Process
    from pagemap._snapshot import SavedProcess
    from pagemap._space.saved_processes import SavedProcesses

__all__ = ["again", "all_saved", "one", "opened", "require_frames", "several"]


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


def all_saved(texts: Iterable[str], *, others: bool = False) -> SavedProcesses | None:
    """The processes that are meant, where all are of one snapshot; None where none is of any.

    With `others` those that are named come first, and then all others of the file. Raises
    UsageError where only some are of a snapshot, or of several.
    """
    from pagemap._errors import UsageError
    from pagemap._snapshot import Snapshot
    from pagemap._space.saved_processes import SavedProcesses

    meant = [saved(text) for text in texts]
    places = {each and (each.path, each.moment) for each in meant}
    if places <= {None}:
        return None
    if len(places) > 1:
        raise UsageError("give processes, or one moment of one snapshot, not several of these")
    ((path, moment),) = filter(None, places)
    with Snapshot(path) as snapshot:
        about = snapshot.about_moment(moment)
        pids = snapshot.pids(moment=moment)
    chosen = dict.fromkeys(each.pid for each in meant if each)
    named = [] if None in chosen else list(filter(None, chosen))
    among = dict.fromkeys([*named, *pids] if others or not named else named)
    targets = [SavedTarget(path, pid, moment) for pid in among]
    return SavedProcesses([each.open() for each in targets], about, named=len(named))


def require_frames(saved: SavedProcesses, *, zeros: bool = False) -> None:
    """Raise Unsupported where the flags of frames were not saved.

    Of a whole snapshot those are left out that have lost all of them; with `zeros` also some, where
    nothing else tells pages of zeros.
    """
    from pagemap._errors import Unsupported

    saved.leave_out_lost(zeros=zeros)
    if not saved.has_some_frames:
        lacks = "has no flags of the frames of its processes"
        remedy = "take the snapshot as root with --frames"
        if saved.frames_lost:
            lacks = "does not have flags of the frames of all these processes"
            remedy = (
                "it was salvaged from a damaged file, where some were lost: "
                "'pagemap contents FILE' shows which processes have them"
            )
        raise Unsupported(f"the snapshot {lacks}; {remedy}", operation="read the snapshot")


def again(saved: SavedProcesses, pid: int) -> SavedProcess:
    """One of these, of which all was said when they were opened."""
    from pagemap._snapshot import SavedProcess

    space = saved.open(pid)
    return SavedProcess(space.record, space)


def opened(target: int | SavedTarget) -> Process | SavedProcess:
    """The process, open."""
    from pagemap._process import Process

    return target.open() if isinstance(target, SavedTarget) else Process(target)
