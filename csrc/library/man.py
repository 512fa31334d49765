"""Write the man page pagemap(3) out of the comments of the public header: `man.py > pagemap.3`.

The header is the one place where a function is described, so nothing here describes any. A comment
belongs to the declaration below it; one whose first line is a title begins a part.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

HEADER = Path(__file__).resolve().parents[1] / "include" / "pagemap.h"
# A comment, or a declaration that begins in the first column and ends in one.
PIECE = re.compile(
    r"^/\*.*?\*/$|^#define \w+ .*?$|^(?:struct|enum)[^;]*?\{.*?^\};$|^[a-z][^;{]*;.*?$",
    re.MULTILINE | re.DOTALL,
)


def escaped(text: str) -> str:
    """Text that roff prints as it stands."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"^\.", r"\\&.", text, flags=re.MULTILINE)


def words(comment: str) -> str:
    """The text of a comment, with its paragraphs."""
    lines = [re.sub(r"^ \* ?", "", line) for line in comment[2:-2].split("\n")]
    paragraphs = "\n".join(lines).strip().split("\n\n")
    return "\n.PP\n".join(escaped(each) for each in paragraphs)


def body(text: str) -> str:
    """The parts of the page, from the first declaration on."""
    parts: list[str] = []
    waiting = ""
    for piece in PIECE.findall(text):
        if not piece.startswith("/*"):
            parts += [f".PP\n.nf\n{escaped(piece)}\n.fi", waiting]
            waiting = ""
            continue
        waiting = f".PP\n{words(piece)}"
        title, _, rest = words(piece).partition("\n.PP\n")
        if not title.endswith("."):
            parts.append(f".SH {title.upper()}\n{rest}")
            waiting = ""
    return re.sub(r"(\.SH .*)\n+\.PP\n", r"\1\n", "\n".join(filter(None, parts)))


def page() -> str:
    """The whole of it."""
    text = HEADER.read_text(encoding="ascii")
    version = ".".join(re.findall(r"^#define PM_VERSION_\w+ (\d+)$", text, re.MULTILINE))
    made = time.gmtime(float(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    first, rest = text.split("*/\n", 1)
    rest = rest[rest.index("/*\n * The library") : rest.rindex("#ifdef __cplusplus")]
    head = words(first + "*/").partition("\n.PP\n")[2]
    day = time.strftime("%Y-%m-%d", made)
    return f""".TH PAGEMAP 3 "{day}" "pagemap {version}" "Library Functions"
.SH NAME
pagemap \\- what stands behind the virtual pages of a Linux process
.SH SYNOPSIS
.nf
#include <pagemap.h>
cc app.c $(pkg\\-config \\-\\-cflags \\-\\-libs pagemap)
.fi
.SH DESCRIPTION
{head}
{body(rest)}
.SH SEE ALSO
.BR pagemap (1),
.BR proc_pid_pagemap (5)
"""


if __name__ == "__main__":
    sys.stdout.write(page())
