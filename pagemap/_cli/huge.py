"""`pagemap maps --huge`: how much lies in huge pages, of a process, of a cgroup, of all."""

from __future__ import annotations

from pagemap._cli.huge_report import Report
from pagemap._cli.messages import complain
from pagemap._cli.output import open_output
from pagemap._cli.patterns import Patterns
from pagemap._cli.targets import one
from pagemap._process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace


__all__ = ["run"]


def run(arguments: Namespace) -> int:
    """Write the mappings, or the processes, to stdout. Returns the exit code."""
    report = Report(arguments)
    if arguments.target is None:
        from pagemap._cli.huge_everyone import write_processes

        return write_processes(arguments, report)
    patterns = Patterns(arguments.patterns)
    pid = one(arguments.target)
    with Process(pid) as process, open_output() as output:
        if process.kernel_thread:
            complain(f"process {pid} is a kernel thread: it has no mappings")
        found = process.huge(cont=report.cont, threads=report.threads)
        if arguments.patterns:
            found = (each for each in found if patterns(each[0].path))
        report.write(found, output, head=f'"pid":{process.pid},')
        if process.kernel_thread:
            return 0
        for text in patterns.unused:
            complain(f"no mapping of process {process.pid} fits the pattern {text!r}")
        return 1 if patterns.unused else 0
