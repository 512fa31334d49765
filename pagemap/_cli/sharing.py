"""`pagemap sharing`: which processes share which memory."""

from __future__ import annotations

from pagemap._analyses.sharing import Sharing
from pagemap._cli.left_out import tell_left_out
from pagemap._cli.messages import complain
from pagemap._cli.options_sharing import PARTS
from pagemap._cli.output import open_output
from pagemap._cli.progress import Bar
from pagemap._cli.rights import with_what_else
from pagemap._cli.targets import several
from pagemap._cli.words import parse_count, parse_names
from pagemap._errors import AccessDenied, UsageError
from pagemap._render.sharing import write_csv, write_json, write_text
from pagemap._vocabulary.units import PAGE_SHIFT, format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["run"]

_TOP_OF_TABLES = 10
_TOP_OF_DATA = 1000


def run(arguments: Namespace) -> int:
    """Write what is shared to stdout."""
    threads = parse_count(arguments.threads, option="--threads")
    parts = parse_names(arguments.what, PARTS, option="--what")
    usual = _TOP_OF_DATA if arguments.json or arguments.csv else _TOP_OF_TABLES
    top = parse_count(arguments.top, option="--top") or usual
    if arguments.csv and len(parts) > 1:
        raise UsageError(f"--csv writes one part at a time, not {len(parts)}: name one by --what")
    if arguments.only and not arguments.targets:
        raise UsageError("--only wants targets: those that are to be looked at")
    targets = several(arguments.targets)
    try:
        with Bar(unit="processes") as bar:
            sharing = Sharing(targets, only=arguments.only, top=top, threads=threads, progress=bar)
    except AccessDenied as error:
        raise with_what_else(error) from None
    with open_output() as output:
        if arguments.json:
            write_json(sharing, parts or list(PARTS), output.write)
        elif arguments.csv:
            write_csv(sharing, parts[0] if parts else "pairs", output.write)
        else:
            write_text(sharing, parts or list(PARTS), top, output.write)
    if sharing.ksm_told is None:
        complain("it could not be tried whether this kernel marks only merged pages as such")
    elif not sharing.ksm_told:
        complain(
            "this kernel marks every anonymous page as merged (some from Linux 6.10 on do): pages "
            "that KSM merged are counted as anonymous"
        )
    if sharing.untold.shared:
        size = format_size(sharing.untold.shared << PAGE_SHIFT)
        complain(
            f"{size} of what is shared lie in more sets of processes than the {sharing.sets} that "
            "there is room for: they are in the total alone, and saved is the least that it can be"
        )
    tell_left_out(sharing.spaces)
    if sharing.beyond:
        size = format_size(sharing.beyond << PAGE_SHIFT)
        complain(f"{size} of what is mapped lie past the end of /proc/kpageflags: not looked at")
        return 1
    return 0
