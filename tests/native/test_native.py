"""Run the C tests: csrc/ under AddressSanitizer and UBSan, against a kernel that lies.

Each program here tests one behaviour and stands alone: exit 0 passed, 77 skipped with the reason on
standard error, anything else failed. `lying_sys.h` answers in place of csrc/kernel/sys.h.
PAGEMAP_SEED repeats what was drawn at random.
"""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from tests import build

HERE = Path(__file__).resolve().parent
CSRC = HERE.parents[1] / "csrc"
SUPPORT = [HERE / "lying_sys.c", HERE / "lying_scan.c", HERE / "lying_file.c"]
THREADED = [
    HERE / f"{name}.c" for name in ("threads", "streams", "sampled", "checks", "library_threads")
]
PROGRAMS = sorted(path for path in HERE.glob("*.c") if path not in (*SUPPORT, *THREADED))
CORE = sorted(each for each in CSRC.rglob("*.c") if each.parent.name != "binding")
HEADERS = sorted((*HERE.glob("*.h"), *CSRC.rglob("*.h")))
SKIPPED = 77
FLAGS = [
    "-g",
    "-O1",
    "-pthread",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-Wshadow",
    "-Werror",
    f"-I{CSRC}",
    f"-I{HERE}",
    '-DPM_SYS_HEADER="lying_sys.h"',
]


@pytest.fixture(scope="session")
def core() -> Path:
    """All of csrc/ and the lying kernel in one relocatable object, compiled once."""
    return build.program(
        *SUPPORT,
        *CORE,
        flags=[*FLAGS, "-r", "-nostdlib"],
        reads=HEADERS,
    )


# What failed once: a diff stood still at the end of a span that lies above the one after it.
SEEDS = {"diff": ["699932947"]}


@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_native(source: Path, core: Path) -> None:
    drawn = os.environ.get("PAGEMAP_SEED") or str(random.randrange(1 << 31))
    for seed in [drawn, *SEEDS.get(source.stem, [])]:
        run(build.program(source, core, flags=FLAGS, reads=HEADERS), seed)


def run(program: Path, seed: str) -> None:
    done = subprocess.run(
        [program, seed],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        # Only the tests allocate; and the leak checker needs ptrace, which containers deny.
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
    )
    if done.returncode == SKIPPED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, (
        f"{program.name} with PAGEMAP_SEED={seed}\n{done.stdout}{done.stderr}"
    )


def test_every_behaviour_has_a_program() -> None:
    # A glob that finds nothing would pass: say what must be there.
    assert {
        "read_eintr",
        "read_short",
        "read_error",
        "read_end",
        "ranges",
        "scan",
        "populated",
        "kpage",
        "types",
        "types_file",
        "owners",
        "freed",
        "sharing",
    } <= {path.stem for path in PROGRAMS}


def test_a_bug_is_seen(core: Path, tmp_path: Path) -> None:
    """The sanitizers do watch csrc/: a buffer one entry too small stops the program."""
    source = tmp_path / "overflow.c"
    source.write_text(
        '#include "check.h"\n#include "kernel/decode.cdef.h"\n'
        "int main(void)\n"
        "{\n"
        "\tuint64_t *entries = exactly(9 * 8), *out = exactly(8 * 8);\n"
        "\tpm_pfns(entries, 9, out);\n"
        "\treturn 0;\n"
        "}\n"
    )
    program = build.program(source, core, flags=FLAGS, reads=HEADERS)
    done = subprocess.run([program], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr


RACE_FLAGS = ["-g", "-O1", "-fsanitize=thread", f"-I{CSRC}"]


def race(*sources: Path) -> subprocess.CompletedProcess[str]:
    """Run a program with csrc/ under ThreadSanitizer, on the real kernel."""
    try:
        core = build.program(*CORE, flags=[*RACE_FLAGS, "-r", "-nostdlib"], reads=HEADERS)
        program = build.program(*sources, core, flags=RACE_FLAGS, reads=HEADERS)
    except build.DoesNotCompile as error:
        if "tsan" not in str(error):
            raise
        pytest.skip("the compiler has no ThreadSanitizer (Debian: apt install libtsan2)")
    done = subprocess.run(
        [program], check=False, capture_output=True, text=True, errors="replace", timeout=120
    )
    # that of older compilers knows nothing of what 32 bits of random addresses give
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("ThreadSanitizer cannot run here: vm.mmap_rnd_bits is above 28")
    return done


@pytest.mark.parametrize("source", THREADED, ids=lambda path: path.stem)
def test_threads_share_nothing(source: Path) -> None:
    """Walks, rows and gathers of several threads, and streams that they share: no data race."""
    done = race(source)
    assert done.returncode == 0, done.stderr[-4000:]


def test_a_race_is_seen(tmp_path: Path) -> None:
    source = tmp_path / "race.c"
    source.write_text(
        "#include <pthread.h>\n"
        "static int count;\n"
        "static void *add(void *nothing) { count++; return nothing; }\n"
        "int main(void)\n"
        "{\n"
        "\tpthread_t other;\n"
        "\tpthread_create(&other, 0, add, 0);\n"
        "\tadd(0);\n"
        "\treturn pthread_join(other, 0);\n"
        "}\n"
    )
    done = race(source)
    assert done.returncode != 0
    assert "data race" in done.stderr
