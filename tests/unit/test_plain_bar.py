"""The line of a progress bar without rich: what it says, and that it fits the terminal."""

from __future__ import annotations

import pytest

from pagemap._cli.plain_bar import line_of


@pytest.mark.parametrize(
    ("done", "total", "seconds", "expected"),
    [
        (0, 8, 5.0, "[                    ] 0/8 files -:--:--"),
        (2, 8, 5.0, "[#####               ] 2/8 files 0:00:15"),
        (4, 8, 7322.0, "[##########          ] 4/8 files 2:02:02"),
        (9, 8, 5.0, "[####################] 8/8 files 0:00:00"),
        (12345, None, 5.0, "12345 files"),
        (0, 0, 5.0, "0 files"),
    ],
)
def test_what_it_says(done: int, total: int | None, seconds: float, expected: str) -> None:
    assert line_of(done, total, "files", seconds, 40) == expected


@pytest.mark.parametrize("total", [None, 7, 10**12])
def test_it_fits(total: int | None) -> None:
    for width in range(120):
        assert len(line_of(5, total, "processes", 3.0, width)) <= width


def test_a_narrow_terminal_gets_the_numbers_alone() -> None:
    assert line_of(2, 8, "files", 5.0, 27) == "2/8 files 0:00:15"
    assert line_of(2, 8, "files", 5.0, 28) == "[##      ] 2/8 files 0:00:15"
