"""Generations of the multi-gen LRU, by files that a test has made; real ones are in tests/vm."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._history.touched_by_generations import measured
from pagemap._history.window import Window
from pagemap._kernel import lru_gen
from pagemap._kernel.lru_gen import Generation, Generations, parse

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
memcg     1 /
 node     0
          4      13556          0          10 
          5         20        521           0 
memcg     7 /a b
 node     0
          0      21604          1           2 
          1      21604          3           4 
 node     1
          9        100          5           6 
memcg    65535 /a b/below/memcg 3 /x
 node     0
          2          0          7           8 
"""  # noqa: W291 - so the kernel writes it


def make(
    root: Path, text: str = TEXT, enabled: str = "0x0007", release: str = "6.12.9+deb12-amd64"
) -> Generations:
    (root / "kernel/debug").mkdir(parents=True)
    (root / "kernel/mm/lru_gen").mkdir(parents=True)
    (root / "kernel/debug/lru_gen").write_text(text)
    (root / "kernel/mm/lru_gen/enabled").write_text(f"{enabled}\n")
    return Generations(sysfs=str(root), release=release)


def test_each_line() -> None:
    assert list(parse(TEXT)) == [
        Generation(1, "/", 0, 4, 13556, 0, 10),
        Generation(1, "/", 0, 5, 20, 521, 0),
        Generation(7, "/a b", 0, 0, 21604, 1, 2),
        Generation(7, "/a b", 0, 1, 21604, 3, 4),
        Generation(7, "/a b", 1, 9, 100, 5, 6),
        Generation(65535, "/a b/below/memcg 3 /x", 0, 2, 0, 7, 8),
    ]
    assert list(parse("")) == []


@pytest.mark.parametrize(
    "line", ["memcg", "memcg x /", " node", " node 0 1", " 1 2 3 4", "words", " 1 2 3 -4"]
)
def test_a_malformed_line(line: str) -> None:
    with pytest.raises(pagemap.PagemapError, match="not a line of lru_gen"):
        list(parse(f"{line}\n"))


def test_a_cgroup_and_what_is_below(tmp_path: Path) -> None:
    generations = make(tmp_path)
    assert {each.memcg for each in generations.read("/a b")} == {7, 65535}
    assert {each.memcg for each in generations.read("/")} == {1, 7, 65535}
    assert generations.read("/a") == []


def test_aging_is_one_command(tmp_path: Path) -> None:
    make(tmp_path).age(7, 1, 9)
    assert (tmp_path / "kernel/debug/lru_gen").read_text() == "+ 7 1 9 1 1"


def test_a_kernel_without_it(tmp_path: Path) -> None:
    with pytest.raises(pagemap.Unsupported, match="CONFIG_LRU_GEN"):
        Generations(sysfs=str(tmp_path))


def test_one_that_is_switched_off(tmp_path: Path) -> None:
    with pytest.raises(pagemap.Unsupported, match="echo y > ") as caught:
        make(tmp_path, enabled="0x0000")
    assert caught.value.errno == errno.ENOTSUP


@pytest.mark.parametrize(
    ("enabled", "release", "right"),
    [
        ("0x0007", "6.1.0-56-amd64", False),
        ("0x0005", "6.11.10", False),
        ("0x0003", "6.1.0-56-amd64", True),
        ("0x0007", "6.12.117+deb12-amd64", True),
        ("0x0007", "7.0-rc1", True),
        ("0x0007", "ours", True),
    ],
)
def test_two_nodes(tmp_path: Path, enabled: str, release: str, right: bool) -> None:
    """Where aging one node takes the marks that the other needs, nothing is told."""
    generations = make(tmp_path, enabled=enabled, release=release)
    assert {each.node for each in generations.read("/a b/below/memcg 3 /x")} == {0}
    if right:
        assert {each.node for each in generations.read("/a b")} == {0, 1}
        return
    with pytest.raises(pagemap.Unsupported, match=r"all NUMA nodes but one.*echo 3 > ") as caught:
        generations.read("/a b")
    assert caught.value.errno == errno.ENOTSUP
    assert caught.value.path == f"{tmp_path}/kernel/mm/lru_gen/enabled"


