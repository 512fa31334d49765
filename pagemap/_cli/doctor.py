"""`pagemap doctor [TARGET]`: what can be read here, and what cannot."""

from __future__ import annotations

import json
from errno import EACCES, ENOENT, ENOSYS, EPERM, ESRCH

from pagemap._analyses.doctor import ESSENTIAL, Finding, diagnose
from pagemap._cli.output import open_output
from pagemap._cli.targets import one
from pagemap._render.table import Column, write_table
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["exit_code", "run"]

SCHEMA = "pagemap.doctor/1"

COLUMNS = (
    Column("WHAT"),
    Column("HERE"),
    Column("WHY", wrap=True),
    Column("WHAT WOULD CHANGE IT", wrap=True),
)
STYLES = {"ok": "green", "no": "red"}


def run(arguments: Namespace) -> int:
    """Write the findings to stdout; the exit code says whether the essentials can be read."""
    # Its own process is no target to be excluded: it is what gets tried by default.
    pid = one(arguments.target or "self")
    findings = diagnose(pid)
    with open_output() as output:
        if arguments.json:
            output.write(_json(pid, findings))
        else:
            write_table(COLUMNS, map(_row, findings), output.write, styles=STYLES)
    return exit_code(findings)


def exit_code(findings: list[Finding]) -> int:
    """0 when the essentials work; else 77 forbidden, 69 lacking in this kernel, 66 no memory, 1."""
    codes = {EACCES: 77, EPERM: 77, ENOENT: 69, ENOSYS: 69, ESRCH: 66}
    failed = [each.errno for each in findings if each.name in ESSENTIAL and not each.ok]
    return max((codes.get(number, 1) for number in failed), default=0)


def _row(finding: Finding) -> tuple[str, ...]:
    state = "ok" if finding.ok else "no"
    return finding.name, state, printable(finding.detail), printable(finding.remedy)


def _json(pid: int, findings: list[Finding]) -> bytes:
    about = {
        "schema": SCHEMA,
        "pid": pid,
        "findings": [
            {
                "name": finding.name,
                "ok": finding.ok,
                "detail": finding.detail,
                "remedy": finding.remedy or None,
            }
            for finding in findings
        ],
    }
    return json.dumps(about, indent=1).encode("ascii") + b"\n"
