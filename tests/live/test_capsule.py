"""The library out of the installed package: its capsule, for Cython and C, and its archive."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import mmap
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from tests import build

if TYPE_CHECKING:
    from types import ModuleType

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
INCLUDE = Path(pagemap.get_include())
PYTHON = Path(sysconfig.get_path("include"))
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
MODULE = """
#include <Python.h>
#include <pagemap_capi.h>
static struct PyModuleDef module = { PyModuleDef_HEAD_INIT, .m_name = "asks" };
PyMODINIT_FUNC PyInit_asks(void)
{
	const struct pm_capi *pm = pm_capi_import();
	PyObject *made = pm ? PyModule_Create(&module) : NULL;

	if (made)
		PyModule_AddIntConstant(made, "version", (long)pm->version());
	return made;
}
"""


def extension(source: Path, include: Path, *flags: str) -> ModuleType:
    """An extension module, compiled and imported."""
    if not (PYTHON / "Python.h").exists():
        pytest.skip("Python's headers are missing (Debian: apt install python3-dev)")
    includes = [f"-I{PYTHON}", f"-I{include}"]
    try:
        made = build.program(
            source, flags=["-shared", "-fPIC", *flags, *includes], reads=[*include.glob("*.h")]
        )
    except build.CompilerMissing as reason:
        pytest.skip(str(reason))
    name = source.stem
    loader = importlib.machinery.ExtensionFileLoader(name, str(made))
    spec = importlib.util.spec_from_file_location(name, made, loader=loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def asks(tmp_path: Path) -> Path:
    source = tmp_path / "asks.c"
    source.write_text(MODULE)
    return source


def test_an_extension_calls_the_library(asks: Path) -> None:
    module = extension(asks, INCLUDE, *WARNINGS)
    version = module.version
    assert f"{version >> 16}.{version >> 8 & 255}.{version & 255}" == pagemap.__version__


@pytest.mark.parametrize(
    ("changed", "to", "said"),
    [
        ("PM_ABI 0", "PM_ABI 7", "built for ABI 7 of pagemap, .* has ABI 0: build the extension"),
        (
            "PM_VERSION_MINOR 1",
            "PM_VERSION_MINOR 9",
            r"built for pagemap 0\.9\.0 or later, and 0\.1\.0 is installed: pip install",
        ),
    ],
)
def test_another_abi_says_which_versions(
    asks: Path, tmp_path: Path, changed: str, to: str, said: str
) -> None:
    include = tmp_path / "include"
    shutil.copytree(INCLUDE, include)
    header = include / "pagemap.h"
    text = header.read_text()
    assert changed in text
    header.write_text(text.replace(changed, to))
    if "MINOR" in changed:  # a later version's table has one function more
        table = include / "pagemap_capi.h"
        text = table.read_text()
        end = text.index("};", text.index("struct pm_capi {"))
        table.write_text(text[:end] + "void (*newer)(void);\n" + text[end:])
    with pytest.raises(ImportError, match=said):
        extension(asks, include, *WARNINGS)


@pytest.fixture
def cython(tmp_path: Path) -> Any:
    """The example in Cython, compiled."""
    source = EXAMPLES / "cython_populated.pyx"
    if not source.exists():
        pytest.skip("the examples lie in the source tree, which is not here")
    if not importlib.util.find_spec("Cython"):
        pytest.skip("Cython is missing: pip install Cython")
    made = tmp_path / "cython_populated.c"
    folder = str(Path(pagemap.__file__).parents[1])
    subprocess.run(
        [sys.executable, "-m", "cython", "-3", "-Wextra", str(source), "-o", str(made)],
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": folder},
    )
    # what Cython writes for itself stands in the file too
    return extension(made, INCLUDE, "-O0", "-Wno-unused-parameter")


def test_cython(cython: Any) -> None:
    page = mmap.PAGESIZE
    with mmap.mmap(-1, 64 * page) as memory:
        for touched in (0, 3, 60):
            memory[touched * page] = 1
        assert cython.resident_pages(memory) == (3, 64)
        assert cython.resident_pages(b"")[0] == 0
        with pytest.raises(TypeError):
            cython.resident_pages(7)
        assert cython.resident_pages(memoryview(memory)[3 * page + 7 : 3 * page + 9]) == (1, 1)


def test_the_table_is_the_header() -> None:
    """Every function of the one is in the other, of the same type, and the old ones stand first."""
    public, table = (
        re.sub(r"/\*.*?\*/", "", (INCLUDE / name).read_text(), flags=re.DOTALL)
        for name in ("pagemap.h", "pagemap_capi.h")
    )
    declared = {
        name: " ".join(f"{result}{arguments}".split())
        for result, name, arguments in re.findall(
            r"^((?:\w+ )+\**)pm_(\w+)(\([^;]*);", public, re.MULTILINE
        )
    }
    members = [
        (name, " ".join(f"{result}{arguments}".split()))
        for result, name, arguments in re.findall(
            r"^\t((?:\w+ )+\**)\(\*(\w+)\)(\([^;]*);", table, re.MULTILINE
        )
    ]
    assert len(members) >= 18
    assert len(members) == len(dict(members))
    assert dict(members) == declared
    assert [name for name, _ in members[: len(FIRST)]] == FIRST


# The table of the first release, in its order: what stands behind may only be added to.
FIRST = [
    "version",
    "strerror",
    "process_open",
    "process_close",
    "process_pid",
    "process_check",
    "process_fileno",
    "process_capabilities",
    "maps_next",
    "process_entries",
    "process_entries_of",
    "process_translate",
    "process_regions",
    "process_populated",
    "process_tally",
    "frames_open",
    "frames_words",
    "frames_close",
    "sampler_open",
    "sampler_sample",
    "sampler_rss",
    "sampler_close",
    "tracker_open",
    "tracker_collect",
    "tracker_close",
]


def test_a_program_links_the_archive(tmp_path: Path) -> None:
    """By get_include() and get_library_dir(), with nothing but the C library beside."""
    source = tmp_path / "program.c"
    source.write_text(
        "#include <pagemap.h>\n#include <unistd.h>\n"
        "int main(void)\n"
        "{\n"
        "\tstruct pm_process *process;\n"
        "\tuint64_t entry;\n"
        "\tif (pm_process_open(getpid(), 0, &process))\n"
        "\t\treturn 1;\n"
        "\tif (pm_process_entries(process, (uint64_t)&entry & ~UINT64_C(4095), 1, &entry) != 1)\n"
        "\t\treturn 2;\n"
        "\tpm_process_close(process);\n"
        "\treturn entry & PM_PAGE_PRESENT ? 0 : 3;\n"
        "}\n"
    )
    archive = Path(pagemap.get_library_dir()) / "libpagemap.a"
    try:
        made = build.program(source, archive, flags=[f"-I{INCLUDE}", "-pedantic", *WARNINGS])
    except build.CompilerMissing as reason:
        pytest.skip(str(reason))
    assert subprocess.run([made], check=False, timeout=60).returncode == 0
