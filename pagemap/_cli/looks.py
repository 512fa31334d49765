"""A process as it was at the time before, and as it is now, again and again."""

from __future__ import annotations

from contextlib import ExitStack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._snapshot import SavedProcess

__all__ = ["Looks"]


class Looks:
    """Looks at the process `text`, the first at once: snapshots, in files that have no name.

    Raises UsageError if it is a snapshot, or has no memory.
    """

    def __init__(self, text: str, threads: int | None) -> None:
        from pagemap._cli import targets
        from pagemap._cli.saved_targets import saved
        from pagemap._errors import UsageError
        from pagemap._process import Process

        if saved(text) is not None:
            raise UsageError("a snapshot does not change: give a process, or B too")
        pid = targets.one(text)
        self._threads = threads
        self._looks: list[tuple[SavedProcess, ExitStack]] = []
        with ExitStack() as stack:
            self._process = stack.enter_context(Process(pid))
            stack.callback(self._drop, 0)
            self._look()
            self._stack = stack.pop_all()

    def __enter__(self) -> Looks:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @property
    def why_hidden(self) -> str:
        """Why looks have no PFNs: of the process, as nobody knows of the files they are kept in."""
        return self._process.machine.why_hidden

    def next(self) -> tuple[SavedProcess, SavedProcess]:
        """How it was, and how it is. The one before that is closed, and gone.

        Raises TargetVanished if it is not that process any more.
        """
        self._drop(1)
        try:
            self._look()
            self._process.check()  # another may have its pid by now
        except BaseException:
            self._drop(0)  # an error that somebody keeps has this frame, and would hold them
            raise
        (was, _), (now, _) = self._looks
        return was, now

    def _drop(self, left: int) -> None:
        """Close all looks but the last ones."""
        while len(self._looks) > left:
            self._looks.pop(0)[1].close()

    def _look(self) -> None:
        from tempfile import TemporaryFile

        from pagemap._errors import NoSuchProcess, PagemapError
        from pagemap._history.snapshot import Options, take
        from pagemap._snapshot import Snapshot

        with ExitStack() as stack:
            try:
                # Without a name it is gone with us, also when we are killed.
                with TemporaryFile() as file:
                    take([self._process.pid], file.write, Options(threads=self._threads))
                    file.flush()
                    snapshot = Snapshot(f"/proc/self/fd/{file.fileno()}")
            except NoSuchProcess:
                self._process.check()
                raise
            except OSError as error:
                if isinstance(error, PagemapError):
                    raise
                raise PagemapError(
                    f"cannot write a temporary file: {error.strerror}; TMPDIR says where",
                    errno=error.errno,
                    operation="write",
                ) from error
            process = stack.enter_context(stack.enter_context(snapshot).process())
            self._looks.append((process, stack.pop_all()))
