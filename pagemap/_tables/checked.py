"""Checks the columns of a Table when it is made, because C relies on their lengths."""

from __future__ import annotations

from pagemap._errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pagemap._vocabulary.schema import Schema

__all__ = ["check_buffer", "check_columns", "check_known", "check_words"]

FORMATS = {"int": "q", "float": "d", "bool": "?"}
"""The formats of columns by their types, those of text apart, as `struct` has them."""


def check_buffer(what: str, value: object, form: str) -> None:
    """Raise TypeError where `what` is no memoryview of this format, of one dimension, unbroken."""
    if not _is_buffer(value, form):
        raise _wrong_buffer(what, value, form)


def _is_buffer(value: object, form: str) -> bool:
    return (
        isinstance(value, memoryview)
        and value.format == form
        and value.ndim == 1
        and value.c_contiguous
    )


def _wrong_buffer(what: str, value: object, form: str) -> TypeError:
    if not isinstance(value, memoryview):
        return TypeError(f"{what} is a memoryview of format {form!r}, not {type(value).__name__}")
    whole = value.c_contiguous and value.ndim == 1
    broken = "" if whole else ", of several pieces or dimensions"
    return TypeError(
        f"{what} is a memoryview of format {form!r}, contiguous and of one dimension, "
        f"not of {value.format!r}{broken}"
    )


def check_words(words: Sequence[object]) -> tuple[str, ...]:
    """The words of a column of text. Raises TypeError for what is no str."""
    several = tuple(words)
    if not {str}.issuperset(map(type, several)):  # one by one only where that is not all of them
        for word in several:
            if not isinstance(word, str):
                raise TypeError(f"words are str, not {word!r}")
    return several  # type: ignore[return-value] # just looked at


def check_columns(
    schema: Schema[Any], columns: Mapping[str, Any], others: Mapping[str, type[Any]]
) -> None:
    """Raise TypeError for a column that is not of its type, as those of no plain numbers `others`.

    Raises UsageError where one is missing, they are not equally long, or a word is missing.
    """
    sizes = set()
    for column in schema.columns:
        name, form = column.name, FORMATS.get(column.type)
        value: Any = columns.get(name)
        if value is None:
            raise UsageError(f"a column is missing: {name!r}")
        if form is not None:
            if not _is_buffer(value, form):  # what it is called is put together for errors alone
                raise _wrong_buffer(f"column {name!r}", value, form)
        elif not isinstance(value, others[column.type]):
            wanted = others[column.type].__name__
            raise TypeError(f"column {name!r} is a {wanted}, not {type(value).__name__}")
        else:
            _check_codes(name, value.codes, value.words)
        sizes.add(len(value))
    if len(sizes) > 1:
        raise UsageError(f"columns of a table are equally long, not {sorted(sizes)}")


def check_known(name: str, known: Any, rows: int) -> None:
    """Raise TypeError, UsageError where `known` does not tell of each of `rows` cells."""
    if not _is_buffer(known, "?"):
        raise _wrong_buffer(f"valid[{name!r}]", known, "?")
    if len(known) != rows:
        raise UsageError(f"valid[{name!r}] must have {rows} rows, not {len(known)}")


def _check_codes(name: str, codes: memoryview[int], words: Sequence[object]) -> None:
    """Raise UsageError where a cell has the number of a word that there is not."""
    from pagemap._native.columns import codes_end

    row = codes_end(codes, len(words))
    if row < len(codes):
        raise UsageError(
            f"column {name!r} has word {codes[row]} in row {row}; there are {len(words)} words"
        )
