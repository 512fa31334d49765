"""The judge of guests, with shell scripts in the part of the guest: only a true pass is a pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.target import wait_until
from tests.vm import boot, kernels

STARTED = "echo Linux version 6.0; echo guest >output; : >started; "
LIMITS = boot.Limits(boot=30, whole=60)


def closing(text: str, status: int | str = 0) -> str:
    return f"{STARTED} echo '===== {text} in 1.23s (0:00:01) =====' >>output; echo {status} >status"


def run(folder: Path, script: str, limits: boot.Limits = LIMITS) -> boot.Outcome:
    share = folder / "run" / "share"
    words = ["bash", "-c", f"cd '{share}'\n{script}"]
    return boot.run(words, share, ["-k", "two words"], limits)


def test_a_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # However virtme itself ends.
    outcome = run(tmp_path, closing("3 passed, 1 skipped") + "; exit 255")
    assert outcome == (True, "3 passed, 1 skipped in 1.23s (0:00:01)")
    assert (tmp_path / "run/share/arguments").read_bytes() == b"-k\0two words\0"
    assert capsys.readouterr().out.startswith("guest\n=====")


def test_a_pass_told_quietly(tmp_path: Path) -> None:
    script = STARTED + "echo '3 passed in 1.23s' >>output; echo 0 >status"
    assert run(tmp_path, script) == (True, "3 passed in 1.23s")


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("echo no bootable device; exit 1", "did not boot: it ended with status 1"),
        (STARTED, "has not finished its tests"),
        (STARTED + "kill -9 $$", "has not finished its tests: it ended with status -9"),
        (STARTED + "echo 0 >status", "pytest told nothing"),
        (STARTED + "echo 4 >status", "exited with 4"),
        (closing("1 failed, 3 passed", 1), "1 failed, 3 passed in 1.23s (0:00:01) (pytest exited"),
        (closing("3 passed", 1), "pytest exited with 1"),
        (closing("7 skipped"), "no test has run"),
        (closing("no tests ran", 5), "no tests ran"),
        (closing("10 deselected", 0), "no test has run"),
        (closing("3 passed", ""), "pytest exited with "),
    ],
)
def test_a_failure(tmp_path: Path, script: str, word: str) -> None:
    outcome = run(tmp_path, script)
    assert not outcome.passed
    assert word in outcome.summary


def test_the_console_of_a_guest_that_does_not_boot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, "seq 1000; echo Kernel panic >&2; exit 1")
    lines = capsys.readouterr().out.splitlines()
    assert lines[2 : 2 + boot.CONSOLE_LINES] == [*map(str, range(962, 1001)), "Kernel panic"]
    assert (tmp_path / "run/console").read_text().splitlines()[0] == "1"


@pytest.mark.parametrize(
    ("script", "limits", "word"),
    [
        ("sleep 1000", boot.Limits(0.3, 60), "no test began within 0.3 s"),
        (STARTED + "sleep 1000", boot.Limits(30, 0.5), "more than 0.5 s"),
    ],
)
@pytest.mark.parametrize("end", ["wait", "exit 3"], ids=["with virtme", "without"])
def test_a_guest_that_hangs_is_ended(
    tmp_path: Path, script: str, limits: boot.Limits, word: str, end: str
) -> None:
    """With what it has started, also where virtme itself has gone before."""
    outcome = run(tmp_path, f"{script} & echo $! >pid; {end}", limits)
    assert not outcome.passed
    assert word in outcome.summary
    status = Path("/proc", (tmp_path / "run/share/pid").read_text().strip(), "stat")
    # A zombie, where the first process of a container waits for nobody.
    wait_until(lambda: not status.exists() or b") Z " in status.read_bytes())


def test_what_another_run_left_proves_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, closing("3 passed")).passed
    assert not run(tmp_path, "exit 0").passed


def test_the_newest_image_for_pcs() -> None:
    names = [
        *("linux-image-6.1-amd64", "linux-image-6.1.0-9-amd64", "linux-image-6.1.0-56-amd64"),
        *("linux-image-6.1.0-57-cloud-amd64", "linux-image-6.1.0-57-amd64-unsigned"),
        *("linux-image-6.12.9+bpo-amd64", "linux-image-6.12.117+deb12-amd64"),
        *("linux-image-6.12.118+deb12-rt-amd64", "linux-image-6.12.118+deb12-amd64-dbg"),
    ]
    assert kernels.newest(names, "6.1") == "linux-image-6.1.0-56-amd64"
    assert kernels.newest(names, "6.12") == "linux-image-6.12.117+deb12-amd64"
    assert kernels.newest(names, "6.2") == ""
