"""`pagemap snapshot TARGET -o FILE`: page tables and mappings of processes, into a file."""

from __future__ import annotations

from pagemap._cli.options import TARGET_HELP, add_threads, complete_with_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from pagemap._cli.output import Output
    from pagemap._history.snapshot import Options

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

_STEP = 1 << 20

DESCRIPTION = """\
Write the whole page table of processes with their mappings into one file, in
one to two bytes for each page that is there. Other commands read it in the
place of a process."""


def examples() -> str:
    """What stands below the options."""
    return """\
The target runs on meanwhile, so what it changes in that time may be in the file
or not; --stop stops it, and resumes it in any case, even if this command is
killed. While this command is itself stopped (SIGSTOP), the target rests, too.
If it exits or calls exec midway, the file has what was read until then and says
so, and the exit code is 75.

The file holds addresses and paths, and without --no-pfns where memory lies. It
has mode 0600, and comes into its place only when it is complete.

examples:
  pagemap snapshot self -o self.pagemap
  sudo pagemap snapshot nginx -o before.pagemap
  sudo pagemap snapshot 4242 --stop -o exact.pagemap
  sudo pagemap snapshot 4242 --frames -o frames.pagemap
  pagemap snapshot java --no-pfns --smaps -o java.pagemap"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=TARGET_HELP)
    complete_with_files(
        parser.add_argument(
            "-o",
            "--output",
            metavar="FILE",
            required=True,
            help="write to FILE, mode 0600; - is standard output, unless that is a terminal",
        )
    )
    parser.add_argument(
        "--no-pfns",
        action="store_true",
        help="leave out where pages lie, in memory and in swap: a much smaller file",
    )
    parser.add_argument(
        "--smaps",
        action="store_true",
        help="save smaps too, which holds the target's mmap_lock while the kernel adds it up",
    )
    parser.add_argument(
        "--frames",
        action="store_true",
        help="save what frames are, for huge, types, uss, and the kinds in sharing and who (root)",
    )
    parser.add_argument(
        "--stop", action="store_true", help="stop each process while it is read, then resume it"
    )
    complete_with_files(
        parser.add_argument(
            "--salvage",
            metavar="FILE",
            help="instead of a process, save what is whole of FILE, which is damaged or "
            "was cut short",
        )
    )
    add_threads(parser)


def run(arguments: Namespace) -> int:
    """Write it. Returns the exit code: 75 where a process was cut short."""
    import os

    from pagemap._cli.exit_codes import VANISHED
    from pagemap._cli.left_out import tell_left_out
    from pagemap._cli.messages import complain
    from pagemap._cli.output import open_output
    from pagemap._cli.parsing import parse_count
    from pagemap._cli.targets import several
    from pagemap._errors import UsageError
    from pagemap._history.snapshot import Options, take
    from pagemap._space.left_out import ENDED

    options = Options(
        pfns=not arguments.no_pfns,
        stop=arguments.stop,
        smaps=arguments.smaps,
        frames=arguments.frames,
        threads=parse_count(arguments.threads, option="--threads"),
    )
    if arguments.frames and arguments.no_pfns:
        raise UsageError("--frames saves what lies at PFNs: leave out --no-pfns")
    if arguments.output == "-" and os.isatty(1):
        raise UsageError("a snapshot is no text for a terminal: give a file with -o FILE")
    if arguments.salvage is not None:
        return _salvage(arguments)
    if not arguments.targets:
        raise UsageError("name the processes to take: pagemap snapshot TARGET -o FILE")
    pids = several(arguments.targets)
    with open_output(arguments.output) as output:
        if options.stop:
            about = _take_stopped(pids, output, options)
        else:
            about = take(pids, output.write, options)
    for cut in about["cut_short"]:
        complain(f"cut short: {cut['reason']}; the file has what was read until then")
    tell_left_out(about)
    ended = any(each["reason"] == ENDED for each in about["left_out"])
    return VANISHED if about["cut_short"] or ended else 0


def _take_stopped(pids: list[int], output: Output, options: Options) -> dict[str, Any]:
    """Take processes, each stopped for no longer than that takes: whoever reads may be slow."""
    import os
    import signal
    from stat import S_ISREG
    from tempfile import TemporaryFile

    from pagemap._history.snapshot import take

    # Ctrl-Z would stop us, and the process would rest until we go on.
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
    try:
        if S_ISREG(os.fstat(output.fd).st_mode):
            return take(pids, output.write, options)
        with TemporaryFile() as file:
            about = take(pids, file.write, options)
            file.seek(0)
            while data := file.read(_STEP):
                output.write(data)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return about


def _salvage(arguments: Namespace) -> int:
    from pagemap._cli.messages import complain
    from pagemap._cli.output import open_output
    from pagemap._cli.saved_files import check_whole
    from pagemap._errors import UsageError
    from pagemap._history.salvage import open_damaged, salvage_open

    if arguments.targets:
        raise UsageError("give targets or --salvage FILE, not both")
    options = ("no_pfns", "smaps", "frames", "stop", "threads")
    for name in options:
        if getattr(arguments, name):
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is for what is taken; --salvage copies what is there")
    check_whole(arguments.salvage)
    with (
        open_damaged(arguments.salvage) as file,
        open_output(arguments.output, reads=file.fileno()) as output,
    ):
        found = salvage_open(file, arguments.salvage, output.write)
    moments = f"{found['moments']} moment{'s' * (found['moments'] != 1)}"
    if not found["skipped"]:
        # Not that it is whole: its first bytes may be damaged, and no moment has a part in these.
        every = f"all of its {moments}" if found["moments"] > 1 else "all of it"
        complain(f"{arguments.salvage} has lost nothing: saved {every}")
        return 0
    if found["whole"]:
        which = "that are" if found["moments"] > 1 else "that is"
        complain(f"saved {moments} {which} whole; left out {found['skipped']} bytes")
        return 0
    processes = f"{found['processes']} process{'es' * (found['processes'] != 1)}"
    blocks = f"{found['blocks']} block{'s' * (found['blocks'] != 1)} of pages"
    lost = f"{found['skipped']} bytes"
    if found["lost_frames"]:
        of = f"{found['lost_frames']} process{'es' * (found['lost_frames'] != 1)}"
        lost += f", among them flags and map counts of frames of {of}"
    complain(f"saved {processes}, with {blocks} that are whole; left out {lost}")
    return 0