def test_each_node_is_aged() -> None:
    """By its own number: on one 3 generations on, on the other 1 from the same number."""

    def both(first: int, second: int, idle: int, touched: int) -> str:
        rows = [f"{first} 10 {idle} 0", f"{first + 1} 10 {touched} 0"]
        more = [f"{second} 10 {idle * 2} 0", f"{second + 1} 10 {touched * 3} 0"]
        return "\n".join(["memcg 7 /a", "node 0", *rows, "node 1", *more, ""])

    told = Told(
        *[both(number, 40 + number, 100, 0) for number in range(4)],
        both(3, 43, 100, 0),
        both(3, 43, 60, 40),
    )
    found = look(told, Window(0.1))
    pairs = [[(7, 0, number), (7, 1, 40 + number)] for number in range(1, 5)]
    assert told.aged == [each for pair in pairs for each in pair]
    rss, touched, idle = found.rows[0][5:8]
    page = os.sysconf("SC_PAGESIZE")
    assert (rss, touched, idle) == ((180 + 160) * page, (40 + 120) * page, 180 * page)


def test_debugfs_that_is_not_mounted(tmp_path: Path) -> None:
    generations = make(tmp_path)
    (tmp_path / "kernel/debug/lru_gen").unlink()
    with pytest.raises(pagemap.Unsupported, match="mount -t debugfs debugfs"):
        generations.read("/")


def test_a_file_that_refuses(tmp_path: Path) -> None:
    generations = make(tmp_path)
    (tmp_path / "kernel/debug/lru_gen").unlink()
    (tmp_path / "kernel/debug/lru_gen").symlink_to("/dev/full")
    with pytest.raises(pagemap.PagemapError, match="No space left"):
        generations.age(1, 0, 5)


class Told:
    """Generations as they are read one time after another; what is aged is noted."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.aged: list[tuple[int, int, int]] = []

    def read(self, _path: str) -> list[Generation]:
        return list(parse(self.texts.pop(0)))

    def age(self, memcg: int, node: int, number: int) -> None:
        self.aged.append((memcg, node, number))


def text(*rows: tuple[int, int, int]) -> str:
    lines = [f"{number} 10 {anon} {file}" for number, anon, file in rows]
    return "\n".join(["memcg 7 /a", "node 0", *lines, ""])


def look(told: Any, window: Window) -> Any:
    way = measured(told, "/a", "/x", window)
    assert next(way) is None
    (found,) = way
    return found


def test_what_the_generations_tell() -> None:
    """2 before the window; 3 touched until the first moment, 4 until the end, 5 fresh."""
    page = os.sysconf("SC_PAGESIZE")
    told = Told(
        *["memcg 0 /a\nnode 0\n9 1 9999 9999\n" + text((number, 95, 40)) for number in range(4)],
        text((1, 5, 0), (2, 95, 40), (3, 1, 0)),
        text((1, 5, 0), (2, 65, 30), (3, 31, 10), (4, 2, 0)),
        text((1, 5, 0), (2, 65, 30), (3, 31, 10), (4, 2, 0)),
        text((2, 50, 30), (3, 21, 10), (4, 32, 0), (5, 3, 1)),
    )
    found = look(told, Window(0.3, [0.1, 0.2]))
    assert told.aged == [(7, 0, number) for number in range(5)]  # thrice at the beginning
    anon, file = found.rows
    rss, touched, *idle = anon[5:10]
    assert (rss, touched) == (106 * page, 56 * page)
    assert idle == [70 * page, None, 50 * page]  # of the second moment nothing can be told
    assert file[5:10] == [41 * page, 11 * page, 30 * page, None, 30 * page]
    assert (anon[1], anon[-1], file[-1]) == ("/x", "[anon]", "[file]")


def test_aging_by_others() -> None:
    """Where reclaim aged so often that the old generation is gone, nothing is known."""
    first = [text((number, 95, 0)) for number in range(4)]
    told = Told(*first, text((2, 95, 0), (6, 1, 0)), text((4, 90, 0), (7, 5, 0)))
    found = look(told, Window(0.1))
    anon = found.rows[0]
    assert anon[6:8] == [None, None]
    assert lru_gen.MOST == 4


def test_a_kernel_that_does_not_age() -> None:
    with pytest.raises(pagemap.PagemapError, match="does not age the memory of cgroup /a"):
        look(Told(*[text((2, 95, 0))] * 4), Window(0.1))
    with pytest.raises(pagemap.PagemapError, match="does not age"):
        look(Told(*["memcg 0 /a\nnode 0\n9 1 9 9\n"] * 4), Window(0.1))
