"""The page cache by file, beside util-linux' fincore and vmtouch: byte for byte."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from tests import oracle
from tests.live.as_nobody import as_nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = oracle.PAGE
FILES = int(os.environ.get("PAGEMAP_CACHE_FILES", "100"))


def fincore(paths: list[Path]) -> dict[str, int]:
    """The cached bytes of each file, as util-linux has them."""
    program = shutil.which("fincore")
    if program is None:
        pytest.skip("fincore is not installed (Debian: apt install util-linux-extra)")
    found: dict[str, int] = {}
    for at in range(0, len(paths), 500):
        some = list(map(str, paths[at : at + 500]))
        done = subprocess.run(
            [program, "--json", "--bytes", "--output", "RES,FILE", *some],
            check=True,
            capture_output=True,
        )
        rows = json.loads(done.stdout)["fincore"]
        found |= {row["file"]: int(row["res"]) for row in rows}
    return found


def vmtouch(path: Path) -> tuple[int, int]:
    """The files below a folder, and their pages that are cached."""
    program = shutil.which("vmtouch")
    if program is None:
        pytest.skip("vmtouch is not installed (Debian: apt install vmtouch)")
    done = subprocess.run([program, str(path)], check=True, capture_output=True, text=True)
    files = re.search(r"Files: (\d+)", done.stdout)
    pages = re.search(r"Resident Pages: (\d+)/", done.stdout)
    assert files is not None
    assert pages is not None
    return int(files[1]), int(pages[1])


def drop(path: Path, start: int, size: int) -> None:
    """Have the kernel give up some of what is cached of a file that was written out."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), start, size, os.POSIX_FADV_DONTNEED)


