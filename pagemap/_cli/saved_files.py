"""What is wrong with a TARGET that may have been meant as a snapshot, and with its options."""

from __future__ import annotations

import os
from errno import EACCES, EINVAL, ENOENT, ENOTDIR, EPERM

from pagemap._cli.saved_targets import saved
from pagemap._errors import AccessDenied, NoSuchFile, NoSuchProcess, PagemapError, UsageError
from pagemap._kernel.regular import open_regular, what_instead
from pagemap._kernel.users import known, user_name
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["check_output", "check_whole", "why_none"]

_SUFFIX = ".pagemap"
_GIVEN = ("target", "targets", "before", "after")


def why_none(text: str) -> PagemapError | None:
    """Why this is no snapshot, where it looks as one or names a file; None where it does neither.

    It was found before that no process has such a name.
    """
    path, mark, number = _divided(text)
    if mark and saved(path) is not None:
        what = "moment" if mark == "@" else "process"
        example = f"{path}@0 the first, {path}@-1 the last" if mark == "@" else f"{path}#4242"
        return UsageError(f"{printable(number)!r} is no number of a {what}: {printable(example)}")
    if mark and _is_whole_number(number) and not os.path.lexists(text):
        text = path
    try:
        os.lstat(text)
    except OSError as error:
        # also where it lies in a directory that may not be searched: nobody knows what is there
        return _unreadable(text, error) if "/" in text or text.endswith(_SUFFIX) else None
    try:
        fd = open_regular(text, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return _unreadable(text, error)
    if fd is None:
        what = what_instead(text).removeprefix("it ")
        return NoSuchProcess(
            f"{printable(text)} {what}, and no process has that name", errno=EINVAL, path=text
        )
    os.close(fd)
    return NoSuchProcess(
        f"{printable(text)} is no snapshot, and no process has that name", errno=ENOENT, path=text
    )


def check_whole(text: str) -> None:
    """Raise UsageError for a moment or process of a file where the whole file is taken.

    And AccessDenied, as for a TARGET, where it may not be read.
    """
    path, mark, number = _divided(text)
    if mark and _is_whole_number(number) and not os.path.lexists(text) and os.path.lexists(path):
        raise UsageError(f"this takes the file, with all that is in it: {printable(path)}")
    try:
        fd = open_regular(text, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (EACCES, EPERM):
            raise _unreadable(text, error) from None
        return
    if fd is not None:
        os.close(fd)


def _divided(text: str) -> tuple[str, str, str]:
    """The text before the last mark of a moment or a process, the mark, and what is behind it."""
    at = max(text.rfind("#"), text.rfind("@"))
    return (text[:at], text[at], text[at + 1 :]) if at > 0 else (text, "", "")


def _is_whole_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _unreadable(path: str, error: OSError) -> PagemapError:
    if error.errno in (ENOENT, ENOTDIR):
        return NoSuchFile(f"there is no file {printable(path)}", errno=error.errno, path=path)
    if error.errno not in (EACCES, EPERM):
        return PagemapError(
            f"cannot open {printable(path)}: {error.strerror}", errno=error.errno, path=path
        )
    try:
        user = known(os.stat(path).st_uid)
    except OSError:
        why = "; a directory above it may not be entered"
    else:
        why = "" if user is None else f"; it belongs to {user_name(user)}"
    return AccessDenied(
        f"cannot open {printable(path)}: permission denied{why}", errno=error.errno, path=path
    )


def check_output(arguments: Namespace) -> None:
    """Raise UsageError where the output would replace a snapshot that is read, or --watch one."""
    output = getattr(arguments, "output", None)
    watched = getattr(arguments, "watch", None) is not None
    if not watched and output in (None, "-"):
        return
    texts: list[str] = []
    for name in _GIVEN:
        given = getattr(arguments, name, None) or []
        texts += [given] if isinstance(given, str) else given
    meant = [saved(text) for text in texts]
    if watched and meant and None not in meant:
        raise UsageError(
            f"--watch shows what changes, and {printable(texts[0])} is a snapshot; leave it out"
        )
    since = getattr(arguments, "since", None)
    for each in [*meant, saved(since) if since else None]:
        if each is not None and output not in (None, "-") and _is_same(output, each.path):
            raise UsageError(
                f"-o {printable(output)} would replace the snapshot that is read: give another name"
            )


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
