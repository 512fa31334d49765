"""`pagemap doctor [TARGET]`: what can be read here, and what cannot."""

from __future__ import annotations

from errno import EACCES, ENOENT, ENOSYS, EPERM, ESRCH

from pagemap._cli import results
from pagemap._cli.options import add_target, columns_help
from pagemap._vocabulary.rows.finding import FINDINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable

    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.finding import FindingRow

__all__ = ["DESCRIPTION", "add_arguments", "examples", "exit_code", "run"]

DESCRIPTION = """\
Try everything that pagemap can use on this machine. Show what works, why
something does not, and what would make it work. What is of a process is tried
on TARGET, by default on pagemap's own process. Nothing is changed: OK is "-"
where only a use that changes something would tell."""

_ESSENTIAL = ("maps", "pagemap")
"""Without these nothing is known about a process; all else adds more, or is faster."""


def examples() -> str:
    """What stands below the options."""
    return f"""\
{columns_help(FINDINGS)}

Exits with 0 if mappings and page table can be read, else with 77, 69 or 66.

examples:
  pagemap doctor
  sudo pagemap doctor 1234
  pagemap doctor --json | jq '.rows[] | select(.ok == false).remedy'"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    add_target(parser, optional=True)
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write the findings; the exit code says whether the essentials can be read."""
    from pagemap._analyses.doctor import doctor
    from pagemap._cli import targets

    shown = results.Results(arguments, FINDINGS)
    pid = targets.one("self" if arguments.target is None else arguments.target)
    code = 0

    def make() -> Table[FindingRow]:
        nonlocal code
        findings = doctor(pid)
        code = exit_code(findings)
        return findings

    shown.show(make)
    return code


def exit_code(findings: Iterable[FindingRow]) -> int:
    """0 if the essentials work; else 77 denied, 69 not supported here, 66 no memory, or 1."""
    codes = {EACCES: 77, EPERM: 77, ENOENT: 69, ENOSYS: 69, ESRCH: 66}
    failed = [each.errno for each in findings if each.name in _ESSENTIAL and not each.ok]
    return max((codes.get(number or 0, 1) for number in failed), default=0)
