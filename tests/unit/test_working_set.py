"""Working sets where no kernel is asked: files, cgroups and mounts that a test has made."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._history import reclaim_probe
from pagemap._history.window import Window
from pagemap._kernel.memory_cgroup import hierarchy_path, of_process
from tests.unit import fake_proc

if TYPE_CHECKING:
    from pathlib import Path

PAGE = os.sysconf("SC_PAGESIZE")
INITIAL = "cgroup:[4026531835]"


def test_no_method_works(tmp_path: Path) -> None:
    """Each says what it lacks."""
    procfs = fake_proc.make(tmp_path / "proc", maps=fake_proc.line(16, 20))
    with pytest.raises(pagemap.Unsupported) as caught:
        pagemap.working_set(4242, over=0.1, procfs=procfs, sysfs=str(tmp_path / "sys"))
    assert caught.value.errno == errno.ENOTSUP
    message = str(caught.value)
    assert message.startswith("no method finds a working set here: damon: this kernel has no ")
    assert "CONFIG_DAMON_SYSFS" in message
    assert f"; referenced: this kernel has no {procfs}/4242/clear_refs" in message
    assert "CONFIG_PROC_PAGE_MONITOR" in message


def test_marks_of_a_made_up_process(tmp_path: Path) -> None:
    """What is written, and how smaps is read; without its line Referenced nothing is known."""
    head = fake_proc.line(16, 20, "/a b"), fake_proc.line(32, 36)
    procfs = fake_proc.make(tmp_path, maps=b"".join(head))
    (tmp_path / "4242/clear_refs").touch()
    (tmp_path / "4242/smaps").write_bytes(
        head[0] + b"Rss: 16 kB\nReferenced: 4 kB\nVmFlags: rd\n" + head[1] + b"Rss: 8 kB\n"
    )
    table: pagemap.Table[Any] = pagemap.working_set(
        4242, over=0.1, method="referenced", procfs=procfs
    )
    assert (tmp_path / "4242/clear_refs").read_bytes() == b"1"
    assert [(row.path, row.rss, row.touched, row.idle_100ms) for row in table] == [
        ("/a b", 16384, 4096, 12288),
        ("", 8192, None, None),
    ]
    assert table.total().touched is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"over": 0}, "over must be from 0.1 to 1048576 seconds, not 0"),
        ({"over": "10"}, "over must be a time in seconds, not '10'"),
        ({"over": True}, "over must be a time in seconds, not True"),
        ({"over": 0.05}, "over must be from 0.1 "),
        ({"over": float("nan")}, "over must be from 0.1 "),
        ({"over": float("inf")}, "over must be from 0.1 "),
        ({"over": -1}, "over must be from 0.1 "),
        ({"idle": [0.01]}, "idle must be from 0.1 "),
        ({"idle": [11]}, "idle has 11 s, and the window is over after 10 s: make that longer"),
        ({"idle": range(1, 10), "over": 5}, "idle has 9 s, "),
        ({"idle": [each / 10 for each in range(1, 18)]}, "idle has 18 times; 16 are the most"),
        ({"method": "clock"}, "method knows no 'clock'"),
        ({"method": "reclaim"}, "reclaim is not a method for a process"),
        ({"cgroup": "/sys/fs/cgroup"}, "give a target or a cgroup, and not both"),
        ({"target": None}, "give a target or a cgroup, and not both"),
        ({"regions": True, "method": "referenced"}, "referenced tells of whole mappings"),
        ({"regions": True, "method": "mglru"}, "mglru tells of whole mappings, and not of regions"),
        ({"target": None, "cgroup": "/", "method": "written"}, "written is not a method for a c"),
        ({"target": None, "cgroup": "/", "regions": True}, "regions are of one process"),
        ({"target": None, "cgroup": "/", "method": "damon"}, "damon is not a method for a cgroup"),
    ],
)
def test_arguments_that_are_refused(words: dict[str, Any], said: str) -> None:
    with pytest.raises(pagemap.UsageError) as caught:
        pagemap.working_set(**{"target": "self", **words})
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("words", [{"idle": 5}, {"idle": "5"}])
def test_arguments_of_other_types(words: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        pagemap.working_set("self", **words)


class Taken:
    """A cgroup of which a part is cold: what else is taken comes back."""

    path = "/x"

    def __init__(self, size: int, cold: int, *, refuses: str = "") -> None:
        self.size, self.cold = size, cold
        self.refaults = 0
        self.asked: list[int] = []
        self.refuses = refuses

    def get(self, name: str) -> str:
        if name == self.refuses:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)
        if name == "memory.current":
            return str(self.size)
        return f"anon 1\nworkingset_refault_anon {self.refaults}\nworkingset_refault_file 0"

    def put(self, name: str, text: str | int) -> None:
        if name == self.refuses:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)
        assert name == "memory.reclaim"
        wanted = int(text)
        self.asked.append(wanted)
        taken = min(wanted, self.cold)
        self.cold -= taken
        self.size -= taken
        if taken < wanted:
            self.refaults += (wanted - taken) // PAGE  # and it is there again

    def error(self, error: OSError) -> Exception:
        return error

    def close(self) -> None:
        self.asked.append(-1)


def probed(cgroup: Any) -> Any:
    way = reclaim_probe.measured(cgroup, Window(0.2, [0.1]))
    assert next(way) is None
    (look,) = way
    return look


@pytest.mark.parametrize("cold", [0, 10, 15, 20])
def test_a_probe_finds_what_is_cold(cold: int) -> None:
    """In steps of a fortieth, up to a half."""
    cgroup = Taken(40 * PAGE, cold * PAGE)
    look = probed(cgroup)
    (row,) = look.rows
    rss, touched, *idle = row[5:9]
    assert (rss, touched, idle) == (40 * PAGE, (40 - cold) * PAGE, [None, cold * PAGE])
    assert cgroup.asked == [0, *[PAGE] * min(cold + 1, 20), -1]
    came_back = cold < 20
    assert look.about["came_back"] == came_back * PAGE
    assert look.about["taken"] == cold * PAGE
    assert look.about["whole_window"]


def test_a_probe_never_takes_more_than_half() -> None:
    cgroup = Taken(400 * PAGE, 400 * PAGE)
    look = probed(cgroup)
    assert sum(each for each in cgroup.asked if each > 0) == 200 * PAGE
    assert look.rows[0][6] == 200 * PAGE
    assert look.about["stopped_by"] == "as much as is allowed was taken, and little came back"


@pytest.mark.parametrize("name", ["memory.current", "memory.reclaim"])
def test_a_probe_without_its_files(name: str) -> None:
    cgroup = Taken(40 * PAGE, 0, refuses=name)
    with pytest.raises(pagemap.Unsupported, match="it needs cgroup v2"):
        probed(cgroup)
    assert cgroup.asked[-1] == -1


def mounts(root: Path, *rows: tuple[str, str, str, str], namespace: str = INITIAL) -> str:
    """A /proc whose mountinfo has (root, mount point, type, options of the file system)."""
    (root / "self/ns").mkdir(parents=True)
    (root / "self/ns/cgroup").symlink_to(namespace)
    lines = [
        f"{number} 1 0:{number} {inner} {point} rw - {kind} none {options}\n"
        for number, (inner, point, kind, options) in enumerate(rows, 20)
    ]
    (root / "self/mountinfo").write_text("".join(lines))
    return str(root)


def test_the_path_of_a_cgroup(tmp_path: Path) -> None:
    """/proc is a mount of its own, and so its folders have the paths below it."""
    procfs = mounts(tmp_path, ("/", "/", "ext4", "rw"), ("/in\\040ner", "/proc", "cgroup2", "rw"))
    assert hierarchy_path("/proc/sys/vm", procfs=procfs) == "/in ner/sys/vm"
    assert hierarchy_path("/proc", procfs=procfs) == "/in ner"
    (tmp_path / "other").mkdir()
    procfs = mounts(tmp_path / "other", ("/", "/proc", "cgroup2", "rw"))
    assert hierarchy_path("/proc", procfs=procfs) == "/"


def test_a_cgroup_namespace(tmp_path: Path) -> None:
    """There the same path is another cgroup of the machine's."""
    procfs = mounts(tmp_path, ("/", "/proc", "cgroup2", "rw"), namespace="cgroup:[4026532000]")
    with pytest.raises(pagemap.Unsupported, match="cgroup namespace"):
        hierarchy_path("/proc", procfs=procfs)


