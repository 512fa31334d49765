"""The judge of guests, with shell scripts in the part of the guest: only a true pass is a pass."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.target import wait_until
from tests.vm import __main__, boot, kernels, progress

STARTED = "echo Linux version 6.0; echo guest >output; : >started; "
LIMITS = boot.Limits(boot=60, whole=60, grace=0)
TWO = """
def test_1(): pass
def test_2():
    pass
"""


def closing(text: str, status: int | str = 0) -> str:
    return f"{STARTED} echo '===== {text} in 1.23s (0:00:01) =====' >>output; echo {status} >status"


def run(folder: Path, script: str, limits: boot.Limits = LIMITS) -> boot.Outcome:
    share = folder / "run" / "share"
    words = ["bash", "-c", f"cd '{share}'\n{script}"]
    return boot.run(words, share, ["-k", "two words"], limits)


def test_a_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # However virtme itself ends.
    outcome = run(tmp_path, closing("3 passed, 1 skipped") + "; exit 255")
    assert outcome == boot.Outcome(True, "3 passed, 1 skipped in 1.23s (0:00:01)")
    assert (tmp_path / "run/share/arguments").read_bytes() == b"-k\0two words\0"
    assert capsys.readouterr().out.startswith("guest\n=====")


def test_a_pass_told_quietly(tmp_path: Path) -> None:
    script = STARTED + "echo '3 passed in 1.23s' >>output; echo 0 >status"
    assert run(tmp_path, script) == boot.Outcome(True, "3 passed in 1.23s")


@pytest.mark.parametrize(
    ("script", "word", "to_blame"),
    [
        ("echo no bootable device; exit 1", "did not boot: it ended with status 1", False),
        (STARTED, "has not finished its tests", False),
        (STARTED + "kill -9 $$", "has not finished its tests: it ended with status -9", False),
        (STARTED + "printf 'a\\nb::c \\n' >>output", "the last that it printed: b::c", False),
        (STARTED + "echo 0 >status", "pytest told nothing", True),
        (STARTED + "echo 4 >status", "exited with 4", True),
        (closing("1 failed, 3 passed", 1), "1 failed, 3 passed in 1.23s (0:00:01) (pytest", True),
        (closing("3 passed", 1), "pytest exited with 1", True),
        (closing("7 skipped"), "no test has run", True),
        (closing("no tests ran", 5), "no tests ran", True),
        (closing("10 deselected", 0), "no test has run", True),
        (closing("3 passed", ""), "pytest exited with ", True),
        # interrupted, for want of time: what had failed until then has failed
        (closing("3 passed", 124), "3 passed in 1.23s (0:00:01) (and then time was up)", False),
        (closing("1 failed, 3 passed", 124), "time was up", True),
        (closing("3 passed, 2 errors", 124), "time was up", True),
        (closing("no tests ran", 124), "time was up", False),
        (STARTED + "echo 137 >status", "no test ended (and then time was up)", False),
    ],
)
def test_a_failure(tmp_path: Path, script: str, word: str, to_blame: bool) -> None:
    outcome = run(tmp_path, script)
    assert not outcome.passed
    assert word in outcome.summary
    assert outcome.to_blame == to_blame


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
        ("sleep 1000", boot.Limits(0.3, 60, 0), "no test began within 0.3 s"),
        (STARTED + "sleep 1000", boot.Limits(60, 0.5, 0), "more than 0.5 s"),
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


def test_what_is_left_to_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file in which the run ended, those after it, and the options."""
    pytester.makepyfile(test_a=TWO, test_b=TWO + "    raise KeyboardInterrupt", test_c=TWO)
    monkeypatch.setenv("PAGEMAP_VM_SHARE", str(tmp_path))
    words = ["-k", "not third", "test_a.py", "test_b.py", "test_c.py::test_2", "-x"]
    assert progress.left_over(tmp_path, words) == []  # nothing is known yet

    pytester.runpytest_inprocess("-p", "tests.vm.progress", *words, no_reraise_ctrlc=True)
    left = progress.left_over(tmp_path, words)
    assert left == ["test_b.py", "test_c.py::test_2", "-k", "not third", "-x"]

    pytester.runpytest_inprocess("-p", "tests.vm.progress", "test_a.py")
    assert progress.left_over(tmp_path, ["test_a.py"]) == []


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


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([], 2),
        (["--within"], 2),
        (["--within", "100"], 2),
        (["--within", "soon", "6.1"], 2),
        (["--with", "100", "6.1"], 2),
        (["--fetch"], 2),
        (["--fetch", "6.1", "--", "-k", "swapped"], 2),
        # too little time for any guest: told, and no failure
        (["--within", "60", "6.1", "6.12"], 0),
    ],
)
def test_the_command_line(
    words: list[str],
    status: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(__main__, "missing", lambda: "")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert __main__.main(words) == status
    out, err = capsys.readouterr()
    assert err.startswith("usage") == (status == 2)
    assert out.count("UNKNOWN") == (0 if status else 2)


def test_kernels_are_fetched(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is tried, whatever happens to another; nothing is booted, so QEMU may be missing."""

    def kernel(series: str) -> kernels.Kernel:
        if series == "6.2":
            raise kernels.NoKernel(f"apt knows no package of Linux {series}")
        return kernels.Kernel(f"{series}.9", Path())

    monkeypatch.setattr(__main__, "missing", lambda: "QEMU is not installed")
    monkeypatch.setattr(kernels, "kernel", kernel)
    assert __main__.main(["--fetch", "6.1"]) == 0
    assert __main__.main(["--fetch", "6.2", "6.12"]) == 1
    out, err = capsys.readouterr()
    assert out == "Linux 6.1.9 is at hand\nLinux 6.12.9 is at hand\n"
    assert err == "test-vm: apt knows no package of Linux 6.2\n"


def test_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(__main__, "missing", lambda: "QEMU is not installed")
    assert __main__.main(["6.1"]) == 1
    assert __main__.main(["--within", "300", "6.1"]) == 0
    out, err = capsys.readouterr()
    assert out == "Linux 6.1 UNKNOWN: see above\n"
    assert err == 2 * "test-vm: QEMU is not installed\n"


@pytest.mark.parametrize(
    ("outcome", "verdict", "strict", "lenient"),
    [
        (boot.Outcome(True, "3 passed"), "passed", 0, 0),
        (boot.Outcome(False, "1 failed", True), "FAILED", 1, 1),
        (boot.Outcome(False, "too slow"), "UNKNOWN", 1, 0),
        (None, "UNKNOWN", 1, 0),
    ],
)
def test_verdicts(
    outcome: boot.Outcome | None,
    verdict: str,
    strict: int,
    lenient: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where time is short only tests that failed are a failure; else all but a pass is one."""

    def kernel(series: str) -> kernels.Kernel:
        if outcome is None:
            raise kernels.NoKernel(f"apt knows no package of Linux {series}")
        return kernels.Kernel(f"{series}.9", tmp_path)

    def boots(_words: object, share: Path, *_: object, prepare: object) -> boot.Outcome:
        assert prepare
        share.mkdir(parents=True)
        assert outcome is not None
        return outcome

    monkeypatch.setattr(__main__, "missing", lambda: "")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(kernels, "kernel", kernel)
    monkeypatch.setattr(kernels, "cache", lambda: tmp_path)
    monkeypatch.setattr(boot, "run", boots)
    assert __main__.main(["6.12"]) == strict
    shutil.rmtree(tmp_path, ignore_errors=True)
    assert __main__.main(["--within", "300", "6.12"]) == lenient
    line = capsys.readouterr().out.splitlines()[-1]
    assert re.match(rf"Linux 6\.12(\.9)? {verdict}: ", line)


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_what_runs_leave(
    ending: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted one nothing; what a killed one left goes at the next, a living one's stays."""
    with subprocess.Popen(["true"]) as ended:
        pass
    left = [tmp_path / f"run-{name}" for name in (f"6.1-{ended.pid}", "6.12-1")]
    for folder in (*left, tmp_path / "linux-6.1"):
        folder.joinpath("share").mkdir(parents=True)

    def boots(_words: object, share: Path, *_: object, prepare: object) -> boot.Outcome:
        share.mkdir(parents=True)
        raise ending

    monkeypatch.setattr(kernels, "kernel", lambda _: kernels.Kernel("6.1.9", tmp_path))
    monkeypatch.setattr(kernels, "cache", lambda: tmp_path)
    monkeypatch.setattr(boot, "run", boots)
    with pytest.raises(ending):
        __main__.run("6.1", [], LIMITS)
    assert set(tmp_path.iterdir()) == {left[1], tmp_path / "linux-6.1"}
