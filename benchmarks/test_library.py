"""The C library beside the system calls that it makes: as a program, and by the capsule."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import build

from .commands import ENVIRONMENT
from .race import Figure, Neighbours, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = Path(__file__).resolve().with_name("library_floor.c")
ARCHIVE = Path(pagemap.get_library_dir()) / "libpagemap.a"
INCLUDE = f"-I{pagemap.get_include()}"
RUNS = 9


def commands() -> dict[str, tuple[Sequence[str | Path], float]]:
    """How it is run each way, and the most that entries may cost of preads."""
    program = build.program(SOURCE, ARCHIVE, flags=["-O2", INCLUDE])
    python = f"-I{sysconfig.get_path('include')}"
    module = build.program(
        SOURCE, flags=["-O2", "-shared", "-fPIC", "-DBY_CAPSULE", INCLUDE, python]
    )
    script = (
        "import sys, importlib.util as u, importlib.machinery as m\n"
        "loader = m.ExtensionFileLoader('library_floor', sys.argv[1])\n"
        "module = u.module_from_spec(u.spec_from_loader('library_floor', loader))\n"
        "loader.exec_module(module)\n"
        "print(*module.measure())\n"
    )
    return {
        "C": ([program], 1.05),
        "capsule": ([sys.executable, "-c", script, module], 1.1),
    }


@pytest.mark.parametrize("way", ["C", "capsule"])
def test_the_price_of_a_call(table: Table, way: str) -> None:
    """Each run checks that both read the same, and that what is resident is what it holds."""
    command, most = commands()[way]
    neighbours = Neighbours()
    runs = [
        [int(word) / 1e9 for word in said.split()]
        for said in (
            subprocess.run(
                [*map(str, command)],
                check=True,
                env=ENVIRONMENT,
                stdout=subprocess.PIPE,
                text=True,
                timeout=300,
            ).stdout
            for _ in range(RUNS)
        )
    ]
    pread, entries, scan, sample = (Figure.of(column) for column in zip(*runs, strict=True))
    neighbours.tell(table, f"library by {way}")
    rows = [
        table.cost(f"16 entries, {way}", entries, "pread", pread, at_most=most),
        table.cost(f"sample of 1 GiB, {way}", sample, "scan", scan, at_most=1.1),
    ]
    assert all(row.met for row in rows), rows
