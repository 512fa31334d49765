r"""The dump as JSON lines: a line about the dump, then an object for each page.

Addresses and PFNs are hex strings, for numbers past 2**53 lose digits in many readers; what is
unknown is null. Bytes of a path that are not UTF-8 are written as lone surrogates (``\udc80`` for
0x80), as Python's surrogateescape reads them back.
"""

from __future__ import annotations

import json

from pagemap._kernel.maps import decode_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._process import Process

__all__ = ["header", "label"]


def header(process: Process) -> bytes:
    """What the rows are, and what they cannot say themselves."""
    about = {
        "schema": "pagemap.dump/2",
        "pid": process.pid,
        "page_size": process.page_size,
        "pfns_visible": process.pfns_visible,
    }
    return json.dumps(about, separators=(",", ":")).encode("ascii") + b"\n"


def label(raw: bytes) -> bytes:
    """The path as a JSON string, the end of the object, and of the line."""
    return json.dumps(decode_path(raw)).encode("ascii") + b"}\n"
