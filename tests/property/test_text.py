"""Names made harmless: at once, or a character at a time as it is meant."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from pagemap._vocabulary.text import json_string, json_text, printable
from tests import oracle
from tests.property import strategies

# Any character but surrogates that stand for no byte: nothing that is decoded has them.
CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.characters(
    min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]
)
TEXTS = st.text(CHARACTERS) | strategies.raw_labels.map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)


@given(TEXTS)
@example("two\nlines")
@example("\n\x1b\udcff\u202e\\012")
def test_printable(text: str) -> None:
    assert printable(text) == "".join(
        c
        if c.isprintable()
        else "".join(f"\\{byte:03o}" for byte in c.encode("utf-8", "surrogateescape"))
        for c in text
    )


def test_every_character() -> None:
    """More of them than are remembered."""
    for first in range(0, 0x20000, 0x800):
        text = "".join(map(chr, range(first, first + 0x800)))
        if text[0] != "\ud800":  # no characters
            test_printable.hypothesis.inner_test(text)  # type: ignore[attr-defined]


@given(TEXTS)
@example("\udcff\x1b\n\u20ac")
def test_json(text: str) -> None:
    written = json_string(text)
    assert written.isascii()
    assert written == json.dumps(oracle.in_json(text))
    value = {text: [text, {"more": (text, 1, 0.5, None, True)}]}
    assert json.loads(json_text(value)) == {
        oracle.in_json(text): [
            oracle.in_json(text),
            {"more": [oracle.in_json(text), 1, 0.5, None, True]},
        ]
    }
