"""Which columns of a result the options of output mean."""

from __future__ import annotations

from pagemap._cli.parsing import parse_names
from pagemap._errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pagemap._vocabulary.schema import Schema

__all__ = ["column_of", "heaviest", "one"]


def column_of(by: str, schema: Schema[Any], also_by: Sequence[str]) -> str:
    if also_by and by.replace("-", "_") not in schema.names:
        from pagemap._vocabulary.names import unknown

        raise UsageError(unknown("--by", by, (*also_by, *schema.names)))
    return one(by, schema, "--by")


def one(text: str, schema: Schema[Any], option: str) -> str:
    names = parse_names([text], schema.names, option=option)
    if len(names) > 1:
        raise UsageError(f"{option} takes one column, not {len(names)}")
    return names[0]


def heaviest(groups: Schema[Any]) -> str:
    """The column by which groups are in order where nobody says: the amount of the first rank."""
    ranked = [column for column in groups if column.adds and column.rank is not None]
    return min(ranked, key=lambda each: (each.name in ("processes", "rows"), each.rank)).name
