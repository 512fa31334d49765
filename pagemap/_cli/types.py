"""`pagemap types [TARGET...]`: pages by their flags, counted or listed."""

from __future__ import annotations

import os

from pagemap._analyses.page_survey import Survey
from pagemap._analyses.page_types import Histogram
from pagemap._cli.exit_codes import code_of, message_of
from pagemap._cli.messages import complain
from pagemap._cli.output import open_output
from pagemap._cli.targets import several
from pagemap._cli.words import parse_count, parse_ranges
from pagemap._errors import NoSuchProcess, PagemapError, TargetVanished, UsageError
from pagemap._process import Process
from pagemap._render import page_types
from pagemap._space.twins import Twins
from pagemap._vocabulary.page_flags import parse_filter, parse_flags
from pagemap._vocabulary.units import parse_address, parse_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from pagemap._analyses.page_survey import Look
    from pagemap._analyses.page_types import PageRun, PageTypes
    from pagemap._kernel.page_files import OpenFile
    from pagemap._native.types import SeenFrames
    from pagemap._render.document import Write

    # A pid, or the path of a file; None of memory.
    Name = int | str | None

__all__ = ["run"]


class _Troubles:
    """Targets and files that could not be read: told, and the gravest of their exit codes.

    As a context it takes up the errors of one of them. Where it is `alone`, only one that vanished
    is taken up, for what was read of it stands.
    """

    def __init__(self, *, alone: bool) -> None:
        self.alone = alone
        self.code = 0

    def tell(self, error: PagemapError) -> None:
        """Tell of an error, and go on."""
        complain(message_of(error))
        self.code = max(self.code, code_of(error))

    def file(self, error: PagemapError) -> None:
        """The same of a file that was found: alone, it fails as a whole."""
        if self.alone and not isinstance(error, TargetVanished):
            raise error
        self.tell(error)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, UsageError) or not isinstance(error, PagemapError):
            return False
        if self.alone and not isinstance(error, TargetVanished):
            return False
        self.tell(error)
        return True


def run(arguments: Namespace) -> int:
    """Write the histogram or the list to stdout.

    Of several targets and files, those that cannot be read are told and passed over; returns the
    greatest exit code among them.
    """
    if arguments.describe is not None:
        return _describe(arguments)
    _check(arguments)
    for text in arguments.bits:
        parse_filter(text, raw=arguments.raw, option="--bits")
    threads = parse_count(arguments.threads, option="--threads")
    cgroup = _cgroup(arguments.cgroup)
    troubles = _Troubles(alone=len(arguments.targets) + len(arguments.files) < 2)
    ranges = parse_ranges(arguments.ranges) or None
    frames = [_frames(text) for text in arguments.pfns] or None
    pids = _pids(arguments.targets)
    processes: list[Process] = []
    with Survey(
        raw=arguments.raw,
        bits=arguments.bits,
        cgroup=cgroup,
        mapcounts=arguments.mapcount,
        cgroups=arguments.show_cgroup,
        threads=threads,
    ) as survey:
        looks: Iterator[tuple[Name, Look]]
        try:
            if arguments.files and not (arguments.list or arguments.list_each):
                # together, for they may be many and small
                found = _files(arguments.files, troubles)
                looks = iter([(None, survey.files(found, troubles.file))])
            elif arguments.files:
                looks = _at_files(arguments.files, survey, troubles)
            elif arguments.targets:
                # all of them are opened before one is looked at, which may take long
                processes += _opened(pids, troubles)
                looks = iter([(each.pid, survey.process(each, ranges)) for each in processes])
            else:
                looks = iter([(None, survey.memory(frames))])
            with open_output() as output:
                if arguments.list or arguments.list_each:
                    seen = survey.seen_frames() if arguments.files else None
                    _write_runs(arguments, _runs(looks, troubles, seen), output.write)
                else:
                    _write_types(arguments, _types(looks, troubles), output.write)
        finally:
            for process in processes:
                process.close()
    return troubles.code


def _types(looks: Iterator[tuple[Name, Look]], troubles: _Troubles) -> PageTypes:
    histogram = Histogram()
    for _, look in looks:
        with troubles:
            look.add_to(histogram)
    return histogram.types()


def _runs(
    looks: Iterator[tuple[Name, Look]], troubles: _Troubles, seen: SeenFrames | None
) -> Iterator[tuple[Name, PageRun]]:
    unknown = 0
    for name, look in looks:
        with troubles:
            for each in look.runs(seen):
                yield name, each
        unknown += look.unknown
    _tell_unknown(unknown)


def _tell_unknown(pages: int) -> None:
    if pages:
        complain(f"{pages} pages are left out: the kernel tells nothing of their frames")