@pytest.mark.parametrize(
    ("rows", "cgroup", "wanted"),
    [
        ([("/", "/sys/fs/cgroup", "cgroup2", "rw")], "0::/a b\n", "/sys/fs/cgroup/a b"),
        ([("/a", "/mnt", "cgroup2", "rw")], "0::/a/b\n", "/mnt/b"),
        ([("/a", "/mnt", "cgroup2", "rw")], "0::/a\n", "/mnt"),
        ([("/a", "/mnt", "cgroup2", "rw")], "0::/ab\n", None),
        (
            [("/", "/v2", "cgroup2", "rw"), ("/", "/v1\\040m", "cgroup", "rw,memory")],
            "9:cpu:/c\n4:memory,x:/m\n0::/u\n",
            "/v1 m/m",
        ),
        ([("/", "/v1", "cgroup", "rw,cpu")], "4:cpu:/m\n", None),
        ([("/", "/v2", "cgroup2", "rw")], "4:memory:/m\n0::/u\n", None),
    ],
)
def test_the_cgroup_of_a_process(
    tmp_path: Path, rows: list[Any], cgroup: str, wanted: str | None
) -> None:
    procfs = mounts(tmp_path, *rows)
    if wanted is not None:
        assert of_process(cgroup, procfs=procfs) == wanted
        return
    with pytest.raises(pagemap.Unsupported, match="memory cgroup"):
        of_process(cgroup, procfs=procfs)
