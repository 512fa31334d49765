"""Signals at any moment: no partial file stays, and no traceback is shown."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pagemap
from pagemap._cli.output import open_output

# Whoever runs the tests may have SIGINT ignored, as a shell does for what it starts with &.
START = """
import os, signal, sys
from pagemap._cli import interrupts, main, output, replacement
from pagemap._kernel import new_file
signal.signal(signal.SIGINT, signal.default_int_handler)
folder, number = sys.argv[1], sys.argv[2].isdecimal() and int(sys.argv[2])
path = folder + "/dump"
"""

# How many moments of a hundred are tried; all of them where there is time for it.
MOMENTS = int(os.environ.get("PAGEMAP_MOMENTS", "10"))

# The signal before each instruction of what writes the file, each time in a child of its own.
EVERYWHERE = """
files = ("<string>", *(room.__file__ for room in (interrupts, new_file, replacement)))
older = ["dump"] if sys.argv[3] == "older" else []
if sys.argv[4] == "named":
    os.O_TMPFILE = os.O_TMPFILE | os.O_CREAT # no kernel takes both

def write():
    with output.open_output(path) as file:
        file.write(b"rows")

def reaches(moment):
    seen = 0
    def trace(frame, event, _):
        nonlocal seen
        if frame.f_code.co_filename not in files:
            return None
        frame.f_trace_opcodes = True
        seen += 1
        if seen == moment:
            os.kill(os.getpid(), number)
        return trace
    sys.settrace(trace)
    try:
        write()
    except KeyboardInterrupt:
        pass
    sys.settrace(None)
    return seen >= moment

for moment in range(int(sys.argv[5]), 10_000, int(sys.argv[6])):
    child = os.fork()
    if child == 0:
        os._exit(reaches(moment))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 1, -number), (moment, status)
    found = os.listdir(folder)
    assert found in (older, ["dump"]), (moment, found)
    if found:
        assert open(path, "rb").read() in (b"rows", b"older"[:5 * len(older)] or b"rows"), moment
    if status == 0:
        break
    if found and not older:
        os.unlink(path)
    elif older:
        open(path, "wb").write(b"older")
print(moment)
"""


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("named", ["named", "unnamed"])
@pytest.mark.parametrize("older", ["older", "new"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_at_every_moment(tmp_path: Path, number: signal.Signals, older: str, named: str) -> None:
    if older == "older":
        (tmp_path / "dump").write_text("older")
    step = round(100 / MOMENTS)
    first = random.randint(1, step)
    done = run(EVERYWHERE, str(tmp_path), str(int(number)), older, named, str(first), str(step))
    assert done.stderr == ""
    assert int(done.stdout) > 100


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM]
)
def test_nothing_is_left(tmp_path: Path, number: signal.Signals) -> None:
    """Of a file that has a name while it is written: not each file system has others."""
    script = """
        os.O_TMPFILE |= os.O_CREAT # no kernel takes both
        with output.open_output(path) as file:
            file.write(b"rows")
            print(len(os.listdir(folder)), flush=True)
            os.kill(os.getpid(), number)
            signal.pause()
        """
    done = run(script, str(tmp_path), str(int(number)))
    assert done.stdout == "1\n"
    # Of one that is killed, whoever waits for it learns by what.
    assert done.returncode == -number
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_where_python_lets_no_exception_through(tmp_path: Path, number: signal.Signals) -> None:
    """In a finaliser, or the callback of a weak reference, all that is raised is swallowed."""
    script = """
        class Last:
            def __del__(self):
                os.kill(os.getpid(), number)
                for _ in range(1000): # it is handled within
                    pass
        with output.open_output(path) as file:
            file.write(b"rows")
            Last()
        """
    done = run(script, str(tmp_path), str(int(number)))
    assert done.returncode == -number
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "room",
    ["_cli.messages", "_errors", "_cli.parser", "_cli.commands.dump", "_cli.output", "_process"],
)
def test_an_interrupt_while_it_imports(room: str) -> None:
    script = """
        class Interrupt:
            def find_spec(self, name, path=None, target=None):
                if name == sys.argv[1]:
                    raise KeyboardInterrupt
        for name in [name for name in sys.modules if name.startswith("pagemap.")]:
            if name != "pagemap._cli":
                del sys.modules[name]
        sys.meta_path.insert(0, Interrupt())
        sys.exit(main(["dump", "self", "-o", os.devnull]))
        """
    done = run(script, f"pagemap.{room}", "")
    assert (done.returncode, done.stderr) == (130, "")


# Ctrl-C before every third line of the script, from its first import on, and of what it imports
# first, each time in a child of its own that has imported nothing yet.
SCRIPT = """
import os, runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
script, files, null = sys.argv[1], sys.argv[2:], os.open(os.devnull, os.O_WRONLY)
with open(script) as file:
    first = [line.strip() for line in file].index("from pagemap._cli import main") + 1

