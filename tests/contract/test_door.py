"""Whatever a public call takes or gives is importable from `pagemap`: read from the annotations."""

from __future__ import annotations

import ast
import importlib
import inspect
from typing import TYPE_CHECKING, Any

import pytest

import pagemap

if TYPE_CHECKING:
    from collections.abc import Iterator


def functions_of(value: Any) -> Iterator[tuple[str, Any]]:
    """What has annotations: the function itself, or all that a class shows of its own."""
    if not isinstance(value, type):
        yield value.__name__, value
        return
    for name, member in inspect.getmembers(value):
        if name.startswith("_") and name not in ("__init__", "__iter__", "__getitem__", "__call__"):
            continue
        found = member.fget if isinstance(member, property) else member
        found = getattr(found, "__func__", found)
        if inspect.isfunction(found):
            yield f"{value.__name__}.{name}", found


def imported_names(module: str) -> dict[str, str]:
    """The names that a module has of others of the package, those for type checkers too."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    return {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pagemap")
        for alias in node.names
        if node.module
    }


def classes_in(annotation: str, module: str) -> Iterator[type[Any]]:
    """The classes of the package that an annotation names.

    What exists for type checkers alone (aliases, protocols, type variables) is no class: nobody has
    to import it to call or to use what he got.
    """
    names = imported_names(module)
    for node in ast.walk(ast.parse(annotation, mode="eval")):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from classes_in(node.value, module)
        if isinstance(node, ast.Name):
            home = importlib.import_module(names.get(node.id, module))
            value = getattr(home, node.id, None)
            if isinstance(value, type) and value.__module__.startswith("pagemap"):
                yield value


def public() -> list[tuple[str, str, str]]:
    """Each public callable, the module that it is written in, and one of its annotations."""
    rows = []
    for name in pagemap.__all__:
        value = getattr(pagemap, name)
        if not callable(value):
            continue
        for kind, annotation in getattr(value, "__annotations__", {}).items():
            if isinstance(value, type):  # of a record
                rows.append((f"{name}.{kind}", value.__module__, str(annotation)))
        for called, function in functions_of(value):
            if not function.__module__.startswith("pagemap"):
                continue
            for about, annotation in function.__annotations__.items():
                rows.append((f"{called} ({about})", function.__module__, str(annotation)))
    return rows


@pytest.mark.parametrize(("where", "module", "annotation"), public())
def test_what_a_public_call_takes_or_gives_is_at_the_door(
    where: str, module: str, annotation: str
) -> None:
    """`process.footprint()` gave what nobody could name, `gentle=` took an unknown."""
    missing = {
        each.__name__
        for each in classes_in(annotation, module)
        if getattr(pagemap, each.__name__, None) is not each and not each.__name__.startswith("_")
    }
    assert not missing, f"{where} needs {', '.join(sorted(missing))}"
