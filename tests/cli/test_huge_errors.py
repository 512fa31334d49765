"""`pagemap huge` where it cannot be, or not all of it: what is said, and the exit code."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("huge self --cgroup /x", "give targets or --cgroup PATH, not both"),
        ("huge --map x", "--map selects mappings, and rows are processes; add --by mapping"),
        ("huge self --cont 12K", "--cont 12K: invalid block size 12288: it must be a power of two"),
        ("huge self --cont 1K", "power of two, from"),
        ("huge self --cont 64T", "--cont 64T: give a size such as 64K or 2M, not '64T'"),
        ("huge self --cont=", "give a size such as 64K"),
        ("huge self --columns thb", "did you mean thp?"),
        ("huge self --columns cont_64k", "--columns knows no 'cont_64k'"),
        ("huge self --columns name", "--columns knows no 'name'"),
        ("huge self --by start,end", "--by takes one column"),
    ],
)
def test_usage(pagemap: Pagemap, words: str, said: str) -> None:
    code, out, err = pagemap(*words.split())
    assert (code, out) == (2, b"")
    assert said in err[0]


def test_no_such_cgroup(pagemap: Pagemap, need_pfns: None) -> None:
    code, out, err = pagemap("huge", "--cgroup", "/no/where")
    assert (code, out) == (66, b"")
    assert "there is no cgroup '/no/where'" in err[0]
    code, out, err = pagemap("huge", "--cgroup", "/usr")
    assert (code, out) == (66, b"")
    assert "it has no cgroup.procs" in err[0]


@pytest.mark.parametrize("whose", [["self"], []], ids=["self", "all"])
def test_without_rights(pagemap: Pagemap, pfns_visible: bool, whose: list[str]) -> None:
    """It names the file and the capability, and what still works."""
    prefix: tuple[str, ...] = ()
    if pfns_visible:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv, to be without CAP_SYS_ADMIN, is missing (util-linux)")
        prefix = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
    process = pagemap.start("huge", *whose, prefix=prefix)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (77, b"")
    assert err.count(b"\n") == 1
    assert b"PFNs are not visible" in err
    assert b"CAP_SYS_ADMIN" in err
    assert b"'pagemap maps' still shows" in err


def test_a_kernel_thread(pagemap: Pagemap, need_pfns: None) -> None:
    if not (Path("/proc/2/comm").exists() and Path("/proc/2/comm").read_text() == "kthreadd\n"):
        pytest.skip("there are no kernel threads in this PID namespace")
    code, out, err = pagemap("huge", 2, "--columns", "thp")
    assert (code, out.split()) == (0, [b"THP", b"0"])
    assert err == ["pagemap: process 2 is a kernel thread: it has no mappings"]


def test_a_pattern_that_fits_nothing(pagemap: Pagemap, need_pfns: None) -> None:
    code, _, err = pagemap("huge", "self", "--map", "nothing")
    assert code == 1
    assert "matches the pattern 'nothing'" in err[0]
