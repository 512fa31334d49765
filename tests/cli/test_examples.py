"""Every example that the helps and the README show is run, as it stands, on a host as hosts are.

There are several processes of each name.

Two of them were refused by the parser that printed them (`--range 400000-500000`), and a line of
the README asked `regions` for a word that only `dump` knew.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pagemap._cli import parser
from pagemap._cli.commands import COMMANDS
from tests import build
from tests.target import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Pagemap
    from tests.target import Target

ROOT = Path(os.environ.get("PAGEMAP_SOURCE", Path(__file__).parents[2]))
NAMES = ("nginx", "java", "postgres", "bash")
SEVERAL = 3
NUMBERS = {"4242": "bash", "1234": "nginx", "5678": "java"}
# Addresses are those of whoever wrote the example: nothing need be there.
NOT_THERE = ("has no pages in the given ranges", "is in no mapping", "no mapping of process")
RIGHTS = {77} if os.geteuid() else set()


class Example(NamedTuple):
    """A line that is shown, and where."""

    where: str
    line: str


def _of_help(where: str, text: str) -> list[Example]:
    found = re.findall(
        r"^  ((?:sudo )?pagemap .*)$", text.partition("examples:\n")[2], re.MULTILINE
    )
    # what a line is for stands behind it, two blanks away
    return [Example(where, re.split(r"\s{2,}", line)[0]) for line in found]


def _examples() -> list[Example]:
    found = _of_help("--help", parser.EXAMPLES)
    for name, _, room in COMMANDS:
        options = __import__(f"pagemap._cli.commands.{room}", fromlist=[room])
        found += _of_help(f"{name} --help", options.examples())
    readme = ROOT / "README.md"
    if readme.exists():
        lines = re.findall(r"^\$ ((?:sudo )?pagemap .*)$", readme.read_text("utf-8"), re.MULTILINE)
        found += [Example("README", re.split(r"\s+# ", line)[0]) for line in lines]
    shown: dict[str, Example] = {}  # what stands in several places is run once
    for each in found:
        shown.setdefault(each.line.removeprefix("sudo "), each)
    return list(shown.values())


EXAMPLES = _examples()


def test_every_command_has_examples() -> None:
    shown = [shlex.split(line.removeprefix("sudo "))[1] for _, line in EXAMPLES]
    assert {name for name, _, _ in COMMANDS} <= set(shown)
    assert len(shown) > 35


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Target]]:
    """Several programs of each of these names, each with a heap; the last of them."""
    folder = tmp_path_factory.mktemp("programs")
    with contextlib.ExitStack() as started:
        found = {}
        for name in NAMES:
            shutil.copy(build.targets(), folder / name)
            for _ in range(SEVERAL):
                found[name] = started.enter_context(
                    run(folder / name, "heap_and_stack", str(1 << 18))
                )
        yield found


@pytest.fixture
def places(tmp_path: Path, targets: dict[str, Target]) -> dict[str, str]:
    """What the examples' words for places and processes are here."""
    (tmp_path / "nginx.pid").write_text(f"{targets['nginx'].pid}\n")
    (tmp_path / "addresses.txt").write_text(f"{targets['nginx'].first.start:#x}\n")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "one").write_bytes(b"x" * 8192)
    own = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip()
    roots = [Path(f"/sys/fs/cgroup{under}{own}") for under in ("", "/unified", "/pids")]
    group = next((str(root) for root in roots if (root / "cgroup.procs").exists()), "")
    return {
        "@/run/nginx.pid": f"@{tmp_path}/nginx.pid",
        "/var/lib": str(tmp_path / "files"),
        "/sys/fs/cgroup/system.slice": group,
        **{number: str(targets[name].pid) for number, name in NUMBERS.items()},
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: f"{each.where}: {each.line}")
def test_example(
    pagemap: Pagemap,
    example: Example,
    places: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(example.line.removeprefix("sudo "))[1:]
    at = words.index("|") if "|" in words else len(words)
    given = [places.get(word, word) for word in words[:at]]
    stdin = b""
    if given[-1].startswith("<"):
        stdin = Path(given.pop()[1:]).read_bytes()
    for name in {"before.pagemap", "after.pagemap"}.intersection(given):
        assert pagemap("snapshot", places["1234"], "-o", name).code == 0
    if "" in given:
        pytest.skip("no cgroup is mounted at /sys/fs/cgroup")
    if "--watch" in given:
        _watch(pagemap, given)
        return
    code, out, err = pagemap(*given, stdin=stdin)
    said = "\n".join(err)
    nothing = code == 1 and any(each in said for each in NOT_THERE)
    assert code in {0, *RIGHTS} or nothing, said
    assert "Traceback" not in said
    assert out or code or "-o" in given
    rest = words[at + 1 :]
    if rest[:1] == ["jq"] and not code and shutil.which("jq"):
        done = subprocess.run(rest, input=out, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr


def _watch(pagemap: Pagemap, words: list[str]) -> None:
    """Until it has shown something; Ctrl-C ends it."""
    process = pagemap.start(*words)
    assert process.stdout is not None
    try:
        assert os.read(process.stdout.fileno(), 1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode in {130, -signal.SIGINT}
