"""Whatever a public call takes or gives is importable from `pagemap`: read from the annotations."""

from __future__ import annotations

import ast
import functools
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


@functools.cache
def nodes(module: str) -> list[ast.AST]:
    """The syntax of a module, what is for type checkers alone too."""
    return list(ast.walk(ast.parse(inspect.getsource(importlib.import_module(module)))))


def imported_names(module: str) -> dict[str, str]:
    """The names that a module has of others of the package."""
    return {
        each.asname or each.name: node.module
        for node in nodes(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pagemap")
        for each in node.names
        if node.module
    }


def aliases(module: str) -> dict[str, str]:
    """What the names of types that it makes stand for."""
    return {
        ast.unparse(node.target): ast.unparse(node.value)
        for node in nodes(module)
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias"
        if node.value
    }


def classes_in(annotation: str, module: str) -> Iterator[type[Any]]:
    """The classes of the package that an annotation names, aliases resolved.

    Protocols and type variables, which exist for type checkers alone, are no classes: nobody has to
    import them to call or to use what he got.
    """
    names = imported_names(module)
    for node in ast.walk(ast.parse(annotation, mode="eval")):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from classes_in(node.value, module)
        if isinstance(node, ast.Name):
            home = names.get(node.id, module)
            value = getattr(importlib.import_module(home), node.id, None)
            if isinstance(value, type) and value.__module__.startswith("pagemap"):
                yield value
            elif node.id in (meant := aliases(home)):
                yield from classes_in(meant[node.id], home)


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
