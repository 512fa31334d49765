"""A word means the same in every result: columns of one name have one unit."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from pagemap._vocabulary import page_columns, rows
from pagemap._vocabulary.schema import Schema

UNITS = {
    "perms": "rights",  # else CSV takes "---p" for a formula
    "inode": "inode",  # these and the following have no sign
    "start": "address",
    "end": "address",
    "address": "address",
    "pfn": "pfn",
}
MODULES = [
    page_columns,
    *(
        importlib.import_module(f"{rows.__name__}.{each.name}")
        for each in pkgutil.iter_modules(rows.__path__)
    ),
]
SCHEMAS = {
    each.name: each
    for module in MODULES
    for value in vars(module).values()
    for each in (value.values() if isinstance(value, dict) else [value])
    if isinstance(each, Schema)
}
APART = [("pagemap.memory.zones", "start")]  # a PFN, where there are no addresses
COLUMNS = {
    (each.name, column.name): column.unit
    for each in SCHEMAS.values()
    for column in each
    if (each.name, column.name) not in APART
}


@pytest.mark.parametrize("name", UNITS)
def test_one_unit(name: str) -> None:
    units = {schema: unit for (schema, column), unit in COLUMNS.items() if column == name}
    assert units
    assert units == dict.fromkeys(units, UNITS[name])


def test_fields_that_several_rows_have_are_between_its_own() -> None:
    """What a row is of comes first, and what follows from the amounts behind them."""
    kinds = ("shared", "anon", "file", "shmem", "ksm", "other", "zero")
    names = SCHEMAS["pagemap.sharing.by.groups"].names
    assert names == ("group", "processes", *kinds, "within", "alone", "name")
    assert SCHEMAS["pagemap.sharing.paths"].names == (*kinds, "saved", "path")
