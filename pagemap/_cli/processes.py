"""The processes that a command reads: its targets, those of a cgroup, or all."""

from __future__ import annotations

from pagemap._cli.options import TARGET_HELP, complete_with_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from pagemap._errors import PagemapError
    from pagemap._space.every_process import EveryProcess
    from pagemap._space.saved_processes import SavedProcesses

__all__ = ["Many", "add_arguments"]


def add_arguments(
    parser: ArgumentParser, *, targets: str = TARGET_HELP, copies: bool = False
) -> None:
    """Add ``TARGET...``, of which the help says `targets`, ``--cgroup`` and ``--user``.

    With `copies` also ``--procfs``, for a command that needs no page table.
    """
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=targets)
    complete_with_files(
        parser.add_argument(
            "--cgroup", metavar="PATH", help="processes of this cgroup and those below it"
        )
    )
    parser.add_argument(
        "--user", metavar="NAME", help="processes that run as this user, a name or a number"
    )
    if copies:
        complete_with_files(
            parser.add_argument(
                "--procfs", metavar="DIR", help="read this copy of /proc, or other proc file system"
            )
        )


class Many:
    """The processes that are asked for; they are looked for anew whenever `find` is called.

    A target that cannot be found or read does not keep the others from being shown. `sums` says
    that only the kernel's sums are read, which needs fewer privileges than page tables.
    """

    def __init__(self, arguments: Namespace) -> None:
        from pagemap._errors import UsageError

        self._targets: list[str] = arguments.targets
        self._cgroup: str | None = arguments.cgroup
        self._user: str | None = arguments.user
        self.procfs: str = getattr(arguments, "procfs", None) or "/proc"
        if self.procfs != "/proc" and self._cgroup is not None:
            raise UsageError("--cgroup names one of this machine; leave out --procfs")
        if self._targets and self._cgroup is not None:
            raise UsageError("give targets or --cgroup PATH, not both")
        if self._user is not None and (self._targets or self._cgroup is not None):
            raise UsageError("--user NAME stands alone: give no targets and no --cgroup beside it")
        self._numbers: dict[str, list[int]] = {}
        self._failed: list[PagemapError] = []
        self._every: EveryProcess | SavedProcesses | None = None
        self._rows = 0
        self._is_to_tell = arguments.watch is not None  # for that never comes to its end
        self.sums = False

    def pids(self) -> list[int]:
        """The pids of the targets. Raises where none of them can be found."""
        from pagemap._cli.targets import several
        from pagemap._errors import PagemapError, UsageError

        self._failed = []
        found: dict[int, None] = {}
        for text in self._targets:
            try:
                pids = self._numbers.get(text) or several([text], procfs=self.procfs)
                if text.isdecimal():  # in each round of --watch the one that it was in the first
                    self._numbers[text] = pids
                found.update(dict.fromkeys(pids))
            except UsageError:
                raise
            except PagemapError as error:
                self._failed.append(error)
        if self._failed and not found:
            self._fail()
        return list(found)

    def saved(self) -> SavedProcesses | None:
        """The processes of a snapshot, if that is what the targets are."""
        from pagemap._cli.spaces import all_saved

        self._failed = []
        found = all_saved(self._targets)
        self._every = self._every if found is None else found
        return found

    def find(self) -> EveryProcess:
        """The processes that are asked for, as of now."""
        from pagemap._kernel.cgroup_members import pids_of
        from pagemap._kernel.user_members import pids_of_user
        from pagemap._space.every_process import EveryProcess

        if self._cgroup is not None:
            every = EveryProcess(others=pids_of(self._cgroup))
        elif self._user is not None:
            users = pids_of_user(self._user, procfs=self.procfs)
            every = EveryProcess(others=users, procfs=self.procfs)
        elif self._targets:
            every = EveryProcess(self.pids(), others=(), procfs=self.procfs)
        else:
            every = EveryProcess(procfs=self.procfs)
        self._every = every
        return every

    def judge(self, rows: int) -> None:
        """Note how many rows there are. Raises if none of the targets could be read."""
        assert self._every is not None
        before, self._rows = self._rows, rows
        if self._targets:
            errors = list(self._every.errors.values())
            self._failed += errors
            if self._failed and not rows and len(errors) == len(self._every.left_out):
                self._fail(were_there=bool(before))
        if self._is_to_tell:
            self._is_to_tell = False
            self.tell()

    def failed(self) -> int:
        """Report the targets that could not be found; return the exit code of the first, or 0."""
        from pagemap._cli.exit_codes import code_of, message_of
        from pagemap._cli.messages import complain

        for error in self._failed:
            complain(message_of(error))
        return code_of(self._failed[0]) if self._failed else 0

    def _fail(self, *, were_there: bool = False) -> None:
        from pagemap._cli.exit_codes import message_of
        from pagemap._cli.messages import complain
        from pagemap._errors import NoSuchProcess, TargetVanished

        *others, last = self._failed
        for error in others:
            complain(message_of(error))
        if were_there and isinstance(last, NoSuchProcess):
            raise TargetVanished(str(last), pid=last.pid, errno=last.errno) from None
        raise last

    def tell(self) -> int:
        """Report what was left out; return the exit code, an error if nothing could be read."""
        from pagemap._cli.exit_codes import DENIED, code_of, message_of
        from pagemap._cli.left_out import tell_left_out, tell_sharers
        from pagemap._cli.messages import complain
        from pagemap._space import left_out

        every = self._every
        assert every is not None
        for error in self._failed:
            complain(message_of(error))
        named = every.errors if self._targets else ()
        about = every.about()
        if self.procfs != "/proc":
            about |= {"all_namespaces": True, "sharers_known": True}  # the next message says more
        tell_left_out(about, sums=self.sums, told=named)
        tell_sharers(every.sharers)
        if self.procfs != "/proc":
            complain(
                f"{self.procfs} is read as it was copied: who shares memory (vfork) is not known, "
                "and such memory counts once for each process"
            )
        if self._failed:
            return code_of(self._failed[0])
        if self._cgroup is not None and not every.pids:
            complain(f"cgroup {self._cgroup!r} has no processes")
        if self._user is not None and not every.pids:
            complain(f"user {self._user!r} has no processes with memory")
        denied = any(each.reason == left_out.DENIED for each in every.left_out)
        return DENIED if denied and not self._rows else 0
