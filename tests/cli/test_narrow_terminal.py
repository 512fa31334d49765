"""Tables on terminals of every width: what fits is shown, and no line is broken."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from tests import oracle, workloads
from tests.cli.conftest import without_remarks
from tests.cli.test_terminal import ESCAPE, Terminal, colourful

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

NARROW = ["START", "SIZE", "RSS", "ANON", "SWAP", "PATH"]


def lines_on(
    pagemap: Pagemap, width: int, *arguments: str | int, env: Mapping[str, str] | None = None
) -> list[str]:
    terminal = Terminal(width)
    try:
        code, _, err = pagemap.on(terminal.fd, *arguments, env=env or colourful())
        assert without_remarks(err) == []
        assert code == 0
    finally:
        written = terminal.close()
    return [line.rstrip() for line in ESCAPE.sub(b"", written).decode().splitlines()]


@pytest.mark.parametrize("count", [0, 2000])
def test_eighty_columns(pagemap: Pagemap, start: Start, count: int) -> None:
    """Drawn, and as plain text where there are more rows than can be drawn in good time."""
    name = b"begin-" + b"x" * 200 + b"-end"
    target = start(workloads.many(count) if count else workloads.file(4 * oracle.PAGE, name))
    lines = lines_on(pagemap, 80, "maps", target.pid)
    assert lines[0].split() == NARROW
    assert max(map(len, lines)) <= 80
    starts = [hex(line.start) for line in oracle.maps(target.pid)]
    assert [line.split()[0] for line in lines[1:]] == [*starts, "total"]
    if not count:
        assert any("…" in line and line.endswith("x-end") for line in lines)


def test_what_blocks_first(pagemap: Pagemap, need_root: None) -> None:
    """At 40 columns KINDS, which is the answer, was left out."""
    if not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH")
    titles = lines_on(pagemap, 40, "memory", "--blockers", "--top", 3)[0].split()
    assert titles == ["PFN", "KINDS"]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_times_are_whole(pagemap: Pagemap, tmp_path: Path, width: int) -> None:
    """BEGIN was cut in its middle, as 2026-1…8.377Z."""
    saved = tmp_path / "saved"
    assert pagemap("snapshot", "self", "-o", str(saved)).code == 0
    titles, row, *_ = lines_on(pagemap, width, "contents", str(saved))
    begin = row.split()[titles.split().index("BEGIN")]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", begin)
    assert len(row) <= width


def test_more_room_shows_more(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.idle())
    titles = [lines_on(pagemap, width, "maps", target.pid)[0].split() for width in (95, 120, 250)]
    assert [len(each) for each in titles] == sorted(len(each) for each in titles)
    assert "USS" in titles[1]
    piped = pagemap("maps", target.pid).out.decode().splitlines()[0].split()
    assert titles[2] == piped
    assert len(titles[1]) < len(piped)


def test_columns_that_were_asked_for_stay(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.idle())
    lines = lines_on(pagemap, 40, "maps", target.pid, "--columns", "start,end,rss,inode,path")
    assert lines[0].split() == ["START", "END", "RSS", "INODE", "PATH"]


def test_the_environment_may_say_how_wide(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.bash())
    lines = lines_on(pagemap, 200, "maps", target.pid, env=colourful(COLUMNS="80"))
    assert lines[0].split() == NARROW
    assert max(map(len, lines)) <= 80


def test_without_rich(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise ImportError('not here')\n")
    target = start(workloads.file(4 * oracle.PAGE, b"x" * 250))
    lines = lines_on(pagemap, 80, "maps", target.pid, env=path_of(tmp_path))
    assert lines[0].split() == NARROW
    assert max(map(len, lines)) <= 80


def path_of(folder: Path) -> Mapping[str, str]:
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return colourful(PYTHONPATH=path)


def test_totals_and_regions_fit_anywhere(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.idle())
    lines = lines_on(pagemap, 40, "maps", target.pid)
    assert lines[0].split() == ["SIZE", "RSS", "PATH"]
    assert max(map(len, lines)) <= 40
    lines = lines_on(pagemap, 60, "regions", target.pid)
    assert lines[0].split() == ["START", "END", "SIZE", "CATEGORIES"]
    assert max(map(len, lines)) <= 60


def test_names_of_flags_come_before_letters(pagemap: Pagemap, need_pfns: None) -> None:
    """45 letters took the room of the names, which were cut."""
    narrow = lines_on(pagemap, 80, "types", "self")
    assert narrow[0].split() == ["FLAGS", "PAGES", "FRAMES", "SIZE", "NAMES"]
    assert any("uptodate" in line for line in narrow)
    assert "LETTERS" in lines_on(pagemap, 160, "types", "self")[0]
    assert "LETTERS" in lines_on(pagemap, 80, "types", "self", "--columns", "pages,letters")[0]
    for width in (40, 80):
        for line in (
            ["types", "self"],
            ["types", "self", "--list"],
            ["sharing", "self", "--targets-only"],
            ["who", "--pfn", "1"],
        ):
            lines = lines_on(pagemap, width, *line)
            assert max(map(len, lines)) <= width, line


@pytest.mark.parametrize(
    ("line", "titles"),
    [
        ("huge self", ["START", "THP", "PATH"]),
        ("footprint self --nodes", ["PID", "NODE_0"]),
        ("segments self --transfer 65536", ["START", "TRANSFERS"]),
    ],
)
def test_what_was_asked_for_first(
    pagemap: Pagemap, need_root: None, need_pfns: None, line: str, titles: list[str]
) -> None:
    """At 40 columns huge had no amount, --nodes no node, --transfer no transfers."""
    shown = lines_on(pagemap, 40, *line.split())
    assert [title for title in titles if title in shown[0].split()] == titles
    assert max(map(len, shown)) <= 40


@pytest.mark.parametrize(
    ("line", "titles"),
    [("--what groups", ["SHARED", "PIDS"]), ("--by name --what sets", ["SHARED", "GROUPS"])],
)
def test_who_shares(
    pagemap: Pagemap, start: Start, need_root: None, need_pfns: None, line: str, titles: list[str]
) -> None:
    """At 40 columns there was a number of processes, or of groups, in their place."""
    pids = start(workloads.python()).pid, start(workloads.bash()).pid  # which share libc
    shown = lines_on(pagemap, 40, "sharing", *pids, "--targets-only", "--top", 3, *line.split())
    assert [title for title in shown[0].split() if title in titles] == titles
    assert len(shown) == 4
    assert max(map(len, shown)) <= 40
