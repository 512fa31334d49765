"""`pagemap record TARGET -o FILE`: one moment of a process after another, in one file."""

from __future__ import annotations

from pagemap._cli.options import add_target, complete_with_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from pagemap._history.recorder import Recorder

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Write the page table and the mappings of a process into a file again and again:
first whole, then what changed since the moment before. Other commands read one
of its moments as FILE@N: 0 is the first, -1 the last."""


def examples() -> str:
    """What stands below the options."""
    return """\
It ends after --for, at Ctrl-C (exit code 0), or when the target exits or calls
exec, which is exit code 75. Whatever becomes of this command, the file can be
read up to the last moment that was whole. The target is not stopped: what it
changes while a moment is read may be in that moment or in the next.

Each moment is read by one thread. With --budget it pauses as long as needed to
keep its use of processors below that share of a core, even if --every is less.

examples:
  sudo pagemap record 4242 --every 1s --for 2s -o changes.pagemap
  sudo pagemap record 4242 --for 1s --frames -o frames.pagemap
  pagemap record self --every 200ms --for 1s --no-pfns -o small.pagemap
  pagemap record self --every 100ms --for 500ms --budget 5 -o slow.pagemap"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    add_target(parser)
    complete_with_files(
        parser.add_argument(
            "-o",
            "--output",
            metavar="FILE",
            required=True,
            help="the new file to write, mode 0600; one that is there already is left alone",
        )
    )
    parser.add_argument(
        "--every", metavar="TIME", default="1s", help="time from moment to moment (default: 1s)"
    )
    parser.add_argument("--for", metavar="TIME", dest="duration", help="how long to record")
    parser.add_argument(
        "--budget", metavar="PERCENT", help="percentage of a core to use at most, on average"
    )
    parser.add_argument(
        "--no-pfns", action="store_true", help="leave out where pages lie, in memory and in swap"
    )
    parser.add_argument(
        "--frames",
        action="store_true",
        help="save in each moment what all frames are: their flags and map counts (root)",
    )


def run(arguments: Namespace) -> int:
    """Record until the end. Raises TargetVanished when the target is the end of it."""
    from pagemap._cli.messages import complain
    from pagemap._cli.targets import one
    from pagemap._cli.watch import parse_seconds
    from pagemap._errors import TargetVanished, UsageError
    from pagemap._history.recorder import Recorder

    every = parse_seconds(arguments.every, option="--every")
    duration = (
        None if arguments.duration is None else parse_seconds(arguments.duration, option="--for")
    )
    share = None if arguments.budget is None else _share(arguments.budget)
    if not arguments.output:
        raise UsageError("the name of the output file is empty")
    if arguments.output == "-":
        raise UsageError("a record is read again while it is written: give a file with -o FILE")
    if arguments.frames and arguments.no_pfns:
        raise UsageError("--frames saves what lies at PFNs: leave out --no-pfns")
    pid = one(arguments.target)
    options = {"pfns": not arguments.no_pfns, "frames": arguments.frames}
    with Recorder(pid, arguments.output, **options) as recorder:
        try:
            _record(recorder, every, duration, share)
        except KeyboardInterrupt:
            pass  # the end that somebody asked for
        except TargetVanished:
            complain(_written(recorder))
            raise
        finally:
            recorder.close()
    complain(_written(recorder))
    return 0


def _record(recorder: Recorder, every: float, duration: float | None, share: float | None) -> None:
    from time import monotonic, process_time, sleep

    begin = due = monotonic()
    while True:
        used = process_time()
        recorder.take()
        used = process_time() - used
        due = max(due + every, monotonic())
        if share is not None:
            due = max(due, monotonic() + used / share - used)
        if duration is not None and due - begin > duration:
            return
        sleep(max(due - monotonic(), 0.0))


def _share(text: str) -> float:
    from pagemap._errors import UsageError

    try:
        percent = float(text)
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:
        raise UsageError(f"--budget needs a percentage above 0 and up to 100, not {text!r}")
    return percent / 100


def _written(recorder: Recorder) -> str:
    moments = f"{recorder.moments} moment{'s' * (recorder.moments != 1)}"
    return f"{moments} in {recorder.size} bytes: {recorder.path}"
