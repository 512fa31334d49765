"""Maps as columns: the same text comes back, byte for byte, or it is not taken at all."""

from __future__ import annotations

import os

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pagemap._space.snapshot_maps import pack_maps, unpack_bounds, unpack_maps
from tests import oracle

PAGE = 4096
MOST = int(os.environ.get("PAGEMAP_EXAMPLES", "40"))
TOP = 1 << 47
PATHS = ["", "[heap]", "[stack]", "/usr/lib/a.so", "/tmp/b c", "/memfd:x (deleted)", "/\\134", "/é"]
STRANGE = [
    b"00400000-00401000 r-xp 00000000 fe:00 0\n",
    b"00400000-00401000 r-xp 00000000 fe:00 7 /short\n",
    b"400000-401000 r-xp 00000000 fe:00 0 \n",
    b"00400000-00401000 r-xp 00000000 fe:00 007                                    /padded\n",
    b"no line of maps\n",
    b"00400000-00401000 r-xp 00000000 fe:00 0 ",
    b"00400000-00401000 r-xp 00000000 fe:00 0 \n\n",
]


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Lines as the kernel writes them."""
    bounds = sorted(draw(st.sets(st.integers(0, TOP // PAGE), max_size=24)))
    lines = []
    for start, end in zip(bounds[::2], bounds[1::2], strict=False):
        perms = draw(st.sampled_from(["r--p", "r-xp", "rw-p", "rw-s", "---p"]))
        inode = draw(st.sampled_from([0, 0, 7, 8, 1 << 63]))
        offset = draw(st.sampled_from([0, 0, PAGE, end * PAGE, (1 << 64) - PAGE]))
        head = f"{start * PAGE:08x}-{end * PAGE:08x} {perms} {offset:08x} 00:1f {inode} "
        path = draw(st.sampled_from(PATHS))
        lines.append(head.ljust(73) + path if path else head)
    return "".join(f"{line}\n" for line in lines).encode()


@settings(max_examples=MOST)
@given(texts())
def test_what_the_kernel_writes_comes_back(text: bytes) -> None:
    payload = pack_maps(text)
    if payload is None:  # of a path that means something else than it says
        assert not text or b"\\" in text
        return
    assert unpack_maps(payload) == text
    wanted = [bound for line in oracle.parse_maps(text) for bound in (line.start, line.end)]
    assert unpack_bounds(payload).tolist() == wanted


@settings(max_examples=MOST)
@given(texts(), st.sampled_from(STRANGE), st.integers(0, 2000))
def test_other_text_comes_back_or_is_not_taken(text: bytes, strange: bytes, at: int) -> None:
    for each in (strange + text, text[:at] + text[at + 1 :]):
        payload = pack_maps(each)
        assert payload is None or unpack_maps(payload) == each


@settings(max_examples=MOST)
@given(texts(), st.binary(max_size=200), st.integers(0, 400))
@example(b"", b"\xff" * 12, 0)
def test_any_payload_is_refused_or_is_text(text: bytes, data: bytes, at: int) -> None:
    whole = pack_maps(text) or b""
    for payload in (data, whole[:at] + data + whole[at + len(data) :]):
        try:
            found = unpack_maps(payload)
        except ValueError:
            continue
        assert len(found) <= 1 << 20
