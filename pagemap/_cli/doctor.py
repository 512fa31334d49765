"""`pagemap doctor [TARGET]`: what can be read here, and what cannot."""

from __future__ import annotations

import json
import os

from pagemap._analyses.doctor import Finding, diagnose, exit_code
from pagemap._cli.output import open_output
from pagemap._kernel.processes import resolve
from pagemap._render.table import Column, write_table
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["run"]

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
    pid = resolve(arguments.target or "self", exclude=(os.getpid(),))
    findings = diagnose(pid)
    with open_output() as output:
        if arguments.json:
            output.write(_json(pid, findings))
        else:
            write_table(COLUMNS, map(_row, findings), output.write, styles=STYLES)
    return exit_code(findings)


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
