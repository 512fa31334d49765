"""A whole dump of a fake process: any entries, any mappings, clipped to any ranges, any threads."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

import pagemap
from pagemap._export import dump as export
from tests import oracle
from tests.property import fake, strategies

PID = 4242
PAGE = oracle.PAGE
ADDRESSES = st.integers(0, 800 * PAGE)


@st.composite
def mappings(draw: st.DrawFn) -> bytes:
    """The text of maps: mappings in order, touching or apart, inside and past the entries."""
    text, at = b"", 0
    for _ in range(draw(st.integers(0, 10))):
        at += draw(st.sampled_from([0, 0, 1, 7, 130, 300]))
        end = at + draw(st.integers(1, 90))
        head = b"%08x-%08x rw-p 00000000 fe:00 17 " % (at * PAGE, end * PAGE)
        label = draw(strategies.raw_labels)
        text += (head.ljust(73) + label if label else head) + b"\n"
        at = end
    return text


@st.composite
def ranges(draw: st.DrawFn) -> list[tuple[int, int]] | None:
    """Ranges of addresses, no multiples of a page, overlapping as it happens."""
    if draw(st.booleans()):
        return None
    pairs = draw(st.lists(st.tuples(ADDRESSES, ADDRESSES), max_size=4))
    return [(min(pair), max(pair) + 1) for pair in pairs]


def expected_pages(
    entries: list[int], maps: bytes, wanted: list[tuple[int, int]] | None
) -> list[tuple[int, int, oracle.MapsLine]]:
    """(entry, address, mapping) for each row, page by page."""
    result = []
    for line in oracle.parse_maps(maps):
        for address in range(line.start, line.end, PAGE):
            inside = wanted is None or any(
                start < address + PAGE and address < end for start, end in wanted
            )
            if inside and address // PAGE < len(entries):
                result.append((entries[address // PAGE], address, line))
    return result


@given(
    entries=strategies.entries(),
    maps=mappings(),
    wanted=ranges(),
    hidden=st.booleans(),
    threads=st.integers(1, 3),
    piece=st.sampled_from([6000, 20_000, 1 << 21]),
)
def test_dump(
    entries: list[int],
    maps: bytes,
    wanted: list[tuple[int, int]] | None,
    hidden: bool,
    threads: int,
    piece: int,
) -> None:
    # An address space that lives has an entry for the page at address 0.
    entries = [0, *entries]
    pages = expected_pages(entries, maps, wanted)
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(export, "PIECE_BYTES", piece),
        mock.patch("pagemap._native.pipeline.ALONE_PAGES", 64),
    ):
        fake.write_process(Path(folder), PID, entries, maps)
        with pagemap.Process(PID, procfs=folder) as process:
            process.pfns_visible = not hidden
            dumps = {}
            for form in ("text", "csv", "json", "jsonl"):
                file = io.BytesIO()
                rows = pagemap.dump(process, file, format=form, ranges=wanted, threads=threads)
                assert rows == len(pages)
                dumps[form] = file.getvalue()
                if form in ("text", "csv"):
                    header, _, dumps[form] = dumps[form].partition(b"\n")
                if form == "csv":
                    assert header.decode().split(",") == oracle.COLUMNS

    assert dumps["text"] == b"".join(
        oracle.text_row(entry, address, line.label, hidden=hidden) for entry, address, line in pages
    )
    # one document, whose rows are those lines
    about, _, rest = dumps["json"].partition(b"\n")
    assert about.startswith(b'{"schema":"pagemap.pages","version":')
    assert about.endswith(b',"rows":[')
    lines = dumps["jsonl"].splitlines(keepends=True)
    assert rest == b",\n".join(line[:-1] for line in lines) + b"\n" * bool(lines) + b"]}\n"
    assert dumps["jsonl"] == b"".join(
        oracle.json_row(entry, address, line.path, hidden=hidden) for entry, address, line in pages
    )
    assert oracle.read_csv(dumps["csv"]) == [
        oracle.csv_fields(entry, address, line.path, hidden=hidden)
        for entry, address, line in pages
    ]
