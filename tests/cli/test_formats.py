"""Every command in every format: one truth, cell by cell, at every width, with rights or none."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow.ipc
import pytest

from pagemap._cli.commands import COMMANDS
from pagemap._vocabulary.frame_kinds import FRAME_KINDS
from tests import looks, oracle, workloads
from tests.cli.test_narrow_terminal import lines_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Pagemap

FORMATS = ("table", "csv", "json", "jsonl", "arrow")
WIDTHS = (40, 80, 200)
# With it each command is tried at all widths, and with all formats in each test; without, at the
# least width and one of the others, and where all commands go one way, by some of them; and what
# is costly with less of each.
BREADTH = int(os.environ.get("PAGEMAP_BREADTH", "0")) > 0


class Case(NamedTuple):
    """How a command is asked of one process, and the columns that others change meanwhile.

    One that is costly looks at all memory.
    """

    words: tuple[str, ...]
    volatile: frozenset[str] = frozenset()
    needs_root: bool = False
    costly: bool = False


SHARED = frozenset(
    [
        "pss",
        "uss",
        "shared",
        "clean",
        "dirty",
        "shared_clean",
        "shared_dirty",
        "private_clean",
        "private_dirty",
        "pss_anon",
        "pss_file",
        "pss_shmem",
        "pss_dirty",
        "share",
        "referenced",
    ]
)
MEMORY = frozenset(kind.name for kind in FRAME_KINDS)
OLD = str(Path(__file__).parents[1] / "snapshots" / "version-1-record.pagemap")
CASES = {
    "dump": Case(("dump", "PID", "--populated"), frozenset(["exclusive"])),
    "maps": Case(("maps", "PID"), SHARED),
    "regions": Case(("regions", "PID")),
    "footprint": Case(("footprint", "PID"), SHARED),
    "huge": Case(("huge", "PID"), needs_root=True),
    "types": Case(("types", "--pfn", "0x0-0x10", "--raw"), needs_root=True),
    "who": Case(("who", "PID", "ADDRESS"), frozenset(["flags"]), needs_root=True),
    "sharing": Case(("sharing", "PID", "--targets-only", "--what", "total"), needs_root=True),
    "free-if": Case(("free-if", "PID"), frozenset(["droppable", "stays", "stays_file"])),
    "memory": Case(("memory", "--by", "zone"), MEMORY, needs_root=True, costly=True),
    "cache": Case(("cache", "/etc/passwd", "--all")),
    "wss": Case(("wss", "PID", "--over", "100ms"), frozenset(["touched", "idle_100ms"])),
    "writes": Case(("writes", "PID", "--inject", "--for", "100ms")),
    "diff": Case(("diff", "PID", "OTHER"), SHARED),
    "contents": Case(("contents", OLD)),
    "segments": Case(("segments", "PID"), needs_root=True),
    "virt-to-phys": Case(("virt-to-phys", "PID", "ADDRESS"), needs_root=True),
    "doctor": Case(("doctor", "PID")),
}
FILES = {"snapshot", "record"}  # they write a file of their own, and no table
COMMON = [name for name, _, _ in COMMANDS if name not in FILES]
AT_WIDTHS = [
    (name, width)
    for number, name in enumerate(COMMON)
    for width in (
        WIDTHS if BREADTH else WIDTHS[:1] if CASES[name].costly else (40, WIDTHS[1 + number % 2])
    )
]
IN_FORMATS = [
    (name, form)
    for number, name in enumerate(COMMON)
    for form in (FORMATS if BREADTH else FORMATS[number % len(FORMATS) :][:1])
]


def test_every_command_is_here() -> None:
    assert {name for name, _, _ in COMMANDS} == set(CASES) | FILES


@pytest.fixture(scope="module")
def target() -> Iterator[tuple[int, int, int]]:
    """A process that does nothing, and is stopped; an address of its own stack; another such."""
    with workloads.idle() as process, workloads.idle() as other:
        for each in (process, other):
            os.kill(each.pid, signal.SIGSTOP)
        stack = next(each for each in oracle.maps(process.pid) if each.path == "[stack]")
        populated = next(
            stack.start + number * oracle.PAGE
            for number, entry in enumerate(oracle.entries(process.pid, stack.start, stack.end))
            if entry >> 63
        )
        yield process.pid, populated, other.pid


@pytest.fixture(scope="module")
def documents() -> dict[str, dict[str, Any]]:
    """What each command said in JSON when it was first asked."""
    return {}


def words_of(asked: str, target: tuple[int, int, int]) -> list[str]:
    pid, address, other = target
    fitting = {"PID": str(pid), "ADDRESS": f"{address:#x}", "OTHER": str(other)}
    return [fitting.get(word, word) for word in CASES[asked].words]


def rows_of(form: str, out: bytes) -> list[dict[str, Any]]:
    """The rows as JSON has them; of CSV all cells are texts."""
    if form == "json":
        rows: list[dict[str, Any]] = json.loads(out)["rows"]
        return rows
    if form == "jsonl":
        return [json.loads(line) for line in out.splitlines()]
    if form == "csv":
        return list(csv.DictReader(io.StringIO(out.decode())))
    return list(pyarrow.ipc.open_stream(out).read_all().to_pylist())


def as_csv(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


def as_arrow(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("0x"):
        number = int(value, 16)
        return number - (1 << 64) if number >> 63 else number
    return " ".join(map(str, value)) if isinstance(value, list) else value


@pytest.fixture
def need_rights(asked: str, request: pytest.FixtureRequest) -> None:
    """Skip where a command takes rights that this user has not."""
    if CASES[asked].needs_root:
        request.getfixturevalue("need_pfns")
        request.getfixturevalue("need_root")


@pytest.mark.parametrize("asked", COMMON)
@pytest.mark.usefixtures("need_rights")
def test_formats_agree_cell_by_cell(
    pagemap: Pagemap, target: tuple[int, int, int], asked: str
) -> None:
    case = CASES[asked]

    def told(*asking: str) -> list[dict[str, Any]]:
        code, out, err = pagemap(*words_of(asked, target), *asking)
        assert (code, out != b"") == (0, True), err
        return [
            {name: cell for name, cell in row.items() if name not in case.volatile}
            for row in rows_of(asking[-1].removeprefix("--"), out)
        ]

    asking = [("--csv",), *(("--format", form) for form in FORMATS[1:])]
    if case.costly and not BREADTH:
        asking = [("--csv",), ("--format", "arrow")]

    def look() -> tuple[list[object], list[object]]:
        rows = told("--json")
        assert rows, "nothing to compare"
        same = {
            "csv": [{name: as_csv(cell) for name, cell in row.items()} for row in rows],
            "arrow": [{name: as_arrow(cell) for name, cell in row.items()} for row in rows],
        }
        return [told(*words) for words in asking], [
            same.get(words[-1].removeprefix("--"), rows) for words in asking
        ]

    looks.agreed(look)


@pytest.mark.parametrize("asked", COMMON)
@pytest.mark.usefixtures("need_rights")
def test_the_document(
    pagemap: Pagemap,
    target: tuple[int, int, int],
    documents: dict[str, dict[str, Any]],
    asked: str,
) -> None:
    _, out, _ = pagemap(*words_of(asked, target), "--json")
    document = documents[asked] = json.loads(out)
    assert list(document)[:4] == ["schema", "version", "about", "rows"]
    assert document["schema"].startswith("pagemap.")
    assert document["version"] >= 1
    about = document["about"]
    assert about["host"] == os.uname().nodename
    assert about["page_size"] == oracle.PAGE
    assert about["begin"] <= about["end"]
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        assert about["boot_id"] == file.read().strip()


@pytest.mark.parametrize("asked", COMMON)
@pytest.mark.usefixtures("need_rights")
def test_columns_order_and_number(
    pagemap: Pagemap,
    target: tuple[int, int, int],
    documents: dict[str, dict[str, Any]],
    asked: str,
) -> None:
    """--columns, --sort, --reverse, --top and --no-header mean the same everywhere."""
    words = words_of(asked, target)
    known = documents.get(asked) or json.loads(pagemap(*words, "--json").out)
    names = list(known["rows"][0])
    chosen = f"{names[-1]},{names[0]}"
    code, out, err = pagemap(*words, "--columns", chosen, "--sort", names[0], "--csv")
    assert code == 0, err
    header, *rows = oracle.read_csv(out)
    assert header == chosen.split(",")
    code, out, err = pagemap(
        *words, "--sort", names[0], "--reverse", "--columns", names[0], "--csv", "--no-header"
    )
    assert code == 0, err
    assert [row[0] for row in oracle.read_csv(out)] == [row[1] for row in rows][::-1]
    code, out, _ = pagemap(*words, "--columns", names[0], "--top", "1", "--csv", "--no-header")
    assert code == 0
    assert len(out.decode().splitlines()) == 1
    code, out, err = pagemap(*words, "--columns", "no_such_column")
    assert (code, out) == (2, b"")
    assert "--columns knows no 'no_such_column'" in err[0]
    assert all(name in err[0] for name in names)
    code, out, err = pagemap(*words, "--sort", "no_such_column")
    assert (code, out) == (2, b"")
    assert "--sort knows no 'no_such_column'" in err[0]


@pytest.mark.parametrize(("asked", "width"), AT_WIDTHS)
@pytest.mark.usefixtures("need_rights")
def test_a_table_fits_its_terminal(
    pagemap: Pagemap,
    target: tuple[int, int, int],
    asked: str,
    width: int,
) -> None:
    lines = lines_on(pagemap, width, *words_of(asked, target), "--format", "table")
    assert lines
    assert max(map(len, lines)) <= width
    if asked != "doctor":
        assert all(title == title.upper() for title in lines[0].split())


@pytest.mark.parametrize(("asked", "form"), IN_FORMATS)
def test_without_rights(
    pagemap_as_nobody: Pagemap, target: tuple[int, int, int], asked: str, form: str
) -> None:
    """Of root's process nothing, and the reason; no half of a document."""
    code, out, err = pagemap_as_nobody(*words_of(asked, target), "--format", form)
    if asked in ("cache", "doctor", "memory", "contents"):  # what they may not see is unknown
        assert out
        return
    assert (code, out) == (77, b"")
    assert err
    assert "Traceback" not in "".join(err)


@pytest.mark.parametrize("asked", COMMON if BREADTH else ["dump", "maps", "types", "doctor"])
@pytest.mark.usefixtures("need_rights")
def test_arrow_is_not_for_terminals(
    pagemap: Pagemap, target: tuple[int, int, int], asked: str
) -> None:
    from tests.cli.test_terminal import Terminal, colourful

    terminal = Terminal(80)
    try:
        words = [*words_of(asked, target), "--format", "arrow"]
        code, _, err = pagemap.on(terminal.fd, *words, env=colourful())
    finally:
        written = terminal.close()
    assert (code, written) == (2, b"")
    assert "-o FILE" in err[-1]
