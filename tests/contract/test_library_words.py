"""The library knows nothing of the command: of its options, its subcommands, its exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pagemap

PACKAGE = Path(pagemap.__file__).parent
FILES = [
    path.relative_to(PACKAGE)
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.relative_to(PACKAGE).parts[0] not in ("_cli", "_pytest", "__main__.py")
]
OF_THE_COMMAND = re.compile(
    r"(?<![\w-])--[a-z]"  # an option
    r"|['`]pagemap [a-z-]+"  # a command line
    r"|exit.?code|sys\.exit"
)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_the_library_does_not_speak_of_the_command(path: Path) -> None:
    text = (PACKAGE / path).read_text(encoding="utf-8")
    assert [found[0] for found in OF_THE_COMMAND.finditer(text)] == []
