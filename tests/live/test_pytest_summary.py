"""The option --pagemap: the heaviest tests, their figures in junit-xml and from xdist's workers."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from tests.plugin_runs import HEAD

if TYPE_CHECKING:
    from tests.plugin_runs import RunPytest

MIB = 1 << 20
TESTS = """
kept = []

@pytest.fixture
def large():
    kept.append(memory(6000))

def test_of_a_fixture(large):
    pass

def test_that_keeps():
    kept.append(memory(4000))

def test_that_fails():
    kept.append(memory(2000))
    assert 0

def test_light():
    pass

def test_lighter():
    pass

@pytest.mark.skip
def test_skipped():
    pass
"""


def figures(junit: str) -> dict[str, dict[str, int]]:
    """The properties of each test."""
    return {
        case.attrib["name"]: {
            each.attrib["name"]: int(each.attrib["value"]) for each in case.iter("property")
        }
        for case in ET.fromstring(junit).iter("testcase")
    }


def check(output: str, junit: str) -> None:
    section = output.partition("pagemap: the heaviest tests")[2].splitlines()
    assert section[1].split() == ["GROWN", "PEAK", "FAULTS", "TEST"]
    names = [line.split("::")[1] for line in section[2:7]]
    assert names[:3] == ["test_of_a_fixture", "test_that_keeps", "test_that_fails"]
    assert set(names[3:]) == {"test_light", "test_lighter"}
    assert re.match(r"\+2[34]\.\dM +\+?[\d.]+M? +\d+ ", section[2].strip())
    assert re.match(r"an empty test: \S+; the median of 5: \+\S+; setup and call", section[7])
    told = figures(junit)
    for name, pages in (("test_of_a_fixture", 6000), ("test_that_keeps", 4000)):
        # the kernel takes pages of files from us at any time, and Python gives memory back
        assert abs(told[name]["pagemap_grown"] - pages * 4096) < 4 * MIB
        assert told[name]["pagemap_faults"] > 0
        assert told[name]["pagemap_peak"] >= 0
    assert "pagemap_grown" in told["test_that_fails"]
    assert told["test_skipped"] == {}


def test_the_heaviest(run_pytest: RunPytest, pytester: pytest.Pytester) -> None:
    result = run_pytest(TESTS, "--pagemap", "--junit-xml=junit.xml")
    result.assert_outcomes(passed=4, failed=1, skipped=1)
    check(result.stdout.str(), (pytester.path / "junit.xml").read_text())


def test_from_workers(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xdist")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        HEAD
        + TESTS
        + """
DATA = memory(8)

@pytest.mark.limit_pages(grown=0, of=DATA)
def test_limit():
    DATA.madvise(mmap.MADV_DONTNEED)
    write(DATA, range(8))
"""
    )
    words = ["-p", "xdist", "-p", "pagemap", "-n", "2", "--pagemap", "--junit-xml=junit.xml"]
    result = pytester.runpytest_subprocess(*words, "-p", "no:cacheprovider", "-W", "error")
    result.assert_outcomes(passed=5, failed=1, skipped=1)
    output = result.stdout.str()
    assert "the heaviest tests" in output
    for name in ("test_of_a_fixture", "test_that_keeps", "test_that_fails", "test_limit"):
        assert re.search(rf"^ +\S+ +\S+ +\d+  \S+::{name}$", output, re.MULTILINE), name
    told = figures((pytester.path / "junit.xml").read_text())
    assert told["test_limit"]["pagemap_grown_pages"] == 0
    assert told["test_that_keeps"]["pagemap_grown"] >= 4000 * 4096 - 4 * MIB


def test_without_the_option_nothing_is_noted(
    run_pytest: RunPytest, pytester: pytest.Pytester
) -> None:
    result = run_pytest(TESTS, "--junit-xml=junit.xml")
    result.stdout.no_fnmatch_line("*heaviest*")
    assert set(map(len, figures((pytester.path / "junit.xml").read_text()).values())) == {0}


def test_the_limits_are_noted(run_pytest: RunPytest, pytester: pytest.Pytester) -> None:
    run_pytest(
        """
        @pytest.mark.limit_pages(grown=5, of="data")
        def test_limit(data):
            data.madvise(mmap.MADV_DONTNEED)
        """,
        "--junit-xml=junit.xml",
    ).assert_outcomes(passed=1)
    told = figures((pytester.path / "junit.xml").read_text())
    assert told == {"test_limit": {"pagemap_grown_pages_data": -64}}


def test_the_marker_the_fixture_and_the_options_are_described(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the entry point, as in every run where pagemap is installed."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    help_text = pytester.runpytest_inprocess("--help").stdout.str()
    assert "--pagemap-strict" in help_text
    pytester.runpytest_inprocess("--markers").stdout.fnmatch_lines(["@pytest.mark.limit_pages*"])
    fixtures = pytester.runpytest_inprocess("--fixtures").stdout
    fixtures.fnmatch_lines(["pagemap_track*", "*Track which pages the test writes*"])


def test_a_run_loads_next_to_nothing_of_pagemap() -> None:
    """Where no test asks for more: the plugin imports what pytest has imported already."""
    script = """
import sys, pytest
before = set(sys.modules)
import pagemap._pytest.plugin
print(*sorted(set(sys.modules) - before))
sys.exit(pytest.main(["-q", "-p", "pagemap._pytest.plugin", "-p", "no:cacheprovider", "--version"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    loaded = done.stdout.split("\n", maxsplit=1)[0].split()
    ours = ["", "._names", "._pytest", "._pytest.plugin", "._version"]
    assert loaded == ["pagemap" + name for name in ours]


def test_the_package_is_imported_as_ever(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asserts of what comes with an entry point were rewritten: 0.1 s, and 285 files."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    pytester.makepyfile(
        """
        def test_loader():
            import pagemap
            pagemap.Process("self").close()
            from pagemap import _process
            assert type(_process.__loader__).__name__ == "SourceFileLoader"
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist")
    result.assert_outcomes(passed=1)
