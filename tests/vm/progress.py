"""A plugin of pytest, in a guest: which files have tests, and which of them were run to their end.

It leaves `collected`, `ended` and, at once, what failed in `failures`: in the folder that the guest
shares with the host.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

__all__ = ["left_over"]


class Progress:
    """Counts the tests of each file, down to none."""

    def __init__(self, share: Path) -> None:
        self._share = share
        self._left: Counter[str] = Counter()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._left.update(file_of(item.nodeid) for item in session.items)
        collected = {"arguments": session.config.args, "files": list(self._left)}
        new = self._share / "collected.new"
        new.write_text(json.dumps(collected))
        new.rename(self._share / "collected")

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        file = file_of(nodeid)
        self._left[file] -= 1
        if not self._left[file]:
            with (self._share / "ended").open("a") as ended:
                ended.write(f"{file}\n")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            with (self._share / "failures").open("a") as failures:
                failures.write(f"{report.nodeid}\n{report.longreprtext}\n\n")


class Collected(NamedTuple):
    """The arguments that name tests, and the files that have some of them, in their order."""

    arguments: list[str]
    files: list[str]


def file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Progress(Path(os.environ["PAGEMAP_VM_SHARE"])))


def left_over(share: Path, words: Sequence[str]) -> list[str]:
    """The arguments of pytest that run what a guest has not run; [] where nothing is left.

    `words` are those it was given. A file counts as a whole: one of its tests may have ended the
    guest.
    """
    if not (share / "collected").exists():  # it knows no more than `words`
        return []
    collected = Collected(**json.loads((share / "collected").read_text()))
    ended = share / "ended"
    done = set(ended.read_text().splitlines()) if ended.exists() else set()
    left: list[str] = []
    for file in collected.files:
        if file not in done:
            left += [each for each in collected.arguments if each.startswith(f"{file}::")] or [file]
    return [*left, *(word for word in words if word not in collected.arguments)] if left else []