def reaches(moment):
    seen = 0
    def trace(frame, event, _):
        nonlocal seen
        if not frame.f_code.co_filename.endswith(tuple(files)):
            return None
        name = frame.f_code.co_name
        begun = frame.f_code.co_filename != script or (name == "run" and frame.f_lineno >= first)
        seen += event == "line" and begun
        if seen == moment and event == "line" and begun:
            os.kill(os.getpid(), signal.SIGINT)
        return trace
    os.dup2(null, 1)
    sys.argv = ["pagemap", "dump", "self", "--map", "[vdso]", "--format", "csv"]
    sys.settrace(trace)
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as stop:
        sys.settrace(None)
        return stop.code, seen >= moment

codes = []
for moment in range(1, 1000, 3):
    child = os.fork()
    if child == 0:
        code, reached = reaches(moment)
        os._exit(code if reached else 77)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 77:
        break
    codes.append(code)
print(*codes)
"""


def test_an_interrupt_at_every_line_of_the_script() -> None:
    """From the first import on: in the script and in the package it was a traceback."""
    script = Path(pagemap.__file__).with_name("__main__.py")
    files = ["pagemap/__main__.py", "pagemap/__init__.py", "pagemap/_cli/__init__.py"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, script, *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    codes = done.stdout.split()
    assert done.returncode == 0
    assert "KeyboardInterrupt" not in done.stderr
    assert len(codes) > 20
    assert set(codes) == {"130"}


def test_an_interrupt_at_the_end_of_python() -> None:
    """All is written: yet Python showed where in its own end it was interrupted."""
    script = """
        import atexit
        def interrupt():
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000): # it is handled within
                pass
        atexit.register(interrupt)
        sys.exit(main(["--version"], own_process=True))
        """
    done = run(script, "", "")
    assert (done.returncode, done.stderr) == (130, "")


def test_an_interrupt_that_python_would_swallow() -> None:
    """In the callback of a weak reference, as those of importlib: it went on, and said so."""
    script = """
        class Last:
            def __del__(self):
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(1000): # it is handled within
                    pass
        from pagemap._cli.commands import doctor
        doctor.run = lambda _: Last() and 0
        sys.exit(main(["doctor"], own_process=True))
        """
    done = run(script, "", "")
    assert (done.returncode, done.stderr) == (130, "")


def test_signals_mean_afterwards_what_they_did_before(tmp_path: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    with open_output((tmp_path / "dump").as_posix()):
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
    assert before == {number: signal.getsignal(number) for number in numbers}


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """As nohup wants it."""
    script = """
        signal.signal(number, signal.SIG_IGN)
        with output.open_output(path) as file:
            os.kill(os.getpid(), number)
            file.write(b"rows")
        """
    done = run(script, str(tmp_path), str(int(signal.SIGHUP)))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "dump").read_bytes() == b"rows"