def plant(root: Path, count: int, drawn: random.Random) -> None:
    """Files of any size and shape: partial last pages, holes, links, and parts not cached."""
    for number in range(count):
        folder = root / f"{number % 7}" / f"{number % 31} x"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"file {number}"
        kind = drawn.randrange(6)
        size = drawn.choice([0, 1, PAGE - 1, PAGE, PAGE + 1, drawn.randrange(200_000)])
        file.write_bytes(drawn.randbytes(size))
        if kind == 1:
            with file.open("r+b") as handle:
                handle.truncate(drawn.randrange(1 << 27))
        elif kind == 2:
            os.link(file, folder / f"link {number}")
        elif kind == 3:
            (folder / f"symbolic {number}").symlink_to(file)
    for number, file in enumerate(sorted(root.rglob("file *"))):
        if number % 3 == 0:
            with file.open("rb") as handle:
                os.fsync(handle.fileno())  # what is dirty is not given up
            drop(file, drawn.randrange(50_000) // PAGE * PAGE, drawn.randrange(1, 100_000))


def check(root: Path) -> None:
    """Each file is as fincore has it, all together as vmtouch does, and nothing changes."""
    paths = sorted(each for each in root.rglob("*") if each.is_file() and not each.is_symlink())
    for _ in range(5):  # memory may be short, and a page be given up meanwhile
        before, among_all = fincore(paths), vmtouch(root)
        table: pagemap.Table[Any] = pagemap.cache([str(root)], least=0)
        if fincore(paths) == before and vmtouch(root) == among_all:
            break
    else:
        pytest.fail("what is cached changed at each try")
    rows = {row.path: row for row in table}
    inodes = {path.stat().st_ino for path in paths}
    assert len(rows) == len(inodes) == among_all[0]
    for path in map(str, paths):
        if path not in rows:
            continue  # another name of the same file
        row, about = rows[path], os.stat(path)
        assert (row.cached, row.size) == (before[path], about.st_size), path
        assert (row.inode, row.links) == (about.st_ino, about.st_nlink)
        pages = -(-about.st_size // PAGE)
        assert row.share == pytest.approx(before[path] / PAGE / pages if pages else 0)
    assert table.total().cached == sum(row.cached for row in rows.values())
    assert table.total().cached == among_all[1] * PAGE
    assert table.about["files"] == len(paths)
    assert table.about["failed"] == 0


@pytest.mark.parametrize("where", ["disk", "tmpfs"])
def test_each_file_as_fincore_and_vmtouch_have_it(where: str, tmp_path: Path) -> None:
    if where == "tmpfs" and not os.access("/dev/shm", os.W_OK):
        pytest.skip("/dev/shm, a tmpfs, may not be written to")
    with contextlib.ExitStack() as stack:
        root = tmp_path
        if where == "tmpfs":
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        plant(root, FILES, random.Random(11))
        check(root)


@pytest.fixture
def overlay(need_root: None, tmp_path: Path) -> Iterator[Path]:
    """An overlay, whose own inodes have no page cache."""
    with contextlib.ExitStack() as undo:
        for name in ("lower", "upper", "work", "merged"):
            (tmp_path / name).mkdir()
        plant(tmp_path / "lower", FILES // 4, random.Random(5))
        options = ",".join(f"{name}dir={tmp_path / name}" for name in ("lower", "upper", "work"))
        words = ["mount", "-t", "overlay", "overlay", "-o", options, str(tmp_path / "merged")]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"cannot mount an overlay here: {done.stderr.strip()}")
        undo.callback(subprocess.run, ["umount", words[-1]], check=True)
        yield tmp_path / "merged"


def test_an_overlay(overlay: Path) -> None:
    """What is cached is the lower file's; cachestat says 0, and mincore alone tells."""
    with (overlay / "new").open("wb") as file:
        file.write(b"x" * (3 * PAGE + 1))
    paths = {str(each): each for each in overlay.rglob("*") if not each.is_symlink()}
    table: pagemap.Table[Any] = pagemap.cache([str(overlay)], least=0)
    rows = [row for row in table if row.size < 1 << 27]
    assert len(rows) > 10
    for row in rows:
        lower = overlay.parent / "lower" / paths[row.path].relative_to(overlay)
        if lower.exists():
            assert row.cached == fincore([lower])[str(lower)], row.path
    (new,) = (row for row in table if row.path.endswith("/new"))
    assert (new.cached, new.dirty, new.told) == (4 * PAGE, None, "mincore")


def test_a_sparse_terabyte_costs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "sparse"
    file.write_bytes(b"x")
    # mincore, which tells on older kernels, looks at each page
    shift = 40 if pagemap.cache([str(file)])[0].told == "cachestat" else 28
    with file.open("wb") as handle:
        handle.truncate(1 << shift)
        os.pwrite(handle.fileno(), b"x", 1 << (shift - 1))
    (row,) = pagemap.cache([str(file)])
    assert (row.size, row.cached) == (1 << shift, PAGE)


def test_a_file_is_one_however_it_is_met(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / "file"
    file.write_bytes(b"x" * (2 * PAGE))
    (tmp_path / "link to a").symlink_to(tmp_path / "a")
    folder = str(tmp_path)
    for paths in ([folder], [folder, folder], [folder, f"{folder}/a"], [str(file), folder],
                  [folder, str(file)], [folder, f"{folder}/link to a"]):  # fmt: skip
        table = pagemap.cache(paths)
        assert [row.cached for row in table] == [2 * PAGE], paths


def test_dirty_and_evicted(tmp_path: Path) -> None:
    words = ["stat", "--file-system", "--format", "%T", str(tmp_path)]
    if subprocess.run(words, check=True, capture_output=True).stdout == b"tmpfs\n":
        pytest.skip("temporary files lie in a tmpfs, which writes nothing out")
    file = tmp_path / "file"
    file.write_bytes(b"x" * (64 * PAGE))
    (row,) = pagemap.cache([str(file)])
    if row.told != "cachestat":
        pytest.skip("this kernel has no cachestat (6.5)")
    assert (row.cached, row.share) == (64 * PAGE, 1.0)
    assert row.dirty is not None
    assert row.writeback is not None
    assert 0 < row.dirty + row.writeback <= 64 * PAGE
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
    drop(file, 0, 0)
    with file.open("rb", buffering=0) as handle:
        os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_RANDOM)  # nothing is read ahead
        handle.read(32 * PAGE)
    (row,) = pagemap.cache([str(file)])
    assert (row.cached, row.dirty, row.share) == (32 * PAGE, 0, 0.5)
    drop(file, 0, 0)
    assert len(pagemap.cache([str(file)])) == 0
    assert pagemap.cache([str(file)], least=0)[0].cached == 0


def test_least(tmp_path: Path) -> None:
    for pages in range(5):
        (tmp_path / f"{pages}").write_bytes(b"x" * (pages * PAGE))
    for least in (1, PAGE, PAGE + 1, 3 * PAGE, 5 * PAGE):
        table = pagemap.cache([str(tmp_path)], least=least)
        wanted = [str(pages) for pages in range(5) if pages * PAGE >= least]
        assert [os.path.basename(row.path) for row in table] == wanted


def test_what_nobody_tells_is_not_known(need_root: None) -> None:
    """Of another user's file the kernel tells nothing, and mincore would say that all is cached."""
    about = Path("/etc/passwd").stat()
    if about.st_uid != 0 or about.st_mode & 0o022:
        pytest.skip("/etc/passwd is not root's alone to write")

    def look() -> tuple[object, ...]:
        (row,) = pagemap.cache(["/etc/passwd"], least=0)
        return row.cached, row.share, row.told, row.size

    cached, share, told, size = as_nobody(look)
    assert size == about.st_size
    if told is None:
        assert (cached, share) == (None, None)
    else:  # kernels before the right was asked for tell everybody
        assert (told, cached) == ("cachestat", pagemap.cache(["/etc/passwd"], least=0)[0].cached)


def test_the_sum_of_files_of_which_none_is_told(need_root: None) -> None:
    """It was 0 where all files of a folder are another user's."""

    def look() -> tuple[object, ...]:
        table = pagemap.cache(["/etc/init.d"])
        return len(table), table.about["failed"], table.total().cached

    if not pagemap.cache(["/etc/init.d"], least=0):
        pytest.skip("/etc/init.d has no files")
    rows, failed, cached = as_nobody(look)
    assert (cached is None) == (rows == 0 and failed != 0)


def test_the_sum_of_no_files(tmp_path: Path) -> None:
    assert pagemap.cache([str(tmp_path)]).total().cached == 0


def test_what_cannot_be_looked_at(tmp_path: Path) -> None:
    with pytest.raises(pagemap.PagemapError, match="No such file"):
        pagemap.cache([str(tmp_path / "none")])
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(pagemap.PagemapError, match="neither a regular file"):
        pagemap.cache([str(tmp_path / "fifo")])
    (tmp_path / "file").write_bytes(b"x")
    table = pagemap.cache([str(tmp_path / "none"), str(tmp_path)])
    assert [row.cached for row in table] == [PAGE]
    reasons: Any = table.about["reasons"]
    assert [path for path, _ in reasons] == [str(tmp_path / "none")]
    with pytest.raises(pagemap.UsageError):
        pagemap.cache([])
    with pytest.raises(TypeError):
        pagemap.cache(str(tmp_path))  # its letters would be paths


def test_the_kernels_own_are_not_entered() -> None:
    """But what is named is looked at."""
    (row,) = pagemap.cache(["/proc/self/maps"], least=0)
    assert (row.size, row.cached) == (0, 0)


def test_a_device_that_may_not_be_opened(need_root: None) -> None:
    """A cgroup may forbid it to root too: it was said that the kernel tells only the owner."""
    for name in sorted(os.listdir("/sys/class/block")):
        device = Path("/dev", name)
        try:
            device.open("rb").close()
        except PermissionError as error:
            with pytest.raises(pagemap.AccessDenied, match=f"{device}.*{error.strerror}$"):
                pagemap.cache([str(device)])
            return
        except OSError:
            continue
    pytest.skip("root may open all block devices here")


def test_a_block_device(need_root: None) -> None:
    for name in sorted(os.listdir("/sys/class/block")):
        device = Path("/dev", name)
        if not device.is_block_device():
            continue
        with contextlib.suppress(OSError), device.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if not size:
                continue
            (row,) = pagemap.cache([str(device)], least=0)
            assert row.size == size
            assert row.cached is not None
            return
    pytest.skip("no block device can be opened here")


def test_a_file_that_is_not_there_is_the_builtin_error_too(tmp_path: Path) -> None:
    """One would catch FileNotFoundError; a test's own traceback ends where it called."""
    gone = str(tmp_path / "gone")
    calls: list[Callable[[], object]] = [
        lambda: pagemap.cache([gone]),
        lambda: pagemap.assert_resident(gone),
        lambda: pagemap.Snapshot(gone),
        lambda: pagemap.Recorder("self", f"{gone}/new"),
        lambda: pagemap.Snapshot.take(["self"], f"{gone}/new"),
    ]
    for call in calls:
        with pytest.raises(pagemap.NoSuchFile, match="No such file") as caught:
            call()
        assert isinstance(caught.value, FileNotFoundError)
        assert str(caught.value.path).startswith(gone)
