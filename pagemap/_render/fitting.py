"""Which columns fit a width, and how wide each may be."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pagemap._vocabulary.schema import Column, Schema

__all__ = ["GAP", "fitting", "squeezed"]

GAP = 2
_LEAST_TEXT = 12  # of a text that is longer than its room
_USUAL = {"bytes": 7, "address": 14, "offset": 6, "share": 6, "pages": 7, "residency": 34}
_USUAL_TEXT = {
    "kind": 17,  # one letter less than the longest, so that amount and path fit beside it in 40
    "path": 20,
    "name": 12,
    "names": 24,
    "kinds": 28,
    "letters": 46,
    "zone": 7,
    "how": 9,
}
_SHORTENED = ("path", "names")  # of which a few characters say something too


def fitting(
    schema: Schema,
    width: int | None = None,
    natural: Mapping[Column, int] | None = None,
    *,
    always: Sequence[str] = (),
) -> list[Column]:
    """The columns to show: all that have a rank, or as many as fit in `width`, by their rank.

    Those called `always` come right after what a row is of, whatever rank they have; one that
    finds no room is left out, and keeps none out that are narrower.
    `natural` says how wide their cells are, where these are known already. The first is shown
    however narrow it is, a path or names in what is left where they are the last, and an amount
    beside a path that can give way for it.
    """
    ranked = [column for column in schema if column.rank is not None or column.name in always]
    if width is None:
        return ranked
    chosen: list[Column] = []
    left = width + GAP
    for column in sorted(
        ranked,
        key=lambda each: 0.5 if each.rank != 0 and each.name in always else each.rank or 0,
    ):
        if natural is not None and column not in natural:
            continue
        need = GAP + _least(column, None if natural is None else natural[column])
        if chosen and need > left:
            if column.name in always:
                continue
            if column.name in _SHORTENED and left >= GAP + _LEAST_TEXT:
                chosen.append(column)
            break
        left -= need
        chosen.append(column)
    if not any(column.is_amount for column in chosen):
        chosen += _amount(ranked, chosen, width, natural)
    return [column for column in ranked if column in chosen]


def _amount(
    ranked: Sequence[Column],
    chosen: Sequence[Column],
    width: int,
    natural: Mapping[Column, int] | None,
) -> list[Column]:
    """The first amount, where there is room for it if a path gives way as far as it can."""
    amounts = [each for each in ranked if each.is_amount and (natural is None or each in natural)]
    first = min(amounts, key=lambda each: each.rank or 0, default=None)
    if first is None:
        return []
    need = 0
    for column in (*chosen, first):
        least = _least(column, None if natural is None else natural[column])
        need += GAP + (min(least, _LEAST_TEXT) if column.name == "path" else least)
    return [first] if need <= width + GAP else []


def _least(column: Column, natural: int | None) -> int:
    title = len(column.name)
    if _gives_way(column):
        usual = _USUAL_TEXT.get(column.name, _LEAST_TEXT)
        if natural is None:  # most kinds are short; the cells will tell
            return max(title, _LEAST_TEXT if column.name == "kind" else usual)
        return max(title, min(natural, usual))
    return max(title, _USUAL.get(column.unit, 0) if natural is None else natural)


def _gives_way(column: Column) -> bool:
    """Whether a part of a cell says something too: a bar and a time are drawn whole."""
    return column.type in ("text", "list") and column.unit != "residency" and column.name != "begin"


def squeezed(columns: Sequence[Column], natural: Sequence[int], width: int | None) -> list[int]:
    """The widths of the columns: texts give way, from the longest on, where it is too narrow."""
    widths = list(natural)
    if width is None:
        return widths
    over = sum(widths) + GAP * (len(widths) - 1) - width
    texts = [i for i, column in enumerate(columns) if _gives_way(column)]
    while over > 0 and texts:
        longest = max(texts, key=widths.__getitem__)
        second = max((widths[i] for i in texts if i != longest), default=0)
        name = columns[longest].name
        least = _USUAL_TEXT["kind"] if name == "kind" else _LEAST_TEXT
        floor = max(min(least, natural[longest]), len(name))
        cut = min(over, widths[longest] - max(second - 1, floor))
        if cut <= 0:
            texts.remove(longest)
            continue
        widths[longest] -= cut
        over -= cut
    return widths
