"""Any pieces, in any number of steps, of any duration, through any number of threads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from pagemap._native import pipeline
from tests import tasks

if TYPE_CHECKING:
    from collections.abc import Iterator


class Piece:
    """Steps that take the milliseconds given, and fail where None is given."""

    def __init__(self, name: int, steps: list[float | None], work: int) -> None:
        self.name = name
        self.work = work
        self._steps = steps
        self._taken = 0

    @property
    def done(self) -> bool:
        return self._taken == len(self._steps)

    def run(self, buffer: list[int]) -> tuple[int, int]:
        duration = self._steps[self._taken]
        if duration is None:
            raise OSError(self.name, "a step failed")
        time.sleep(duration / 1000)
        self._taken += 1
        buffer.append(self.name)
        return self.name, self._taken


durations = st.one_of(st.just(0.0), st.floats(0, 1), st.sampled_from([0.0, 2.0]))
steps = st.lists(durations, min_size=1, max_size=4)


def model(plan: list[list[float | None]]) -> tuple[list[tuple[int, int]], int | None]:
    """The results in order, and the piece that fails."""
    results: list[tuple[int, int]] = []
    for name, durations in enumerate(plan):
        for number, duration in enumerate(durations):
            if duration is None:
                return results, name
            results.append((name, number + 1))
    return results, None


@settings(max_examples=40)
@given(
    plan=st.lists(steps, max_size=25),
    failing=st.lists(st.tuples(st.integers(0, 24), st.integers(0, 3)), max_size=2),
    work=st.sampled_from([0, 1, 40]),
    threads=st.integers(1, 5),
    stop_after=st.one_of(st.none(), st.integers(0, 30)),
)
def test_pipeline(
    plan: list[list[float | None]],
    failing: list[tuple[int, int]],
    work: int,
    threads: int,
    stop_after: int | None,
) -> None:
    for name, step in failing:
        if name < len(plan) and step < len(plan[name]):
            plan[name][step] = None
    expected, fails = model(plan)
    before = tasks.count()
    got: list[tuple[int, int]] = []
    error = None

    def pieces() -> Iterator[Piece]:
        for name, durations in enumerate(plan):
            yield Piece(name, durations, work)

    def buffer() -> list[int]:
        return []

    with mock.patch.object(pipeline, "ALONE_PAGES", 32):
        try:
            with pipeline.run(pieces(), buffer, threads) as results:
                for _, result in results:
                    if len(got) == stop_after:
                        break
                    got.append(result)
        except OSError as raised:
            error = raised.errno
    if stop_after is None or stop_after > len(expected):
        assert got == expected
        assert error == fails
    else:
        assert got == expected[:stop_after]
        assert error in (None, fails)
    assert tasks.settle(before) == before
