"""Which error of the library ends the command with which code."""

from __future__ import annotations

import errno

import pytest

import pagemap
from pagemap._cli.exit_codes import code_of, message_of

CODES = {
    pagemap.PagemapError: 1,
    pagemap.NoSuchProcess: 66,
    pagemap.NoSuchFile: 66,
    pagemap.AccessDenied: 77,
    pagemap.PfnsHidden: 77,
    pagemap.TargetVanished: 75,
    pagemap.Unsupported: 69,
    pagemap.UsageError: 2,
    pagemap.ClosedProcess: 1,
}


@pytest.mark.parametrize(("kind", "code"), CODES.items())
def test_codes(kind: type[pagemap.PagemapError], code: int) -> None:
    assert code_of(kind("said")) == code


def test_codes_of_kinds_with_more() -> None:
    assert code_of(pagemap.SwappedOut("said", address=4096)) == 1


def test_want_of_memory_says_nothing_of_the_target() -> None:
    assert code_of(pagemap.AccessDenied("said", errno=errno.ENOMEM)) == 1


def test_hints() -> None:
    assert message_of(pagemap.PagemapError("said")) == "said"
    said = message_of(pagemap.PfnsHidden("said", operation="count huge pages"))
    assert said.startswith("said; 'pagemap maps' still shows ")
