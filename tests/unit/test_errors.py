"""The tree of errors: what a caller may catch, what an error carries, that it survives a pool."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import traceback

import pytest

import pagemap
from pagemap import _errors as errors
from pagemap._kernel.os_errors import from_os_error

EVERY = [
    errors.PagemapError("a", pid=1, errno=5, operation="read", path="/x"),
    errors.NoSuchProcess("b", pid=2, errno=errno.ESRCH),
    errors.NoSuchFile("n", errno=errno.ENOENT, operation="open", path="/gone"),
    errors.AccessDenied("c", pid=3, errno=errno.EACCES, operation="open", path="/proc/3/maps"),
    errors.PfnsHidden("d", pid=4),
    errors.TargetVanished("e", pid=5, errno=errno.ESRCH),
    errors.AddressError("f", address=4096, pid=6),
    errors.NotMapped("g", address=4096, pid=7),
    errors.NotPresent("h", address=4096),
    errors.SwappedOut("i", address=4096, pid=9, swap_type=1, swap_offset=77),
    errors.Unsupported("j", errno=errno.ENOTTY),
    errors.UsageError("k"),
    errors.ClosedProcess("m", pid=1),
]

TABLE = {
    "PagemapError": Exception,
    "NoSuchProcess": ProcessLookupError,
    "NoSuchFile": FileNotFoundError,
    "AccessDenied": PermissionError,
    "PfnsHidden": PermissionError,
    "TargetVanished": ProcessLookupError,
    "AddressError": LookupError,
    "NotMapped": LookupError,
    "NotPresent": LookupError,
    "SwappedOut": LookupError,
    "Unsupported": NotImplementedError,
    "UsageError": ValueError,
    "ClosedProcess": ValueError,
}


def test_the_table_names_every_error() -> None:
    kinds = set(errors.__all__)
    assert kinds == set(TABLE) == {type(error).__name__ for error in EVERY}


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_a_traceback_names_what_users_catch(error: errors.PagemapError) -> None:
    """It said pagemap._errors.NoSuchProcess, which nobody may import."""
    (line,) = traceback.format_exception_only(error)
    assert line == f"pagemap.{type(error).__name__}: {error}\n"
    assert getattr(pagemap, type(error).__name__) is type(error)


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_builtin(error: errors.PagemapError) -> None:
    assert isinstance(error, TABLE[type(error).__name__])
    assert isinstance(error, errors.PagemapError)


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("way", ["pickle", "copy"])
def test_survives(error: errors.PagemapError, way: str) -> None:
    again = pickle.loads(pickle.dumps(error)) if way == "pickle" else copy.copy(error)
    assert type(again) is type(error)
    assert str(again) == str(error) == error.args[0]
    names = ("pid", "errno", "operation", "path", "address", "swap_type", "swap_offset", "pids")
    for name in names:
        assert getattr(again, name, None) == getattr(error, name, None), name


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.ESRCH, errors.NoSuchProcess, "there is no process 42"),
        (errno.ENOENT, errors.NoSuchProcess, "there is no process 42"),
        (errno.EACCES, errors.AccessDenied, "CAP_SYS_PTRACE"),
        (errno.EPERM, errors.AccessDenied, "CAP_SYS_PTRACE"),
        (errno.EIO, errors.PagemapError, "Input/output error"),
    ],
)
def test_errno_gets_its_meaning(code: int, kind: type, words: str) -> None:
    error = from_os_error(
        OSError(code, "Input/output error"), pid=42, operation="read the page table", path="/p"
    )
    assert type(error) is kind
    assert words in str(error)
    assert (error.pid, error.errno, error.path) == (42, code, "/p")
    assert error.operation == "read the page table"


@pytest.mark.parametrize(("user", "advice"), [(0, "root needs CAP_SYS_PTRACE"), (1000, "sudo")])
def test_root_is_not_told_to_become_root(
    monkeypatch: pytest.MonkeyPatch, user: int, advice: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    error = from_os_error(
        PermissionError(errno.EACCES, "Permission denied"), pid=42, operation="read the page table"
    )
    assert advice in str(error)
    assert ("sudo" in str(error)) == (user != 0)
