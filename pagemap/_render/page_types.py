"""Pages by their flags: a table, JSON, CSV; the most pages first, the total last."""

from __future__ import annotations

from pagemap._render.table import Column, compact_size, terminal_width, write_table
from pagemap._vocabulary.frame_flags import PAGE_FLAGS
from pagemap._vocabulary.page_flags import flag_names, letters
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._analyses.page_types import PageTypes
    from pagemap._render.document import Write

__all__ = ["write_csv", "write_description", "write_json", "write_text"]

SCHEMA = "pagemap.types/2"

COLUMNS = (
    Column("FLAGS", right=True),
    Column("PAGES", right=True),
    Column("FRAMES", right=True),
    Column("SIZE", right=True),
    Column("LETTERS"),
    Column("NAMES", wrap=True),
)


_LETTERS = 4
_ROOM_FOR_LETTERS = 120  # a letter or a dot for each of some forty flags; names say the same


def write_text(types: PageTypes, write: Write) -> None:
    """Write a table, and below it the total; without the letters where they would cut the names."""
    rows = [
        (
            f"{each.flags:#x}",
            str(each.pages),
            str(each.frames),
            compact_size(each.size),
            each.letters,
            ",".join(each.names) or "-",
        )
        for each in types
    ]
    rows.append(("total", str(types.pages), str(types.frames), compact_size(types.size), "", ""))
    width = terminal_width()
    shown = list(range(len(COLUMNS)))
    if width is not None and width < _ROOM_FOR_LETTERS:
        shown = [at for at in shown if at != _LETTERS]
    write_table([COLUMNS[at] for at in shown], [[row[at] for at in shown] for row in rows], write)


def write_json(types: PageTypes, write: Write, *, raw: bool) -> None:
    """Write one object: flags are strings, sizes in bytes."""
    from json import dumps

    rows = ",\n".join(
        dumps(
            {
                "flags": f"{each.flags:#x}",
                "pages": each.pages,
                "frames": each.frames,
                "size": each.size,
                "letters": each.letters,
                "names": each.names,
            },
            separators=(",", ":"),
        )
        for each in types
    )
    head = f'{{"schema":"{SCHEMA}","raw":{"true" if raw else "false"},"page_size":{PAGE_SIZE}'
    tail = (
        f'"unknown":{types.unknown},"pages":{types.pages},'
        f'"frames":{types.frames},"size":{types.size}'
    )
    write(f'{head},"types":[\n{rows}\n],{tail}}}\n'.encode("ascii"))


def write_csv(types: PageTypes, write: Write) -> None:
    """Write CSV without a total; the names of flags are parted by ``|``."""
    rows = [
        f"{each.flags:#x},{each.pages},{each.frames},{each.size},{each.letters},{'|'.join(each.names)}\n"
        for each in types
    ]
    write(("flags,pages,frames,size,letters,names\n" + "".join(rows)).encode("ascii"))


def write_description(flags: int, write: Write, *, json: bool, csv: bool) -> None:
    """Write what each of these flags means, a row for each."""
    known = {flag.bit: flag for flag in PAGE_FLAGS}
    bits = [bit for bit in range(64) if flags >> bit & 1]
    rows = [
        (str(bit), letters(1 << bit).strip("_"), name, known[bit].meaning if bit in known else "")
        for bit, name in zip(bits, flag_names(flags), strict=True)
    ]
    if json:
        from json import dumps

        names = ("bit", "letter", "name", "meaning")
        described = [dict(zip(names, (int(row[0]), *row[1:]), strict=True)) for row in rows]
        about = {"schema": "pagemap.flags/1", "flags": f"{flags:#x}", "described": described}
        write(dumps(about, separators=(",", ":")).encode("ascii") + b"\n")
    elif csv:
        lines = ["bit,letter,name,meaning\n"]
        lines += [f'{bit},{letter},{name},"{meaning}"\n' for bit, letter, name, meaning in rows]
        write("".join(lines).encode("ascii"))
    else:
        write(
            f"{flags:#x}  {letters(flags)}  {','.join(flag_names(flags)) or '-'}\n".encode("ascii")
        )
        columns = (Column("BIT", right=True), Column("LETTER"), Column("NAME"), Column("MEANING"))
        write_table(columns, rows, write)
