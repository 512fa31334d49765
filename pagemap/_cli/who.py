"""`pagemap who`: every process, mapping and address that maps a frame."""

from __future__ import annotations

from pagemap._analyses.owners import Owners
from pagemap._cli.left_out import tell_left_out
from pagemap._cli.output import open_output
from pagemap._cli.progress import Bar
from pagemap._cli.rights import with_what_else
from pagemap._cli.targets import one
from pagemap._cli.words import parse_count
from pagemap._errors import AccessDenied, UsageError
from pagemap._process import Process
from pagemap._render.owners import write_csv, write_json, write_text
from pagemap._vocabulary.units import PAGE_SHIFT, parse_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["run"]


def run(arguments: Namespace) -> int:
    """Write who maps the frames to stdout."""
    threads = parse_count(arguments.threads, option="--threads")
    try:
        pfns = _pfns(arguments)
        with Bar(unit="processes") as bar:
            owners = Owners(pfns, threads=threads, progress=bar)
            with open_output() as output:
                if arguments.json:
                    write_json(owners, output.write)
                elif arguments.csv:
                    write_csv(owners, output.write)
                else:
                    write_text(owners, output.write)
    except AccessDenied as error:
        raise with_what_else(error) from None
    if not owners.complete:
        tell_left_out(owners.spaces)
    return 0


def _pfns(arguments: Namespace) -> list[int]:
    """The frames that are asked for."""
    named = [parse_address(text, "PFN") for text in arguments.pfns]
    named += [parse_address(text, "physical address") >> PAGE_SHIFT for text in arguments.addresses]
    if arguments.target is None:
        if not named:
            raise UsageError("say which frame: TARGET ADDRESS, --pfn N, or --phys ADDRESS")
        return named
    if named:
        raise UsageError("give either TARGET ADDRESS, or frames by --pfn and --phys")
    if arguments.address is None:
        raise UsageError(
            f"say which page of {arguments.target}: TARGET is followed by an ADDRESS; "
            "a frame is given by --pfn or --phys"
        )
    address = parse_address(arguments.address)
    with Process(one(arguments.target)) as process:
        return [process.virt_to_phys(address) >> PAGE_SHIFT]
