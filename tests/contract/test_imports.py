"""A call travels down: who may import whom, and what `import pagemap` brings along."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pagemap

PACKAGE = Path(pagemap.__file__).parent

# From top to bottom; a room may import from those below it, and from its own row only where the
# row is one package.
ROWS = [
    ("pagemap.__main__",),
    ("pagemap.cli",),
    ("pagemap.render", "pagemap.export", "pagemap.doctor", "pagemap.sampler"),
    ("pagemap.owners", "pagemap.sharing"),
    ("pagemap.spaces",),
    ("pagemap.targets", "pagemap.everyone", "pagemap.members"),
    ("pagemap.executables", "pagemap.pid_files"),
    ("pagemap.process",),
    ("pagemap.page_survey",),
    ("pagemap.page_types", "pagemap.page_cache"),
    (
        "pagemap.regions",
        "pagemap.populated",
        "pagemap.tally",
        "pagemap.translate",
        "pagemap.huge",
        "pagemap.page_stream",
    ),
    ("pagemap.tally_plan", "pagemap.backing"),
    ("pagemap.accounts",),
    ("pagemap.footprint", "pagemap.categories", "pagemap.choice"),
    ("pagemap.gentle", "pagemap.zero_frames"),
    ("pagemap.address_space",),
    ("pagemap.handle", "pagemap.twins", "pagemap.walk"),
    ("pagemap.frames", "pagemap.smaps"),
    (
        "pagemap.maps",
        "pagemap.pages",
        "pagemap.procfs",
        "pagemap.pipeline",
        "pagemap.page_files",
        "pagemap.folios",
    ),
    ("pagemap.arguments",),
    ("pagemap.tables", "pagemap.told"),
    ("pagemap._native",),
    ("pagemap._core", "pagemap._capsules"),
    ("pagemap.vocabulary",),
    ("pagemap.page_flags", "pagemap.frame_flags", "pagemap.swap_types"),
    (
        "pagemap.cgroups",
        "pagemap.checks",
        "pagemap.chosen",
        "pagemap.flags",
        "pagemap.text",
        "pagemap.units",
        "pagemap.zones",
    ),
    (
        "pagemap.descriptors",
        "pagemap.forks",
        "pagemap.errors",
        "pagemap.records",
        "pagemap._version",
    ),
]
HEAVY = {"argparse", "dataclasses", "rich", "json", "ctypes", "numpy"}


def room_of(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2])


def row_of(room: str) -> int:
    return next(number for number, row in enumerate(ROWS) if room in row)


def imports(path: Path) -> set[str]:
    """The modules of pagemap that run-time code in `path` imports, wherever in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            pending += node.orelse  # what a type checker alone reads is no import
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            for alias in node.names:
                inner = PACKAGE.parent / base.replace(".", "/") / alias.name
                room = inner.with_suffix(".py").exists() or (inner / "__init__.py").exists()
                found.add(f"{base}.{alias.name}" if room else base)
        pending += ast.iter_child_nodes(node)
    return {name for name in found if name.split(".")[0] == "pagemap"}


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        # the door reaches every room, but only when it is asked for one
        assert imports(path) == {"pagemap._version"}
        return
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    room = room_of(module.removesuffix(".__init__"))
    for name in imports(path):
        other = room_of(name)
        if other in (room, "pagemap"):
            continue
        assert row_of(other) > row_of(room), f"{module} imports {name}"


def test_the_rows_name_every_room_once() -> None:
    """A room that is not placed would be found to be missing only by who imports it."""
    placed = [room for row in ROWS for room in row]
    there = {
        room_of(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)) for path in FILES
    }
    assert len(set(placed)) == len(placed)
    assert set(placed) == (there - {"pagemap.__init__"}) | {"pagemap._core", "pagemap._capsules"}


def test_only_native_touches_the_compiled_module() -> None:
    users = {path.parent for path in FILES if "pagemap._core" in imports(path)}
    assert users == {PACKAGE / "_native"}


def loaded_by(statement: str, *, stream: str = "stdout") -> set[str]:
    code = (
        f"import sys; before = set(sys.modules); {statement}; "
        f"print(*set(sys.modules) - before, file=sys.{stream})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return set(getattr(run, stream).split())


def test_import_pagemap_loads_next_to_nothing() -> None:
    assert loaded_by("import pagemap") == {"pagemap", "pagemap._version"}  # not even __future__


def test_the_library_in_use_loads_nothing_heavy() -> None:
    code = "import pagemap; p = pagemap.Process('self'); p.pages(p.maps()[0]); pagemap.virt_to_phys"
    loaded = loaded_by(code)
    assert "pagemap._core" in loaded
    assert "_cffi_backend" in loaded
    assert not loaded & HEAVY
    assert not loaded & {"typing", "enum", "re", "threading", "importlib.metadata"}


def test_a_plain_command_loads_no_argparse() -> None:
    """Nor what argparse brings along: together they take as long as Python's own start."""
    code = "import pagemap.cli, os; os.dup2(os.open(os.devnull, os.O_WRONLY), 1)"
    loaded = loaded_by(f"{code}; pagemap.cli.main(['dump', 'self'])", stream="stderr")
    assert "pagemap.cli.dump" in loaded
    assert not loaded & {*HEAVY, "re", "gettext", "locale", "functools"}


@pytest.mark.parametrize("alone_pages", [1 << 40, 1])
def test_a_text_dump_loads_no_threading(alone_pages: int) -> None:
    """Whether threads are at work or not: it takes longer to import than most dumps."""
    alone = f"pagemap.pipeline.ALONE_PAGES = {alone_pages}"
    loaded = loaded_by(
        f"import os, pagemap, pagemap.pipeline; {alone}; "
        "pagemap.dump('self', os.open(os.devnull, os.O_WRONLY), threads=2)"
    )
    assert not loaded & (HEAVY | {"threading", "queue"})


def test_cffi_is_all_it_needs() -> None:
    """With every other installed distribution out of reach."""
    import _cffi_backend

    code = "import pagemap; print(len(pagemap.Process('self').maps()) > 0)"
    paths = [str(PACKAGE.parent), os.fspath(Path(_cffi_backend.__file__).parent)]
    script = f"""
import sys
sys.path += {paths!r}
class OnlyCffi:
    def find_spec(self, name, path=None, target=None):
        allowed = name.split('.')[0] in ('pagemap', '_cffi_backend', 'cffi')
        if not allowed and name.split('.')[0] not in sys.stdlib_module_names:
            raise ImportError(name)
sys.meta_path.insert(0, OnlyCffi())
{code}
"""
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.stdout == "True\n", run.stderr
