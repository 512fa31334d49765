"""Run a piece of a test as a user without rights, in a child of this process."""

from __future__ import annotations

import ctypes
import os
import pickle
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    Result = TypeVar("Result")

NOBODY = 65534
PR_SET_DUMPABLE = 4
CAP_SYS_ADMIN = 21
_LINUX_CAPABILITY_VERSION_3 = 0x20080522


def as_nobody(function: Callable[[], Result]) -> Result:
    """What `function` returns or raises as user nobody; needs root.

    A forked child, not a new interpreter: that of root may lie where nobody cannot read it.
    """
    return _in_child(_become_nobody, function)


def without_admin(function: Callable[[], Result]) -> Result:
    """The same as root without CAP_SYS_ADMIN, from whom the kernel hides PFNs and swap types."""
    return _in_child(_drop_admin, function)


def _in_child(prepare: Callable[[], None], function: Callable[[], Result]) -> Result:
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        # Whatever happens, the child must not go on as a second run of the tests.
        status = 1
        try:
            os.close(read_end)
            answer = _answer(prepare, function)
            with open(write_end, "wb") as file:
                file.write(answer)
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    with open(read_end, "rb") as file:
        data = file.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child ended with status {status}"
    error, result = pickle.loads(data)
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    # Giving up rights makes a process unreadable even for itself; a new program is not so.
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def _drop_admin() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    # struct __user_cap_header_struct, and two of data: effective, permitted, inherited
    header = (ctypes.c_uint32 * 2)(_LINUX_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    for at in range(3):
        sets[at] &= ~(1 << CAP_SYS_ADMIN)
    assert libc.capset(header, sets) == 0


def _answer(prepare: Callable[[], None], function: Callable[[], Result]) -> bytes:
    try:
        prepare()
        return pickle.dumps((None, function()))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again in the parent
        return pickle.dumps((error, None))
