"""Entries, labels and lines of maps, as kernels write them and as no kernel ever did."""

from __future__ import annotations

import array

from hypothesis import strategies as st

BITS = [1 << bit for bit in range(64)]

# Single bits, all but one, and values that kernels give: a present page, a swapped one, a guard.
words = st.one_of(
    st.integers(0, 2**64 - 1),
    st.sampled_from([0, 2**64 - 1, *BITS, *(2**64 - 1 - bit for bit in BITS)]),
    st.integers(0, 2**36).map(lambda frame: 1 << 63 | frame),
    st.integers(0, 2**55 - 1).map(lambda place: 1 << 62 | place),
    st.sampled_from([1 << 55, 1 << 58 | 1 << 62, 1 << 61 | 1 << 63, 1 << 63]),
)


@st.composite
def entries(draw: st.DrawFn, longest: int = 700) -> list[int]:
    """Entries with runs of equal ones: most of an address space is untouched."""
    result: list[int] = []
    for word in draw(st.lists(words, max_size=40)):
        result += [word] * draw(st.sampled_from([1, 1, 1, 1, 2, 15, 16, 17, 33, 300]))
    return result[:longest]


# Bytes of a path as maps writes it: anything but a newline, which it writes as \012.
raw_labels = st.one_of(
    st.binary(max_size=90),
    st.sampled_from(
        [
            b"",
            b"[heap]",
            b"[anon:a name]",
            b"/bin/bash",
            b"/memfd:two words (deleted)",
            b'/tmp/with "quotes", commas',
            rb"/tmp/new\012line and \134 no newline",
            b"/tmp/carriage\rreturn\ttab",
            b"/tmp/\xff\xfe latin \xe9",
            "/tmp/ünïcode 页 🐧".encode(),
            b"/" + b"x" * 5000,
        ]
    ),
).map(lambda label: label.replace(b"\n", rb"\012").replace(b"\0", b"").strip(b" "))

# Rows are as long as their address: sixteen digits with the largest page size, and all below.
vpns = st.one_of(
    st.integers(0, 2**48 - 800),
    st.integers(0, 47).map(lambda bit: 1 << bit),
    st.sampled_from([0, 1, 15, 16, 17, 255, 256, 0xFFFFF, 2**36 - 20, 2**48 - 800]),
)

shifts = st.sampled_from([12, 14, 16])


def view(values: list[int]) -> memoryview:
    """The values as a buffer of format Q."""
    return memoryview(array.array("Q", values))
