"""The public door: these names, no others by accident, and none missing."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pagemap
from pagemap._names import MODULES

DOOR = [
    "AccessDenied",
    "AddressError",
    "AddressSpace",
    "BlockerRow",
    "BlocksRow",
    "CachedFileRow",
    "CgroupMemoryRow",
    "ChargedCgroupRow",
    "ChargedFileRow",
    "ClosedProcess",
    "Column",
    "ContentsRow",
    "Counts",
    "DiffRegionRow",
    "DiffRegionStream",
    "DiffRow",
    "DiffSums",
    "FigureRow",
    "FindingRow",
    "Folder",
    "FootprintRow",
    "FootprintSums",
    "Frame",
    "FrameFileRow",
    "FrameReader",
    "Frames",
    "FreeRunRow",
    "FreedRow",
    "Gentle",
    "GroupMemoryRow",
    "GroupPairRow",
    "GroupPathRow",
    "GroupSetRow",
    "GroupShareRow",
    "GroupSharing",
    "GroupTotalRow",
    "HeldFileRow",
    "HugeRow",
    "KindDiffRow",
    "Lists",
    "Mapping",
    "MappingFootprintRow",
    "MeasureRow",
    "Measurement",
    "Memory",
    "MemoryKindRow",
    "NoSuchFile",
    "NoSuchProcess",
    "NodeMemoryRow",
    "NodeRow",
    "NotMapped",
    "NotPresent",
    "OrderRow",
    "OwnerRow",
    "Page",
    "PageFlag",
    "PageRunRow",
    "PageStream",
    "PageTypeRow",
    "PagemapError",
    "Pages",
    "PathDiffRow",
    "PathFootprintRow",
    "PfnsHidden",
    "Process",
    "Recorder",
    "RegionRow",
    "RegionStream",
    "Sample",
    "SampleRow",
    "SampleStream",
    "Sampler",
    "SavedProcess",
    "Schema",
    "SegmentRow",
    "SegmentStream",
    "SharedFrameRow",
    "SharedGroupRow",
    "SharedPairRow",
    "SharedPathRow",
    "SharedProcessRow",
    "SharedRow",
    "Sharing",
    "Snapshot",
    "SwapAreaRow",
    "SwappedOut",
    "Table",
    "TallyRow",
    "TargetVanished",
    "Texts",
    "Tracker",
    "TranslationRow",
    "Unsupported",
    "UsageError",
    "WorkingSetRow",
    "WritesRow",
    "WrittenRow",
    "ZoneMemoryRow",
    "__version__",
    "assert_huge",
    "assert_resident",
    "assert_shared",
    "assert_written",
    "cache",
    "cache_cgroups",
    "cache_charged",
    "cache_held",
    "diff",
    "diff_regions",
    "doctor",
    "dump",
    "find",
    "footprints",
    "frame_files",
    "freed",
    "get_include",
    "get_library_dir",
    "load",
    "measure",
    "memory",
    "owners",
    "page_runs",
    "page_types",
    "sharing",
    "track",
    "virt_to_phys",
    "working_set",
]


def test_the_door_is_as_documented() -> None:
    assert pagemap.__all__ == DOOR


def test_every_name_is_there_and_comes_from_its_room() -> None:
    for name in DOOR:
        assert getattr(pagemap, name) is not None
        if name != "__version__":
            assert getattr(pagemap, name).__doc__, f"{name} has no docstring"


def test_type_checkers_find_each_name_where_it_is() -> None:
    tree = ast.parse(Path(pagemap.__file__).with_name("_typed.py").read_text(encoding="utf-8"))
    typed = {
        each.asname: (node.module or "").removeprefix("pagemap.")
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    }
    assert typed == MODULES


def test_type_checkers_see_every_name_used() -> None:
    """By a file as users write it, which `make lint` gives to two of them, both strict."""
    source = Path(__file__).parents[1] / "typing" / "api.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    quoted = [
        ast.parse(node.value)  # types in quotes are of use too
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        if isinstance(node.value, str) and node.value.startswith("pagemap.Table[")
    ]
    used = {
        node.attr
        for text in (tree, *quoted)
        for node in ast.walk(text)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pagemap"
    }
    imported = {
        each.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "pagemap"
        for each in node.names
    }
    assert used | imported == set(DOOR)


def test_dir_shows_the_door() -> None:
    assert set(DOOR) <= set(dir(pagemap))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    assert not hasattr(pagemap, "Proces")


def test_rooms_have_a_sorted_all_and_a_docstring() -> None:
    rooms = [info.name for info in pkgutil.walk_packages(pagemap.__path__, "pagemap.")]
    assert "pagemap._process" in rooms
    for name in sorted(rooms):
        compiled = ("pagemap._capi", "pagemap._capsules", "pagemap._core")
        if name in (*compiled, "pagemap._version", "pagemap._typed", "pagemap.__main__"):
            continue
        room = importlib.import_module(name)
        assert room.__doc__, f"{name} has no docstring"
        listed = getattr(room, "__all__", None)
        assert listed is not None or hasattr(room, "__path__"), f"{name} has no __all__"
        for item in listed or ():
            assert hasattr(room, item), f"{name}.{item}"


def test_public_functions_say_what_they_raise_or_give() -> None:
    for name in ("dump", "find", "virt_to_phys", "Process"):
        words = getattr(pagemap, name).__doc__
        assert "Raises" in words or "raises" in words, f"{name} does not say what it raises"
