"""Who holds descriptors: never copied, never pickled, and closed while others read."""

from __future__ import annotations

import copy
import importlib
import mmap
import os
import pickle
import pkgutil
import signal
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._analyses import gentle, page_survey
from pagemap._kernel import frames, page_files
from pagemap._kernel.folder import Folder
from pagemap._native.descriptors import Descriptor, Holder
from pagemap._space import every_space as spaces
from pagemap._space.every_process import EveryProcess
from pagemap._space.handle import Handle
from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = oracle.PAGE


def made(name: str, stack: ExitStack, folder: Path) -> object:
    """One of each class that holds descriptors."""
    if name == "Process":
        return stack.enter_context(pagemap.Process("self"))
    if name == "Handle":
        return stack.enter_context(Handle("self"))
    if name == "Folder":
        return Folder(os.getpid(), "self", "/proc")
    if name == "Descriptor":
        return Descriptor(os.open("/dev/null", os.O_RDONLY))
    if name == "Sampler":
        return stack.enter_context(pagemap.Sampler())
    if name == "EveryProcess":
        return EveryProcess([os.getpid()], others=())
    if name == "OpenFile":
        file = folder / "file"
        file.write_bytes(bytes(PAGE))
        return stack.enter_context(page_files.OpenFile(os.fspath(file)))
    if name == "FrameReader":
        reader = stack.enter_context(pagemap.FrameReader())
        if os.geteuid() == 0:
            assert reader.fileno("flags") >= 0
        return reader
    if os.geteuid():
        pytest.skip("needs root: what it holds is of files of root's")
    if name == "Gentle":
        return stack.enter_context(gentle.Gentle())
    if name == "page_survey.Survey":
        return stack.enter_context(page_survey.Survey())
    assert name == "Spaces"
    return stack.enter_context(spaces.Spaces(first=[os.getpid()], only=True))


NAMES = [
    *("Process", "Handle", "Folder", "Descriptor", "Sampler", "EveryProcess", "OpenFile"),
    *("FrameReader", "Gentle", "page_survey.Survey", "Spaces"),
]
WAYS: dict[str, Callable[[object], object]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_no_holder_is_copied(name: str, way: str, tmp_path: Path) -> None:
    """A copy closed what the original still read; a pickled one another program's file."""
    before = sorted(os.listdir("/proc/self/fd"))
    with ExitStack() as stack:
        holder = made(name, stack, tmp_path)
        with pytest.raises(TypeError, match=f"cannot copy or pickle a {type(holder).__name__}"):
            WAYS[way](holder)
        del holder
    assert sorted(os.listdir("/proc/self/fd")) == before


# Context managers that hold no descriptor.
HOLD_NONE = {"Document", "run"}


def test_whoever_is_closed_is_a_holder() -> None:
    """A class that is new, and has to be closed, is to refuse copies too."""
    found: set[Any] = set()
    for module in pkgutil.walk_packages(pagemap.__path__, "pagemap."):
        if "._cli" in module.name or module.name == "pagemap.__main__":
            continue  # the command copies nothing
        for each in vars(importlib.import_module(module.name)).values():
            if hasattr(each, "__exit__") and getattr(each, "__module__", "").startswith("pagemap."):
                found.add(each)
    assert {"Process", "FrameReader", "Sampler"} <= {each.__name__ for each in found}
    careless = {each.__name__ for each in found if not issubclass(each, Holder)}
    assert careless <= HOLD_NONE


def _hammer(read: Callable[[], object], close: Callable[[], object]) -> list[BaseException]:
    """What `read` raises in threads while this one closes, and the numbers are used again."""
    raised: list[BaseException] = []
    go = threading.Barrier(3)

    def run() -> None:
        go.wait()
        try:
            while True:
                read()
        except BaseException as error:  # noqa: BLE001 - each is looked at
            raised.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    go.wait()
    time.sleep(0.002)
    close()
    others = [os.open("/dev/zero", os.O_RDONLY) for _ in range(8)]
    for thread in threads:
        thread.join()
    for fd in others:
        os.close(fd)
    return raised


@pytest.mark.parametrize("call", ["pages", "read_into", "maps", "tally", "check", "entry"])
def test_a_reader_while_another_thread_closes(call: str) -> None:
    """It got EBADF, or the zeros of a file that had the number by then, as if they were pages."""
    mine = mmap.mmap(-1, 64 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    mine[::PAGE] = b"\1" * 64
    start = (oracle.address_of(mine) // PAGE + 1) * PAGE
    for _ in range(15):
        process = pagemap.Process("self")
        buffer = bytearray(8 * 32)

        def read(process: pagemap.Process = process, buffer: bytearray = buffer) -> None:
            if call == "pages":
                entries = process.pages((start, start + 32 * PAGE)).entries
                assert all(oracle.has(entry, "present") for entry in entries)
            elif call == "read_into":
                assert process.read_into(bytearray(256), start) == 32
            elif call == "entry":
                assert process.entry(start).present
            elif call == "maps":
                assert any(each.path == "[stack]" for each in process.maps())
            elif call == "tally":
                assert (process.tally(["present"]).total().present or 0) > 32 * 4096
            else:
                process.check()

        raised = _hammer(read, process.close)
        assert [type(error) for error in raised] == [pagemap.ClosedProcess] * 2, raised
    mine.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: /proc/kpageflags is root's")
def test_frames_while_another_thread_closes() -> None:
    """A reader of frames opens its files anew; what it reads is never another file's."""
    for _ in range(15):
        reader = frames.FrameReader()
        end = time.monotonic() + 0.02

        def read(reader: frames.FrameReader = reader, end: float = end) -> None:
            words = reader.words("flags", range(0, 1 << 16, 7))
            assert frames.NO_WORD not in words
            assert len(set(words)) > 1  # not the zeros of another file
            if time.monotonic() > end:
                raise StopIteration

        raised = _hammer(read, reader.close)
        assert [type(error) for error in raised] == [StopIteration] * 2, raised
        reader.close()


def test_closing_in_a_signal_handler() -> None:
    """No lock is taken, so a handler that closes in the midst of a read neither hangs nor harms."""
    for _ in range(20):
        process = pagemap.Process("self")
        signal.signal(signal.SIGALRM, lambda *_, process=process: process.close())
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        try:
            with pytest.raises(pagemap.ClosedProcess):
                _read_for_ever(process)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _read_for_ever(process: pagemap.Process) -> None:
    while True:
        assert any(each.path == "[stack]" for each in process.maps())


def test_a_number_that_was_given_out_stays_open() -> None:
    process = pagemap.Process("self")
    number = process.fileno()
    plain = int(number)
    process.close()
    assert os.pread(number, 8, 0)
    del number
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(plain)
