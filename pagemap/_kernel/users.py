"""The names of users, and which number the kernel gives for those that it does not let us know.

To a user namespace that has no number for a user, as a rootless container has none for most, the
kernel gives 65534 (from_kuid_munged in kernel/user_namespace.c), the number of "nobody".
"""

from __future__ import annotations

import os

__all__ = ["known", "user_name"]

_ALL = (1 << 32) - 1  # users, in the namespace that the machine began with

_names: dict[int, str] = {}


def known(uid: int) -> int | None:
    """The number of a user as the kernel gives it; None where it may stand for any other user."""
    return None if uid == _overflow() and _mapped() < _ALL else uid


def user_name(uid: int) -> str:
    """The name of a user, or the number of one that has no name."""
    if uid not in _names:
        import pwd

        try:
            _names[uid] = pwd.getpwuid(uid).pw_name
        except KeyError:
            _names[uid] = str(uid)
    return _names[uid]


def _overflow() -> int:
    """What stands for users without a number here: root may set it to any of 16 bits."""
    try:
        with open("/proc/sys/kernel/overflowuid", "rb") as file:
            return int(file.read(16))
    except (OSError, ValueError):
        return 65534


def _mapped() -> int:
    """How many users have a number in our namespace: all of them where it is the first."""
    try:
        with open("/proc/self/uid_map", "rb") as file:
            return sum(int(line.split()[2]) for line in file)
    except OSError:
        # such a kernel was built without user namespaces, if it is not proc that is missing
        return _ALL if os.path.exists("/proc/self/stat") else 0
