"""A dump with --populated, --only and --without is a whole dump without the other rows."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pagemap
from pagemap._export import dump as export
from tests import naive, oracle
from tests.property import fake, strategies
from tests.property.test_dump import PID, expected_pages, mappings, ranges

KINDS = {"swap", "guard", "marker", "migrating", "poisoned", "device"}
WORDS = st.lists(st.sampled_from(sorted((oracle.FLAGS.keys() | KINDS) - {"swapped"})), max_size=3)


def is_it(entry: int, word: str) -> bool:
    """Whether a page is what the word says; what may be in swap passes for it."""
    if word not in KINDS:
        return oracle.has(entry, word)
    kind = oracle.kind(entry, naive.TYPES)
    return kind == word or (kind == "hidden" and word == "swap")


@given(
    entries=strategies.entries(),
    maps=mappings(),
    wanted=ranges(),
    populated=st.booleans(),
    only=WORDS,
    without=WORDS,
    hidden=st.booleans(),
    threads=st.integers(1, 3),
    piece=st.sampled_from([6000, 20_000, 1 << 21]),
)
def test_filters(
    entries: list[int],
    maps: bytes,
    wanted: list[tuple[int, int]] | None,
    populated: bool,
    only: list[str],
    without: list[str],
    hidden: bool,
    threads: int,
    piece: int,
) -> None:
    entries = [0, *entries]
    without = [name for name in without if name not in only]  # which is refused
    if hidden:  # then nobody knows of these
        only, without = (
            [name for name in words if name not in KINDS or name in ("swap", "guard")]
            for words in (only, without)
        )
    pages = [
        page
        for page in expected_pages(entries, maps, wanted)
        if (naive.populated(page[0]) or not populated)
        and all(is_it(page[0], name) for name in only)
        and not any(is_it(page[0], name) for name in without)
    ]
    dumps = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(export, "PIECE_BYTES", piece),
        mock.patch("pagemap._native.pipeline.ALONE_PAGES", 64),
        mock.patch("pagemap._space.walk.Reach.LEAST", 50),
    ):
        fake.write_process(Path(folder), PID, entries, maps)
        with pagemap.Process(PID, procfs=folder) as process:
            process.pfns_visible = not hidden
            for form in ("text", "csv", "jsonl"):
                file = io.BytesIO()
                rows = pagemap.dump(
                    process,
                    file,
                    format=form,
                    header=False,
                    ranges=wanted,
                    populated=populated,
                    only=only,
                    without=without,
                    threads=threads,
                )
                assert rows == len(pages)
                dumps[form] = file.getvalue()
    assert dumps["text"] == b"".join(
        oracle.text_row(entry, address, line.label, hidden=hidden) for entry, address, line in pages
    )
    assert dumps["jsonl"] == b"".join(
        oracle.json_row(entry, address, line.path, hidden=hidden) for entry, address, line in pages
    )
    fields = [
        oracle.csv_fields(entry, address, line.path, hidden=hidden)
        for entry, address, line in pages
    ]
    assert oracle.read_csv(dumps["csv"]) == fields


EVERY = sorted((oracle.FLAGS.keys() | KINDS) - {"swapped"})
OF_KINDS = sorted(KINDS | {"present"})


@given(
    entries=strategies.entries(),
    maps=mappings(),
    group=st.lists(st.sampled_from(OF_KINDS), min_size=2, max_size=4, unique=True),
    exact=st.sets(st.sampled_from(EVERY), max_size=3),
    without=WORDS,
)
def test_alternatives_and_nothing_else(
    entries: list[int], maps: bytes, group: list[str], exact: set[str], without: list[str]
) -> None:
    entries = [0, *entries]
    pages = expected_pages(entries, maps, None)
    wanted = {
        "/".join(group): [
            address
            for entry, address, _ in pages
            if any(is_it(entry, word) for word in group)
            and not any(is_it(entry, word) for word in without)
        ],
        f"={','.join(sorted(exact))}": [
            address
            for entry, address, _ in pages
            if all(is_it(entry, word) == (word in exact) for word in EVERY)
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        fake.write_process(Path(folder), PID, entries, maps)
        with pagemap.Process(PID, procfs=folder) as process:
            process.pfns_visible = True
            for (text, addresses), others in zip(wanted.items(), (without, []), strict=True):
                file = io.BytesIO()
                pagemap.dump(process, file, header=False, only=[text], without=others)
                found = [int(line.split()[0], 16) for line in file.getvalue().split(b"\n")[:-1]]
                assert found == addresses, text


@pytest.mark.parametrize("name", ["presents", "anonymous", "written", "swapped", "none"])
def test_unknown_flags(name: str, tmp_path: Path) -> None:
    fake.write_process(tmp_path, PID, [0], b"")
    with pagemap.Process(PID, procfs=str(tmp_path)) as process:
        with pytest.raises(pagemap.UsageError, match=f"knows no '{name}'; "):
            pagemap.dump(process, io.BytesIO(), only=[name])
        with pytest.raises(pagemap.UsageError, match=f"knows no '{name}'; "):
            pagemap.dump(process, io.BytesIO(), without=[name])


@pytest.mark.parametrize("name", ["marker", "migrating", "poisoned", "device"])
def test_kinds_that_are_hidden(name: str, tmp_path: Path) -> None:
    fake.write_process(tmp_path, PID, [0], b"")
    with pagemap.Process(PID, procfs=str(tmp_path)) as process:
        process.pfns_visible = False
        for asked in ({"only": [name]}, {"without": [name]}):
            with pytest.raises(pagemap.PfnsHidden, match=name):
                pagemap.dump(process, io.BytesIO(), **asked)  # type: ignore[arg-type]
