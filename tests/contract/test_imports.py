"""A call travels down: who may import whom, and what `import pagemap` brings along."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pagemap

PACKAGE = Path(pagemap.__file__).parent

# From top to bottom; a module may import from those in wings below its own, and from its own wing.
# Types count: what a type checker alone reads is a dependency all the same.
WINGS = [
    ("__main__", "_typed"),
    ("_cli", "_pytest"),
    ("_render", "_export"),
    ("_process", "_snapshot"),
    ("_methods",),
    ("_pagewise",),
    ("_history",),
    ("_analyses",),
    ("_space",),
    ("_tables",),
    ("_kernel",),
    ("_native",),
    ("_core", "_capsules"),
    ("_vocabulary",),
    ("_embedding", "_errors", "_names", "_version"),
]
HEAVY = {"argparse", "dataclasses", "rich", "json", "ctypes", "numpy"}


def wing_of(module: str) -> str:
    return module.split(".")[1]


def row_of(wing: str) -> int:
    return next(number for number, row in enumerate(WINGS) if wing in row)


def imports(path: Path) -> set[str]:
    """The modules of pagemap that `path` imports, wherever in it, for types too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            for alias in node.names:
                inner = PACKAGE.parent / base.replace(".", "/") / alias.name
                module = inner.with_suffix(".py").exists() or (inner / "__init__.py").exists()
                found.add(f"{base}.{alias.name}" if module else base)
    return {name for name in found if name.split(".")[0] == "pagemap" and "." in name}


def late(path: Path) -> set[str]:
    """The modules that functions of `path` import when they are called."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        module
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        for module in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    wing = wing_of(module_of(path))
    for name in imports(path):
        other = wing_of(name)
        assert other == wing or row_of(other) > row_of(wing), f"{module_of(path)} imports {name}"


def test_the_door_loads_nothing_but_names() -> None:
    """It reaches every module, but only when it is asked for one."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    loaded = [ast.unparse(node) for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert loaded == [
        "from pagemap import _names",
        "from pagemap._version import __version__ as __version__",
    ]


def test_no_circle() -> None:
    """Within a wing too: no module imports, over others, itself."""
    edges = {module_of(path).removesuffix(".__init__"): imports(path) for path in FILES}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, f"a circle: {' <- '.join((*way[way.index(module) :], module))}"
        if module not in done:
            for other in edges.get(module, ()):
                visit(other, (*way, module))
            done.add(module)

    for module in edges:
        visit(module, ())


def test_the_wings_are_those_that_there_are() -> None:
    placed = [wing for row in WINGS for wing in row]
    there = {wing_of(module_of(path)) for path in FILES} | {"_core", "_capsules"}
    assert len(set(placed)) == len(placed)
    assert set(placed) == there


def test_the_picture_is_of_the_code() -> None:
    """ARCHITECTURE.md draws the wings from top to bottom, as they may import each other."""
    path = Path(os.environ.get("PAGEMAP_SOURCE", Path(__file__).parents[2])) / "ARCHITECTURE.md"
    if not path.exists():
        pytest.skip("ARCHITECTURE.md lies in the source tree, which is not here")
    picture = path.read_text(encoding="utf-8").split("```")[1]
    drawn = re.findall(r"\b(_[a-z]+)(?:/|\.py)", picture)
    rows = [set(row) & set(drawn) for row in WINGS]
    order = [name for row in rows for name in drawn if name in row]
    assert drawn == order
    apart = {"__main__", "_typed", "_core", "_capsules", "_version"}
    told = {wing for row in WINGS for wing in row} - apart
    assert set(drawn) == told


def test_one_module_needs_rich() -> None:
    """It is an extra: whatever else imported it would fail for those who did not ask for it."""
    naming = {
        path.name
        for path in FILES
        if re.search(r"^ *(from|import) rich\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert naming == {"rich_bar.py"}


def test_only_native_touches_the_compiled_module() -> None:
    users = {path.parent for path in FILES if "pagemap._core" in imports(path)}
    assert users == {PACKAGE / "_native"}


def test_what_writes_to_the_kernel_is_reached_from_history_alone() -> None:
    writers = {
        f"pagemap._kernel.{name}"
        for name in ("control_files", "damon", "lru_gen", "put_back", "referenced")
    }
    users = {path.parent.name for path in FILES if writers & imports(path)}
    assert users == {"_history", "_kernel"}


def test_only_the_pipeline_starts_threads() -> None:
    """Whatever C does in threads goes through it: the rules of fork and exit stand there alone."""
    starts = re.compile(r"\bWorkers\(|\bstart_new_thread\(|\bimport threading\b|\bThread\(")
    users = {module_of(path) for path in FILES if starts.search(path.read_text(encoding="utf-8"))}
    assert users == {"pagemap._native.pipeline", "pagemap._native.threads"}


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
    names = {"pagemap", "pagemap._names", "pagemap._version"}
    assert loaded_by("import pagemap") == names  # not even __future__


def test_the_library_in_use_loads_nothing_heavy() -> None:
    code = "import pagemap; p = pagemap.Process('self'); p.pages(p.maps()[0]); pagemap.virt_to_phys"
    loaded = loaded_by(code)
    assert "pagemap._core" in loaded
    assert "_cffi_backend" in loaded
    assert not loaded & HEAVY
    assert not loaded & {"typing", "enum", "re", "threading", "importlib.metadata"}


@pytest.mark.parametrize("alone_pages", [1 << 40, 1])
def test_a_text_dump_loads_no_threading(alone_pages: int) -> None:
    """Whether threads are at work or not: it takes longer to import than most dumps."""
    alone = f"pagemap._native.pipeline.ALONE_PAGES = {alone_pages}"
    loaded = loaded_by(
        f"import os, pagemap, pagemap._native.pipeline; {alone}; "
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


def test_load_leaves_nothing_to_be_imported_late() -> None:
    """A handler that interrupted the first call of a method got a module that was half made."""
    script = "import pagemap, sys; pagemap.load(); print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(told.stdout.split())
    sources = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in FILES
    }
    wanted = set().union(*(late(path) for name, path in sources.items() if name in loaded))
    # what few have installed is theirs to import
    assert wanted - loaded - {"_xxsubinterpreters", "pyarrow", "pyarrow.ipc"} == set()
