"""The kernel's own tools, where somebody has built them: README.md says how."""

from __future__ import annotations

import os
import shutil

import pytest

FOLDER = "PAGEMAP_KERNEL_TOOLS"


def find_tool(name: str) -> str | None:
    """The path of a program of the kernel's tools/mm: in $PAGEMAP_KERNEL_TOOLS, else on $PATH."""
    folders = os.environ.get(FOLDER, ""), os.environ.get("PATH", os.defpath)
    return shutil.which(name, path=os.pathsep.join(filter(None, folders)))


def kernel_tool(name: str) -> str:
    """The same, or the benchmark is skipped."""
    path = find_tool(name)
    if path is None:
        pytest.skip(f"{name}: neither in ${FOLDER} nor on the PATH (see benchmarks/README.md)")
    return path
