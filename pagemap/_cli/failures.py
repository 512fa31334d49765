"""Which targets and files of a command could not be read, and what that makes its exit code."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

    from pagemap._errors import PagemapError
    from pagemap._tables.table import Table

__all__ = ["Failures"]


class Failures:
    """Targets and files that could not be read: reports them, and has the worst exit code.

    Where only one was asked for, its error is that of the command, but where it vanished midway:
    what was read of it stands.
    """

    def __init__(self, arguments: Namespace) -> None:
        self._asked = [*arguments.targets, *arguments.files]
        self._files = arguments.files
        self._about: dict[str, Any] = {}
        self.code = 0

    def __call__(self, error: PagemapError) -> None:
        from pagemap._cli.exit_codes import code_of, message_of
        from pagemap._cli.messages import complain
        from pagemap._errors import TargetVanished

        within = bool(self._files) and error.path not in self._files
        if len(self._asked) == 1 and not within and not isinstance(error, TargetVanished):
            raise error
        complain(message_of(error))
        self.code = max(self.code, code_of(error))

    def seen(self, table: Table[Any]) -> Table[Any]:
        """The same tables; the `about` of the last one is of all."""
        self._about = table.about
        return table

    def tell_more(self) -> None:
        """Report what was left out or counted with other processes and is not an error."""
        from pagemap._cli.left_out import tell_sharers, tell_unknown
        from pagemap._cli.messages import complain
        from pagemap._space.left_out import KERNEL_THREAD

        about = self._about
        for each in about["left_out"]:
            if each["reason"] == KERNEL_THREAD:
                complain(f"process {each['pid']} is left out: {KERNEL_THREAD}")
        tell_sharers(about.get("sharers", {}))
        if len(self._asked) > 1 and not about.get("sharers_known", True):
            tell_unknown()
        if about["unknown"]:
            pages = f"{about['unknown']} page{'s' * (about['unknown'] != 1)}"
            lost = "they were lost where the file was damaged"
            reason = lost if "snapshot" in about else "the kernel has none for their frames"
            complain(f"the flags of {pages} are not known: {reason}")
