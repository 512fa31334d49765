"""A Process that is closed while a walk goes on."""

from __future__ import annotations

import os
from unittest import mock

import pytest

import pagemap
from pagemap import Process
from pagemap._native.scan import EntryBuffer
from pagemap._space.walk import Reach
from tests import workloads


@pytest.mark.parametrize("threads", [1, 2])
def test_closing_within_a_walk(threads: int) -> None:
    """A walk holds its file while it lasts: no other file gets the number that it reads from."""
    with workloads.dense(2000 * workloads.PAGE) as target, workloads.dense() as other:
        process = Process(target.pid)
        with (
            mock.patch.object(EntryBuffer, "size", 64),
            mock.patch.object(Reach, "LEAST", 64),
            mock.patch("pagemap._native.pipeline.ALONE_PAGES", 64),
        ):
            walk = process.populated(threads=threads)
            next(walk)
            number = int(process.fileno())
            process.close()
            with Process(other.pid) as taken:
                assert taken.fileno() != number
                assert f"/{target.pid}" in os.readlink(f"/proc/self/fd/{number}")
                with pytest.raises(pagemap.ClosedProcess):
                    for _ in walk:
                        pass
            walk.close()  # type: ignore[attr-defined] # a generator
            with pytest.raises(FileNotFoundError):
                os.readlink(f"/proc/self/fd/{number}")
