"""Diffs of what no live process can be brought to show: other boots, kernels, and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._history import diff_moves
from tests.unit import fake_proc
from tests.unit.fake_proc import PAGE_SIZE, line

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = 1 << 63 | 1 << 56
OTHER_START = fake_proc.ORDINARY.removesuffix(" 0") + " 0 7"


def look(root: Path, boot: str = "one", frame: int = 500, **about: str | bytes) -> str:
    """A process with one written page, in this frame."""
    procfs = fake_proc.make(
        root,
        maps=line(1, 9),
        entries={2: WRITTEN | frame},
        **about,  # type: ignore[arg-type]
    )
    (root / "sys/kernel/random").mkdir(parents=True)
    (root / "sys/kernel/random/boot_id").write_text(f"{boot}\n")
    return procfs


def compared(a: str, b: str) -> tuple[object, list[str]]:
    """Why frames are not compared, and the kinds of change."""
    with pagemap.Process(4242, procfs=a) as first, pagemap.Process(4242, procfs=b) as second:
        table = pagemap.diff(first, second)
    return table.about["pfns_not_compared_because"], list(table["kind"])


def test_another_frame(tmp_path: Path) -> None:
    """It moved, where frames can be seen: whoever may not see PFNs is told of none."""
    why, kinds = compared(look(tmp_path / "a"), look(tmp_path / "b", frame=501))
    assert (why, kinds) in (
        (None, ["moved"]),
        ("the kernel hides them without CAP_SYS_ADMIN (in the initial user namespace)", []),
    )


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"boot": "two"}, "the two are not of one boot of one machine"),
        ({"stat": OTHER_START}, "the two are of different processes"),
        ({"auxv": b"auxv of the second image"}, "the process called exec in between"),
    ],
)
def test_frames_that_cannot_be_compared(
    tmp_path: Path, about: dict[str, str | bytes], reason: str
) -> None:
    a = look(tmp_path / "a")
    b = look(tmp_path / "b", frame=501, **about)  # type: ignore[arg-type]
    assert compared(a, b) == (reason, [])


def test_a_kernel_thread_has_nothing(tmp_path: Path) -> None:
    a = look(tmp_path / "a")
    b = fake_proc.make(tmp_path / "b", stat=fake_proc.KERNEL_THREAD, pages=0, auxv=b"")
    with pagemap.Process(4242, procfs=a) as first, pagemap.Process(4242, procfs=b) as second:
        kinds = {row.kind: row.amount for row in pagemap.diff(first, second)}
    assert kinds == {"mapping removed": 8 * PAGE_SIZE}


def test_usage(tmp_path: Path) -> None:
    with pagemap.Process(4242, procfs=look(tmp_path / "a")) as process:
        with pytest.raises(pagemap.UsageError, match="mapping, path"):
            pagemap.diff(process, process, by="page")
        assert len(pagemap.diff(process, process)) == 0
        process.close()
        with pytest.raises(pagemap.ClosedProcess):
            pagemap.diff(process, process)


@pytest.mark.parametrize("other", [1, "a.pagemap"])
def test_what_is_no_process(other: object) -> None:
    with pagemap.Process("self") as process, pytest.raises(TypeError, match="give a Process"):
        pagemap.diff(process, other)  # type: ignore[call-overload]


def test_many_moves_take_time_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many mappings that each moved: to compare each with each takes seconds."""
    count, size = 8_000, 2 * PAGE_SIZE

    def parts(first: int) -> list[tuple[int, int, pagemap.Mapping]]:
        starts = range(first, first + 2 * count * size, 2 * size)
        return [
            (at, at + size, pagemap.Mapping(at, at + size, "rw-p", 0, "00:00", 0, ""))
            for at in starts
        ]

    gone, new = parts(0), parts(1 << 40)
    frames = {
        start: [(start, 1 + number)]
        for each in (gone, new)
        for number, (start, *_) in enumerate(each)
    }
    monkeypatch.setattr(diff_moves, "_frames", lambda _, part: frames[part[0]])
    side: Any = None
    moves = diff_moves.frame_moves(side, gone, side, new)
    assert moves == [(was[0], now[0], size) for was, now in zip(gone, new, strict=True)]
