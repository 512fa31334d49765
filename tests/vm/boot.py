"""A guest: booted, watched, and judged by what it leaves in the folder that it shares with us.

Nothing is believed without proof: only a status of 0, written by the guest after pytest has ended,
and a closing line of pytest that tells of passed tests make a pass. How virtme or QEMU end says
nothing: where the host has no udev they exit with 255 after the best of runs.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.vm.kernels import Kernel

INSIDE = Path(__file__).with_name("inside.sh")
CONSOLE_LINES = 40
CACHED = "cached"  # the tag of the host's root in inside.sh, which mounts it once more
OUT_OF_TIME = ("124", "137")  # what `timeout` exits with, in inside.sh
# virtme writes to these as it boots; what is written stays in the guest's memory.
_WRITABLE = [f"--overlay-rwdir={folder}" for folder in ("/etc", "/lib", "/tmp", "/var")]
# "=== 3 passed, 1 skipped in 0.12s ===", of which -q leaves the rules out.
CLOSING = re.compile(
    r"^(?:=+ )?((?:\d+ \w+|no tests ran)\b.* in [\d.]+s.*?)(?: =+)?$", re.MULTILINE
)


class Limits(NamedTuple):
    """How long a guest may take until it runs our script, and in all; in seconds.

    The first takes about 10 s, on an idle machine. Pytest is interrupted at the limit, and tells
    what it has seen until then; after the grace the guest is ended from outside.
    """

    boot: float = 240
    whole: float = 7200
    grace: float = 60


class Outcome(NamedTuple):
    """Whether a guest's tests have passed, with pytest's closing line, or else what went wrong.

    `to_blame` when it was the tests: pytest has ended, and not for want of time, or told of failed
    ones. Else nothing is known of them.
    """

    passed: bool
    summary: str
    to_blame: bool = False


def command(kernel: Kernel, series: str, share: Path, limits: Limits) -> list[str]:
    """The command line that boots a kernel and has it run inside.sh.

    `virtme-run`, which `vng` calls too: it takes its arguments as they are, blanks included.
    """
    script = [str(INSIDE), str(share), series, f"{limits.whole:.0f}", sys.executable]
    return [
        str(Path(sys.executable).with_name("virtme-run")),
        *("--kimg", str(kernel.image), "--mods", "auto"),
        *("--cpus", "2", "--memory", "2G", "--numa", "1G,cpus=0", "--numa", "1G,cpus=1"),
        # KVM hangs or dies on many hosts that are guests themselves. Without it every change of
        # the page table's root costs an emptied TLB: hence no isolation of the kernel's tables.
        *("--disable-kvm", "--kopt", "mitigations=off"),
        *(
            "--force-9p",
            "--show-boot-console",
            "--verbose",
            "--rwdir",
            str(share),
            "--cwd",
            os.getcwd(),
        ),
        *_WRITABLE,
        *("--script-sh", "exec bash " + " ".join(map(_quoted, script))),
        "--qemu-opts",  # and nothing of virtme-run's after it
        *("-fsdev", "local,id=again,path=/,security_model=none,readonly=on,multidevs=remap"),
        *("-device", f"virtio-9p-pci,fsdev=again,mount_tag={CACHED}"),
    ]


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def run(
    words: Sequence[str],
    share: Path,
    arguments: Sequence[str],
    limits: Limits,
    prepare: Callable[[Path], None] | None = None,
) -> Outcome:
    """Start a guest by its command line, print what its tests print, and judge them.

    The folder of `share`, which is this run's alone, is emptied first, and then prepared. The
    console is kept there in the file `console`, and its last lines are printed when the guest
    itself has failed.
    """
    shutil.rmtree(share.parent, ignore_errors=True)
    share.mkdir(parents=True)
    (share / "arguments").write_bytes(b"".join(os.fsencode(word) + b"\0" for word in arguments))
    if prepare:
        prepare(share)
    console = share.with_name("console")
    ended = _watch(words, share, console, limits)
    outcome = judge(share, ended)
    if not (share / "status").exists() or not closing_line(share):
        with console.open(errors="replace") as file:
            last = "".join(deque(file, CONSOLE_LINES))
        sys.stdout.write(f"\nthe last lines of the console ({console}):\n{last}\n")
    return outcome


def _watch(words: Sequence[str], share: Path, console: Path, limits: Limits) -> str:
    """Let the guest run to its end, or to its limit; how that came, in words."""
    began = time.monotonic()
    # A pipe: QEMU opens its standard output and error anew, and would cut a file each time.
    guest = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # virtme leaves files behind when it is killed.
        env={**os.environ, "TMPDIR": str(share.parent)},
    )
    assert guest.stdout is not None
    printed = 0
    try:
        with console.open("wb") as log:
            while True:
                ready = select.select([guest.stdout], [], [], 0.2)[0]
                piece = os.read(guest.stdout.fileno(), 65536) if ready else b""
                log.write(piece)
                log.flush()
                printed = _print_more(share / "output", printed)
                if ready and not piece:
                    return f"it ended with status {guest.wait(timeout=60)}"
                took = time.monotonic() - began
                if took > limits.boot and not (share / "started").exists():
                    return f"it was ended: no test began within {limits.boot:g} s"
                if took > limits.whole + limits.grace:
                    return f"it was ended: it had taken more than {limits.whole:g} s"
    finally:
        # QEMU is virtme-run's child, in its group, and may outlive it. The number of the group is
        # nobody else's until virtme-run is waited for.
        if guest.returncode is None:
            os.killpg(guest.pid, signal.SIGKILL)
        guest.wait()
        guest.stdout.close()


def _print_more(output: Path, printed: int) -> int:
    """Print what the file has gained past `printed` bytes; returns its size."""
    if not output.exists():
        return printed
    with output.open("rb") as file:
        file.seek(printed)
        new = file.read()
    sys.stdout.write(new.decode(errors="replace"))
    sys.stdout.flush()
    return printed + len(new)


def closing_line(share: Path) -> str:
    """Pytest's last line, without its rules; "" where there is none."""
    output = share / "output"
    found = CLOSING.findall(output.read_text(errors="replace")) if output.exists() else []
    return found[-1] if found else ""


def _last_line(share: Path) -> str:
    """What the guest printed last: with -v, the test that it was in."""
    output = share / "output"
    lines = output.read_text(errors="replace").split("\n") if output.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def judge(share: Path, ended: str) -> Outcome:
    """What the files in `share` prove; `ended` is how the guest has."""
    if not (share / "started").exists():
        return Outcome(False, f"the guest did not boot: {ended}")
    summary = closing_line(share)
    bad = bool(re.search(r"\b[1-9]\d* (failed|errors?)\b", summary))
    if not (share / "status").exists():
        where = f"{ended}; the last that it printed: {_last_line(share)}"
        return Outcome(False, f"the guest has not finished its tests: {where}", bad)
    status = (share / "status").read_text().strip()
    if status in OUT_OF_TIME:
        return Outcome(False, f"{summary or 'no test ended'} (and then time was up)", bad)
    if not summary:
        return Outcome(False, f"pytest told nothing of its tests, and exited with {status}", True)
    if status != "0":
        return Outcome(False, f"{summary} (pytest exited with {status})", True)
    if not re.search(r"\b[1-9]\d* passed\b", summary):
        return Outcome(False, f"no test has run: {summary}", True)
    return Outcome(True, summary)
