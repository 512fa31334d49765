"""`pagemap memory`: each view, what stands below it, and every error with its exit code.

Each look at all memory takes its time: with PAGEMAP_BREADTH=1 no view is left out.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pagemap._vocabulary.frame_kinds import FRAME_KINDS
from tests import oracle, workloads
from tests.cli.test_lacking_lines import behind
from tests.kernel_settings import Unavailable, zram_swap

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

PAGE = oracle.PAGE
MIB = 1 << 20
VIEWS = {
    "--by kind": "kinds",
    "--by zone": "zones",
    "--by node": "nodes",
    "--by cgroup": "cgroups",
    "--by order": "orders",
    "--by user": "groups",
    "--blocks": "blocks",
    "--blockers": "blockers",
    "--free-runs": "runs",
    "--figures": "figures",
    "--swap": "swaps",
}


BREADTH = int(os.environ.get("PAGEMAP_BREADTH", "0")) > 0
# test_examples.py runs most of the others.
USUAL = ["--by kind", "--by zone", "--by cgroup", "--blockers", "--free-runs", "--swap"]


@pytest.fixture
def need_frames(need_root: None) -> None:
    """Skip where the files about frames may not be read."""
    if not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH")


def document(pagemap: Pagemap, *words: str) -> dict[str, Any]:
    code, out, err = pagemap("memory", *words, "--json")
    assert code == 0, err
    result: dict[str, Any] = json.loads(out)
    return result


@pytest.fixture(scope="module")
def documents() -> dict[str, dict[str, Any]]:
    """What each view was found to be: each looks at all memory, which takes its time."""
    return {}


def total() -> int:
    found = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    assert found
    return int(found[1]) << 10


@pytest.mark.usefixtures("need_frames")
@pytest.mark.parametrize("view", VIEWS if BREADTH else USUAL)
def test_every_view(pagemap: Pagemap, documents: dict[str, dict[str, Any]], view: str) -> None:
    told = documents[view] = document(pagemap, *view.split())
    assert (told["schema"], told["version"]) == (f"pagemap.memory.{VIEWS[view]}", 1)
    assert told["about"]["total"] == total()
    if view != "--swap":
        assert told["rows"]
        assert told["about"]["counted"] is True


@pytest.mark.usefixtures("need_frames")
def test_kinds_add_up(pagemap: Pagemap, documents: dict[str, dict[str, Any]]) -> None:
    told = documents.get("--by kind") or document(pagemap)
    assert [row["kind"] for row in told["rows"]] == [kind.name for kind in FRAME_KINDS]
    sizes = {row["kind"]: row["size"] for row in told["rows"]}
    assert sum(sizes.values()) == told["total"]["size"] == told["about"]["system_ram"]
    assert sum(sizes.values()) - sizes["reserved"] - sizes["missing"] == total()
    assert abs(sum(row["share"] for row in told["rows"]) - 1) < 1e-9


@pytest.mark.usefixtures("need_frames")
def test_below_the_table(pagemap: Pagemap) -> None:
    code, out, err = pagemap("memory")
    assert (code, err) == (0, [])
    lines = out.decode().splitlines()
    assert lines[0].split()[:3] == ["KIND", "SIZE", "SHARE"]
    assert len([line for line in lines if line.split()[0] in {k.name for k in FRAME_KINDS}]) == 16
    below = "\n".join(lines[18:])
    assert re.search(r"^memory by the firmware: .*, of it MemTotal: ", below, re.MULTILINE)
    assert re.search(
        r"^blocks of .*: \d+ free, \d+ could be freed, \d+ blocked$", below, re.MULTILINE
    )


@pytest.mark.usefixtures("need_frames")
def test_the_worst_first(pagemap: Pagemap) -> None:
    code, out, err = pagemap("memory", "--blockers", "--csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    if len(rows) == 1000:
        assert re.fullmatch(
            r"pagemap: 1000 of (\d+) blocks that are not free are shown; --top \1 shows all", err[0]
        )
    gains = [int(row["gain"]) for row in rows]
    assert 20 < len(rows) <= 1000
    assert gains == sorted(gains, reverse=True)
    for row in rows:
        block, stays = int(row["block"]), int(row["stays"])
        assert int(row["pfn"], 16) * PAGE % block == 0
        assert int(row["gain"]) == (block - stays if stays else 0)
    code, out, _ = pagemap("memory", "--free-runs", "--sort", "pfn", "--top", "2", "--csv")
    assert code == 0
    assert len(out.splitlines()) <= 3


@pytest.mark.usefixtures("need_frames")
@pytest.mark.parametrize("view", ["--blockers", "--free-runs"] if BREADTH else ["--free-runs"])
def test_a_list_that_is_cut(pagemap: Pagemap, view: str) -> None:
    """It had a total of the rows that were shown, and did not say that there are more."""
    name = VIEWS[view]
    none = document(pagemap, view, "--top", "0")
    assert not none["rows"]
    assert "total" not in none
    code, out, err = pagemap("memory", view)
    lines = out.decode().splitlines()
    assert code == 0
    assert len(lines) <= 21
    assert not [line for line in lines if line.split()[0] == "total"]
    if none["about"][name] > 100:  # it changes from look to look
        assert re.match(r"pagemap: 20 of \d+ .* are shown; --top \d+ shows all$", err[0])
    # another order decides among all, and of what was asked for nothing is said
    most = {"--blockers": "stays", "--free-runs": "size"}[view]
    code, out, err = pagemap("memory", view, "--sort", most, "--top", "1", "--csv")
    assert (code, err, len(out.splitlines())) == (0, [], 2)


@pytest.mark.usefixtures("need_frames")
def test_the_largest_cgroups_first(pagemap: Pagemap, documents: dict[str, dict[str, Any]]) -> None:
    """They were in the order of the directory."""
    told = documents.get("--by cgroup") or document(pagemap, "--by", "cgroup")
    sizes = [row["size"] for row in told["rows"]]
    assert sizes == sorted(sizes, reverse=True)
    code, out, _ = pagemap("memory", "--by", "cgroup")
    lines = out.decode().splitlines()
    assert (code, lines[0].split()[:4]) == (0, ["SIZE", "KERNEL", "DIFFERENCE", "SWAPPED"])
    assert lines[0].split()[-1] == "CGROUP"
    assert [line.split()[-1] for line in lines].count("(none)") == 1


@pytest.mark.usefixtures("need_frames")
def test_what_is_rare_is_not_in_tables(
    pagemap: Pagemap, documents: dict[str, dict[str, Any]]
) -> None:
    for view in ("--by zone", "--blocks") if BREADTH else ("--by zone",):
        shown = pagemap("memory", *view.split()).out.decode().splitlines()[0].split()
        every = documents.get(view) or document(pagemap, *view.split())
        assert "POISONED" not in shown
        assert len(shown) <= 16
        assert "poisoned" in every["rows"][0]


@pytest.mark.usefixtures("need_frames")
def test_total_stands_where_names_do(pagemap: Pagemap) -> None:
    """It stood under the first column without a sum."""
    code, out, _ = pagemap("memory", "--by", "cgroup", "--columns", "size,kernel,inode,cgroup")
    assert code == 0
    assert out.decode().splitlines()[-1].split()[2:] == ["total"]


@pytest.mark.usefixtures("need_frames")
def test_what_zram_takes(pagemap: Pagemap) -> None:
    try:
        with zram_swap(64 * MIB):
            told = document(pagemap, "--swap")
            code, out, _ = pagemap("memory")
    except Unavailable as reason:
        pytest.skip(str(reason))
    mine = [row for row in told["rows"] if row["type"] == "zram" and row["priority"] == 32767]
    assert mine
    assert mine[0]["size"] == 64 * MIB - PAGE
    assert mine[0]["memory"] is not None
    assert code == 0
    assert f"swap {mine[0]['path']}: " in out.decode()


def test_without_rights(unprivileged: Pagemap) -> None:
    """What the kernel tells everybody, one line for what it does not, and 77 if nothing is left."""
    code, out, err = unprivileged("memory", "--json")
    told = json.loads(out)
    if told["about"]["counted"]:
        pytest.skip("everybody may read /proc/kpageflags here")
    assert code == 0
    assert len(err) == 1
    assert err[0].startswith("pagemap: frames are not counted, only the kernel's own figures are")
    assert "CAP_DAC_READ_SEARCH" in err[0]
    known = {row["kind"]: row["kernel"] for row in told["rows"]}
    assert sum(known[each.name] or 0 for each in FRAME_KINDS[:14]) == total()
    assert {row["size"] for row in told["rows"]} == {None}
    for view in ("--by zone", "--by node", "--by order", "--figures"):
        code, out, err = unprivileged("memory", *view.split(), "--csv")
        assert (code, len(err)) == (0, 1)
        assert len(out.splitlines()) > 1
    for view in ("--blocks", "--blockers", "--free-runs"):
        code, out, err = unprivileged("memory", view)
        assert (code, out) == (77, b"")
        assert err[0].startswith("pagemap: cannot read /proc/kpageflags: permission denied")
    assert unprivileged("memory", "--swap")[0] == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--by colour", "--by knows no 'colour'; choose from kind, zone, node, cgroup"),
        ("--by name,user", "--by takes one word"),
        ("--blocks --blockers", "--blockers: not allowed with argument --blocks"),
        ("--by zone --swap", "--swap: not allowed with argument --by"),
        ("--threads 0", "--threads"),
        ("--top x", "--top"),
        ("--sort colour", "--sort knows no 'colour'"),
        ("--blocks --columns pfn", "--columns knows no 'pfn'"),
        ("4242", "unrecognized arguments: 4242"),
    ],
)
def test_wrong_usage(pagemap: Pagemap, line: str, words: str) -> None:
    code, out, err = pagemap("memory", *line.split())
    assert (code, out) == (2, b"")
    assert words in err[0]


def test_no_swap(pagemap: Pagemap, tmp_path: Path) -> None:
    if re.search(r"^Zswapped:\s+[1-9]", Path("/proc/meminfo").read_text(), re.MULTILINE):
        pytest.skip("zswap holds something here")
    (tmp_path / "swaps").write_text("Filename Type Size Used Priority\n")
    inside = behind(
        shlex.join(["mount", "--bind", str(tmp_path / "swaps"), "/proc/swaps"]), pagemap
    )
    code, out, err = inside("memory", "--swap")
    assert (code, len(out.splitlines())) == (0, 1)
    assert err == ["pagemap: no swap is set up"]


@pytest.mark.parametrize("view", ["--by kind", "--blocks", "--swap"])
def test_processes_alone(pagemap: Pagemap, view: str) -> None:
    """A /proc mounted with subset=pid has none of these files."""
    inside = behind("mount -t proc -o subset=pid proc /proc", pagemap)
    code, out, err = inside("memory", *view.split())
    assert (code, out) == (69, b"")
    assert len(err) == 1
    assert "mount proc without subset=pid" in err[0]


@pytest.mark.usefixtures("need_frames")
def test_watch(pagemap: Pagemap, start: Start) -> None:
    """What a process takes meanwhile is seen in the next round."""
    process = pagemap.start(
        "memory", "--columns", "kind,size", "--watch", "0.5", "--format", "jsonl"
    )
    assert process.stdout is not None
    first = [json.loads(process.stdout.readline()) for _ in FRAME_KINDS]
    start(workloads.dense(64 * MIB))
    process.kill()
    process.communicate(timeout=60)
    assert [row["kind"] for row in first] == [kind.name for kind in FRAME_KINDS]
    assert all(row["time"] for row in first)
