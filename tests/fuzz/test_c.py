"""Fuzz csrc/ with libFuzzer, under ASan and UBSan: `make fuzz`, and each for a moment here.

Each program of tests/native that draws what it tests at random is a target (draw.c): inputs choose
scenes, the kernel's lies and sizes, and the program's naive twins judge. Those in this folder take
the input as it is. FUZZ_SECONDS is how long each runs (0: for a few inputs), FUZZ_SEED is where it
begins (1; 0 is anywhere).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import build
from tests.fuzz import MAX_SECONDS, OPTIONS, SECONDS
from tests.native.test_native import CORE, CSRC, HEADERS, HERE, SUPPORT

if TYPE_CHECKING:
    from collections.abc import Sequence

FUZZ = Path(__file__).resolve().parent
DRIVER = FUZZ / "draw.c"
DRAWN = sorted(path for path in HERE.glob("*.c") if "round_to(" in path.read_text())
RAW = sorted(path for path in FUZZ.glob("*.c") if path != DRIVER)
SANITIZERS = "address,undefined"
FLAGS = [
    "-g",
    "-O1" if SECONDS else "-O0",  # that compiles in a third of the time, for some inputs
    "-fno-sanitize-recover=all",
    f"-I{CSRC}",
    f"-I{HERE}",
    '-DPM_SYS_HEADER="lying_sys.h"',
    "-DPM_FUZZ",
]
INSTRUMENTED = [*FLAGS, f"-fsanitize=fuzzer-no-link,{SANITIZERS}"]
AS_TARGET = ["-Dmain=native_main", "-Drand=draw_rand"]


@pytest.fixture(scope="session")
def clang(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A clang that can link a fuzz target."""
    found = (shutil.which(name) for name in ("clang", "clang-19", "clang-16", "clang-14"))
    path = next(filter(None, found), None)
    if path is None:
        pytest.skip("libFuzzer is of clang, which is not installed (Debian: apt install clang)")
    source = tmp_path_factory.mktemp("fuzz") / "nothing.c"
    source.write_text(
        "#include <stddef.h>\nint LLVMFuzzerTestOneInput(const unsigned char *d, size_t n);\n"
        "int LLVMFuzzerTestOneInput(const unsigned char *d, size_t n) { return n > 9 && d[0] > n; }"
    )
    try:
        build.program(source, flags=[f"-fsanitize=fuzzer,{SANITIZERS}"], by=path)
    except build.DoesNotCompile:
        pytest.skip("clang has no libFuzzer (Debian: apt install libclang-rt-VERSION-dev)")
    return path


@pytest.fixture(scope="session")
def core(clang: str) -> Path:
    """All of csrc/ and the lying kernel, instrumented, in one relocatable object."""
    sources = [*SUPPORT, *CORE]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(lambda source: compiled(clang, source), sources))
    return build.program(*objects, flags=["-r", "-nostdlib"], by=clang)


def fuzz(program: Path, folder: Path, *options: str) -> str:
    """Let it run; what it found fails. Returns its last lines."""
    done = subprocess.run(
        [
            program,
            *OPTIONS,
            "-max_len=800",
            "-print_final_stats=1",
            f"-artifact_prefix={folder}/",
            *options,
        ],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=MAX_SECONDS + 60,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    ran = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert ran, done.stderr[-1000:]
    assert int(ran[1]) > 1, done.stderr[-1000:]
    sys.stdout.write(f"{program.name.rpartition('-')[0]}: {ran[1]} executions\n")  # with -rA
    return done.stderr


def link(clang: str, objects: Sequence[Path]) -> Path:
    return build.program(*objects, flags=[*FLAGS, f"-fsanitize=fuzzer,{SANITIZERS}"], by=clang)


def compiled(clang: str, source: Path, *flags: str) -> Path:
    return build.program(source, flags=[*INSTRUMENTED, *flags, "-c"], reads=HEADERS, by=clang)


@pytest.mark.parametrize("source", DRAWN, ids=lambda path: path.stem)
def test_what_native_tests_draw(source: Path, clang: str, core: Path, tmp_path: Path) -> None:
    target = compiled(clang, source, *AS_TARGET)
    fuzz(link(clang, [target, compiled(clang, DRIVER), core]), tmp_path)


@pytest.mark.parametrize("source", RAW, ids=lambda path: path.stem)
def test_any_bytes(source: Path, clang: str, core: Path, tmp_path: Path) -> None:
    fuzz(link(clang, [compiled(clang, source), core]), tmp_path)


def test_there_is_a_target_for_each_part() -> None:
    assert {path.stem for path in (*DRAWN, *RAW)} >= {
        "classify",
        "entries",
        "entry_frames",
        "footprint",
        "huge",
        "kpage",
        "maps_text",
        "owners",
        "populated",
        "rows_dump",
        "scan",
        "sharing",
        "snapshot",
        "snapshot_block",
        "snapshot_patch",
        "tally_spans",
        "types",
        "types_file",
    }


def test_a_mistake_is_found(clang: str, core: Path, tmp_path: Path) -> None:
    """The fuzzer does see csrc/: a buffer that is too small for one input in 65,536 stops it."""
    source = tmp_path / "mistake.c"
    source.write_text(
        '#include "check.h"\n#include "kernel/decode.cdef.h"\n'
        "int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);\n"
        "int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)\n"
        "{\n"
        "\tuint64_t *in = exactly(9 * 8), *out = exactly(8 * 8);\n"
        "\tpm_pfns(in, size > 1 && data[0] == 0x5a && data[1] == 0xa5 ? 9 : 8, out);\n"
        "\tfree(in);\n"
        "\tfree(out);\n"
        "\treturn 0;\n"
        "}\n"
    )
    program = link(clang, [compiled(clang, source), core])
    with pytest.raises(AssertionError, match="heap-buffer-overflow"):
        fuzz(program, tmp_path, "-max_total_time=60", "-runs=-1")
