"""Words of the command line that are no text, or far too long, in messages about them."""

from __future__ import annotations

import pytest

from pagemap._cli import main

OPTIONS = ("--columns", "--sort", "--map", "--node", "--since", "--format", "--by", "--watch")
LONG = 100_000


def said_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) in (1, 2, 66)
    return capsys.readouterr().err


@pytest.mark.parametrize("option", OPTIONS)
def test_bytes_that_are_no_text(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    r"""Some messages had \udcff for a byte that others, and the rows, have as \377."""
    err = said_of(["maps", "self", option, "\udcff"], capsys)
    assert "\\377" in err
    assert "udcff" not in err


def test_what_reads_as_such_a_byte_stays(capsys: pytest.CaptureFixture[str]) -> None:
    err = said_of(["maps", "self", "--columns", "\\udcff"], capsys)
    assert "udcff" in err
    assert "377" not in err


@pytest.mark.parametrize("option", [*OPTIONS, "-o"])
def test_a_word_that_can_be_no_name(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A hundred thousand characters went to the terminal."""
    err = said_of(["maps", "self", option, f"a{'x' * LONG}z"], capsys)
    assert len(err) < 2000
    assert "ax" in err
    assert "xz" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "maps self --top 9999999999999999999",
            "of less than 19 digits, not '9999999999999999999'",
        ),
        ("wss self --over 1e99", "--over is too long: '1e99'; the most are "),
        ("maps self --watch inf", "--watch is too long: 'inf'; the most are "),
        ("cache / --min 999999999999G", "--min: '999999999999G' is larger than any file or memory"),
    ],
)
def test_numbers_that_are_too_large(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of some it was said that they are none, and of --min what C calls it."""
    assert main(words.split()) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", ["memory", "diff self 1"])
def test_an_empty_word_is_not_none(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As that of all other commands, their --by refuses it."""
    assert main([*words.split(), "--by="]) == 2
    assert "--by has an empty name" in capsys.readouterr().err