def _write_types(arguments: Namespace, types: PageTypes, write: Write) -> None:
    _tell_unknown(types.unknown)
    if arguments.json:
        page_types.write_json(types, write, raw=arguments.raw)
    elif arguments.csv:
        page_types.write_csv(types, write)
    else:
        page_types.write_text(types, write)


def _write_runs(arguments: Namespace, runs: Iterator[tuple[Name, PageRun]], write: Write) -> None:
    from pagemap._render import page_runs

    columns = page_runs.columns(
        of="file" if arguments.files else "process" if arguments.targets else "memory",
        named=bool(arguments.files) or len(arguments.targets) > 1,
        each=arguments.list_each,
        mapcount=arguments.mapcount,
        cgroup=arguments.show_cgroup,
    )
    if arguments.list_each:
        runs = page_runs.each_page(runs)
    if arguments.json:
        page_runs.write_json(columns, runs, write, raw=arguments.raw)
    elif arguments.csv:
        page_runs.write_csv(columns, runs, write)
    else:
        page_runs.write_text(columns, runs, write)


def _check(arguments: Namespace) -> None:
    """Raise UsageError for options that do not go together."""
    kinds = [
        name
        for name, given in (
            ("TARGET", arguments.targets),
            ("--pfn", arguments.pfns),
            ("--file", arguments.files),
        )
        if given
    ]
    if len(kinds) > 1:
        raise UsageError(f"{kinds[0]} and {kinds[1]} do not go together: ask for one after another")
    if arguments.ranges and len(arguments.targets) != 1:
        raise UsageError("--range is of the addresses of one TARGET")
    for option, given in (
        ("--mapcount", arguments.mapcount),
        ("--show-cgroup", arguments.show_cgroup),
    ):
        if given and not (arguments.list or arguments.list_each):
            raise UsageError(f"{option} is a column of a list: add --list or --list-each")
    if "" in arguments.files:
        raise UsageError("--file has an empty name")


def _describe(arguments: Namespace) -> int:
    flags = parse_flags(arguments.describe, option="--describe")
    with open_output() as output:
        page_types.write_description(flags, output.write, json=arguments.json, csv=arguments.csv)
    return 0


def _frames(text: str) -> tuple[int, int]:
    """The PFNs ``(start, end)`` that `text` gives, in hexadecimal; one alone is itself."""
    if "-" in text:
        return parse_range(text, "PFN")
    start = parse_address(text, "PFN")
    return start, start + 1


def _cgroup(text: str | None) -> int | None:
    """The inode number of a memory cgroup, of its folder or a number, perhaps after an @."""
    if text is None:
        return None
    number = text.removeprefix("@")
    if number.isascii() and number.isdecimal() and len(number) < 21 and int(number) < 1 << 64:
        return int(number)
    try:
        return os.stat(os.path.join(text, "")).st_ino
    except FileNotFoundError:
        raise NoSuchProcess(  # as footprint --cgroup
            f"there is no cgroup {text!r}: give its directory, as /sys/fs/cgroup/user.slice, or "
            "the number of its inode"
        ) from None
    except OSError as error:
        raise UsageError(
            f"--cgroup {text!r}: {error.strerror}; give the folder of a memory cgroup or its inode"
        ) from None


def _pids(targets: list[str]) -> list[int]:
    """The pids that targets mean, one for each address space: others of it are told, not counted.

    vfork and clone(CLONE_VM) make two processes of one memory.
    """
    pids = several(targets)
    if len(pids) < 2:
        return pids
    twins = Twins()
    kept = list(twins.each(pids))
    for pid, sharers in twins.sharers.items():
        for other in sharers:
            complain(f"process {other} has the memory of process {pid}, which counts once")
    if not twins.known:
        complain(
            "processes that share one address space (vfork, CLONE_VM) are counted apart: "
            "kcmp does not tell them here (it needs CONFIG_KCMP and CAP_SYS_PTRACE)"
        )
    return kept


def _opened(pids: list[int], troubles: _Troubles) -> Iterator[Process]:
    for pid in pids:
        with troubles:
            process = Process(pid)
            if process.kernel_thread:
                complain(f"process {pid} is a kernel thread: it has no mappings")
            yield process


def _files(paths: list[str], troubles: _Troubles) -> Iterator[OpenFile]:
    from pagemap._kernel.page_files import files_in

    entered: set[tuple[int, int]] = set()
    for path in paths:
        with troubles:
            yield from files_in(path, troubles.tell, entered)


def _at_files(paths: list[str], survey: Survey, troubles: _Troubles) -> Iterator[tuple[Name, Look]]:
    for file in _files(paths, troubles):
        yield file.path, survey.file(file)
