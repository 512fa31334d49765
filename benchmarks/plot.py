"""A chart with two logarithmic axes, as SVG text: nothing is drawn with but this."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Told apart also by those who do not see red and green (Okabe and Ito's set).
COLOURS = ("#0072b2", "#009e73", "#56b4e9", "#d55e00", "#cc79a7", "#e69f00", "#777777", "#000000")
WIDTH, HEIGHT = 960, 560
LEFT, RIGHT, TOP, BOTTOM = 80, 690, 60, 500
LABEL_HEIGHT = 17  # of a line's name, in pixels: names do not overlap


class Line(NamedTuple):
    """Points (x, y), all above zero and x ascending; `dashed` tells rivals from ours."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool


class Axes:
    """Where a value lies in the picture."""

    def __init__(self, lines: Sequence[Line]) -> None:
        points = [point for line in lines for point in line.points]
        xs, ys = zip(*points, strict=True)
        self._x = math.log(min(xs)), math.log(max(xs))
        self.decades = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))

    def x(self, value: float) -> float:
        """From the left, in pixels."""
        low, high = self._x
        return LEFT + (math.log(value) - low) / ((high - low) or 1) * (RIGHT - LEFT)

    def y(self, value: float) -> float:
        """From the top, in pixels."""
        low, high = self.decades
        return BOTTOM - (math.log10(value) - low) / ((high - low) or 1) * (BOTTOM - TOP)


def log_log(
    title: str,
    x_title: str,
    lines: Sequence[Line],
    *,
    show_x: Callable[[float], str],
    show_y: Callable[[float], str],
) -> str:
    """The chart. The x axis is marked where there are points, the y axis at each power of ten."""
    axes = Axes(lines)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        "<style>text { font: 13px sans-serif; } .title { font-size: 17px; }</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(LEFT, TOP - 28, title, extra='class="title"'),
        text((LEFT + RIGHT) / 2, BOTTOM + 42, x_title, anchor="middle"),
    ]
    for value in sorted({x for line in lines for x, _ in line.points}):
        parts.append(stroke([(axes.x(value), TOP), (axes.x(value), BOTTOM)], "#dddddd", 1))
        parts.append(text(axes.x(value), BOTTOM + 20, show_x(value), anchor="middle"))
    low, high = axes.decades
    for value in (10.0**decade for decade in range(low, high + 1)):
        parts.append(stroke([(LEFT, axes.y(value)), (RIGHT, axes.y(value))], "#dddddd", 1))
        parts.append(text(LEFT - 8, axes.y(value) + 4, show_y(value), anchor="end"))
    for line, colour, label_y in placed(lines, axes):
        places = [(axes.x(x), axes.y(y)) for x, y in line.points]
        end_x, end_y = places[-1]
        parts.append(stroke(places, colour, 2.5, dashed=line.dashed))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        parts.append(stroke([(end_x, end_y), (RIGHT + 14, label_y)], colour, 0.7))
        parts.append(text(RIGHT + 18, label_y + 4, line.name, extra=f'fill="{colour}"'))
    return "\n".join([*parts, "</svg>", ""])


def placed(lines: Sequence[Line], axes: Axes) -> Iterator[tuple[Line, str, float]]:
    """Each line with its colour, and with the height of its name: as near to its end as can be."""
    ends = sorted(
        (axes.y(line.points[-1][1]), COLOURS[index % len(COLOURS)], line)
        for index, line in enumerate(lines)
    )
    # Downwards in order, each below the one before, but so that those to come fit as well.
    above = float(TOP - LABEL_HEIGHT)
    for index, (end, colour, line) in enumerate(ends):
        above = max(above + LABEL_HEIGHT, min(end, BOTTOM - LABEL_HEIGHT * (len(ends) - 1 - index)))
        yield line, colour, above


def stroke(
    points: Sequence[tuple[float, float]], colour: str, width: float, *, dashed: bool = False
) -> str:
    """A line through all points."""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = "7 4" if dashed else "none"
    return (
        f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="{width}" '
        f'stroke-dasharray="{dashes}"/>'
    )


def text(x: float, y: float, words: str, *, anchor: str = "start", extra: str = "") -> str:
    """Words at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>{escape(words)}</text>'
