"""Times as people write them for --watch, --every, --over and --for."""

from __future__ import annotations

import pytest

from pagemap._cli.watch import parse_seconds
from pagemap._errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10", 10),
        ("0.5", 0.5),
        ("10s", 10),
        ("1.5s", 1.5),
        ("500ms", 0.5),
        ("2m", 120),
        ("1h", 3600),
        ("1048576", 1 << 20),
    ],
)
def test_a_time(text: str, seconds: float) -> None:
    assert parse_seconds(text, option="--every") == seconds


@pytest.mark.parametrize(
    "text",
    ["", "s", "ms", "0", "0ms", "-1", "-1s", "nan", "1 day", "10sec", "1hm", "1ss", "1sm", "10S",
     "one", "-inf"],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_seconds(text, option="--every")
    message = "--every needs a time above 0, in seconds or with a unit (10, 1.5s, 500ms, 2m, 1h)"
    assert str(caught.value) == f"{message}, not {text!r}"


@pytest.mark.parametrize("text", ["inf", "infs", "1e99", "1048577", "300h"])
def test_what_is_too_long(text: str) -> None:
    """It was said that this is not above 0."""
    with pytest.raises(UsageError, match=f"too long: {text!r}; the most are 1048576 seconds"):
        parse_seconds(text, option="--every")
