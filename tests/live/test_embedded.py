"""The C library in programs of others: the examples in C, what they allocate, and their size."""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pagemap
from tests import build, workloads
from tests.held_process import PAGE, lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.conftest import Start

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = f"-I{pagemap.get_include()}"
ARCHIVE = Path(pagemap.get_library_dir()) / "libpagemap.a"
STRICT = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror", INCLUDE]
PRESENT_OR_SWAPPED = 62


def example(name: str, *flags: str, by: str | None = None) -> Path:
    """An example in C, compiled as its comment says, with the archive."""
    source = ROOT / "examples" / name
    if not source.exists():
        pytest.skip("the examples lie in the source tree, which is not here")
    try:
        return build.program(source, ARCHIVE, flags=[*STRICT, *flags], by=by)
    except build.CompilerMissing as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_dump_populated(start: Start, compiler: str) -> None:
    if not (by := shutil.which(compiler)):
        pytest.skip(f"{compiler} is missing (Debian: apt install {compiler})")
    program = example("dump_populated.c", by=by)
    target = start(workloads.dense(1 << 20))
    target.stop()
    done = subprocess.run(
        [program, str(target.pid)], check=True, capture_output=True, text=True, timeout=60
    )
    found = {}
    for line in done.stdout.splitlines():
        bounds, count = line.split()[:2]
        start_of, end = (int(bound, 16) for bound in bounds.split("-"))
        found[start_of, end] = int(count)
    truth = {}
    with open(f"/proc/{target.pid}/pagemap", "rb", buffering=0) as file:
        for first, end, *_ in lines(target.pid):
            data = os.pread(file.fileno(), (end - first) // PAGE * 8, first // PAGE * 8)
            words = struct.unpack(f"{len(data) // 8}Q", data)
            truth[first, end] = sum(word >> PRESENT_OR_SWAPPED != 0 for word in words)
    assert found == truth
    assert sum(found.values()) > 256


def test_dump_populated_of_nobody() -> None:
    program = example("dump_populated.c")
    done = subprocess.run(
        [program, "999999999"], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr == "open: the process has exited, or never was: open another\n"


def rss_by_mapping(pid: int) -> dict[str, int]:
    """The Rss of each mapping that has any, by its bounds."""
    found = {}
    bounds = ""
    for line in Path(f"/proc/{pid}/smaps").read_text(errors="replace").splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            bounds = line.split()[0]
        elif line.startswith("Rss:") and (size := int(line.split()[1])):
            found[bounds] = size * 1024
    return found


def test_rss_on_signal(tmp_path: Path) -> None:
    """A program that knows nothing of it writes its mappings, amid what it does."""
    library = example("rss_on_signal.c", "-shared", "-fPIC")
    said = tmp_path / "said"
    with (
        said.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-Sc", "print(flush=True); import time; time.sleep(60)"],
            # a name and its folder, for in LD_PRELOAD itself a blank ends a path
            env={
                **os.environ,
                "LD_PRELOAD": library.name,
                "LD_LIBRARY_PATH": str(library.parent),
            },
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as target,
    ):
        assert target.stdout
        target.stdout.readline()
        deadline = time.monotonic() + 30
        while Path(f"/proc/{target.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "S":
            assert time.monotonic() < deadline
        target.send_signal(signal.SIGUSR2)
        found: dict[str, int] = {}
        while "[stack]" not in said.read_text():
            assert time.monotonic() < deadline
            assert target.poll() is None
        os.kill(target.pid, signal.SIGSTOP)
        truth = rss_by_mapping(target.pid)
        os.kill(target.pid, signal.SIGCONT)
        assert target.poll() is None
        target.kill()
    for line in said.read_text().splitlines():
        bounds, size = line.split()[:2]
        found[bounds] = int(size)
    truth.pop("ffffffffff600000-ffffffffff601000", None)
    # the handler itself touched some pages: of its stack, of its scratch
    assert len(found) > 10
    differ = {bounds for bounds in truth if found.get(bounds) != truth[bounds]}
    assert found.keys() <= truth.keys()
    assert len(differ) <= len(truth) // 4


def test_nothing_is_allocated_after_open(tmp_path: Path) -> None:
    wrapped = ("malloc", "calloc", "realloc", "mmap")
    source = ROOT / "tests" / "library_allocates.c"
    if not source.exists():
        pytest.skip("the program lies in the source tree, which is not here")
    try:
        program = build.program(
            source, ARCHIVE, flags=[INCLUDE, *(f"-Wl,--wrap={name}" for name in wrapped)]
        )
    except build.CompilerMissing as reason:
        pytest.skip(str(reason))
    done = subprocess.run([program], check=True, capture_output=True, text=True, timeout=60)
    opened, after = map(int, done.stdout.split())
    assert opened >= 2
    assert after == 0


def test_what_a_sampler_links_is_small(tmp_path: Path) -> None:
    """Text of all that its functions reach: under 32 KiB."""
    exported = ("pm_process_open", "pm_process_close", "pm_sampler_")
    script = tmp_path / "map"
    names = "; ".join(f"{name}*" for name in exported)
    script.write_text(f"{{ global: {names}; local: *; }};")
    kept = [
        f"-Wl,-u,{name}"
        for name in (*exported[:2], *(f"pm_sampler_{what}" for what in ("open", "sample", "rss")))
    ]
    flags = ["-shared", "-nostartfiles", "-Wl,--gc-sections", f"-Wl,--version-script={script}"]
    made = tmp_path / "core.so"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler or not shutil.which("size"):
        pytest.skip("a compiler or size is missing (Debian: apt install gcc binutils)")
    subprocess.run(
        [compiler, *flags, *kept, "-Wl,--entry=pm_sampler_sample", "-o", made, ARCHIVE],
        check=True,
        timeout=60,
    )
    symbols = subprocess.run(
        ["nm", made], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    assert re.search(r" t pm_sampler_sample$", symbols, re.MULTILINE | re.IGNORECASE)
    said = subprocess.run(
        ["size", "-A", made], check=True, capture_output=True, text=True, timeout=60
    )
    (text,) = re.findall(r"^\.text\s+(\d+)", said.stdout, re.MULTILINE)
    assert 4096 < int(text) < 32 * 1024
