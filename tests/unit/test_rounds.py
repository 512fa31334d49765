"""Rounds of repeated output: when they come, and that they may come to an end."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from pagemap._cli.output import open_output
from pagemap._cli.watch import rounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pagemap._cli.output import Output

SECONDS = 0.05


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Output]:
    with open_output(str(tmp_path / "file")) as file:
        yield file


@pytest.mark.parametrize("waits", [False, True])
def test_they_end(output: Output, waits: bool) -> None:
    """After the last there is nothing to wait for."""
    began = time.monotonic()
    assert list(rounds(SECONDS, output, count=3, waits=waits)) == [0, 1, 2]
    took = time.monotonic() - began
    assert took >= (3 if waits else 2) * SECONDS
    if not waits:
        assert list(rounds(3600, output, count=1)) == [0]


def test_the_first_is_at_once_unless_it_waits(output: Output) -> None:
    began = time.monotonic()
    assert next(rounds(3600, output)) == 0
    assert next(rounds(SECONDS, output, waits=True)) == 0
    assert time.monotonic() - began >= SECONDS


def test_a_round_that_takes_long_delays_no_other(output: Output) -> None:
    began = time.monotonic()
    for _ in rounds(SECONDS, output, count=3):
        time.sleep(SECONDS / 2)
    assert time.monotonic() - began >= 2.5 * SECONDS


def test_nobody_reads_while_it_waits() -> None:
    ready, written = os.pipe()

    class Pipe:
        fd = written

        def write(self, data: bytes) -> None:
            os.write(written, data)

    os.close(ready)
    try:
        with pytest.raises(BrokenPipeError):
            next(rounds(3600, Pipe(), waits=True))  # type: ignore[arg-type]
    finally:
        os.close(written)
