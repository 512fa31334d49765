"""What `cache` looks at: files below paths, or those of processes; by themselves or by frames."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from typing import Any

    from pagemap._analyses.cached_held import HeldSurvey
    from pagemap._analyses.cached_walk import CacheRows, CacheSurvey
    from pagemap._analyses.file_shares import FileShares
    from pagemap._tables.table import Table

    Survey = CacheSurvey | HeldSurvey

__all__ = ["rows_of", "shares_of", "tables_of"]


def shares_of(
    *, frames: bool, charged: bool, threads: int | None
) -> AbstractContextManager[FileShares | None]:
    from contextlib import closing, nullcontext

    if not frames and not charged:
        return nullcontext()
    from pagemap._analyses.file_shares import FileShares

    return closing(FileShares(by_cgroup=charged, threads=threads))


def rows_of(least: int, *, charged: bool, held: bool) -> CacheRows:
    if charged:
        from pagemap._analyses.cached_charged import ChargedRows

        return ChargedRows(least)
    from pagemap._analyses.cached_rows import Rows

    # with --min nobody tells whether so much of them is cached
    return Rows(least, untold=held and least <= 1)


def tables_of(
    arguments: Namespace,
    paths: list[str],
    rows: CacheRows,
    *,
    shares: FileShares | None,
    bar: bool,
    last: list[Survey],
) -> Iterator[Table[Any]]:
    """The tables of the survey, which `last` gets."""
    from pagemap._cli.progress import Bar

    with Bar(unit="processes" if arguments.open else "files") as progress:
        if arguments.open:
            from pagemap._analyses.cached_held import HeldSurvey

            held = HeldSurvey(rows, residency=bar, shares=shares, progress=progress)
            last[:] = [held]
            yield held.table()
            return
        from pagemap._analyses.cached_walk import CacheSurvey

        survey = CacheSurvey(
            paths,
            rows,
            one_file_system=arguments.one_file_system,
            residency=bar,
            shares=shares,
            progress=progress,
        )
        last[:] = [survey]
        yield from survey.tables()
