"""For each error of the library the exit code of the command, and for some a hint."""

from __future__ import annotations

from errno import (
    EACCES,
    EBADF,
    EBADMSG,
    EINVAL,
    EISDIR,
    ELOOP,
    ENAMETOOLONG,
    ENOENT,
    ENOMEM,
    ENOTDIR,
    ENXIO,
    EOPNOTSUPP,
)

from pagemap._errors import (
    AccessDenied,
    NoSuchFile,
    NoSuchProcess,
    PagemapError,
    TargetVanished,
    Unsupported,
    UsageError,
)

__all__ = ["DENIED", "VANISHED", "code_of", "message_of"]

MISSING = 66
DENIED = 77
VANISHED = 75

_CODES = {
    NoSuchProcess: MISSING,
    NoSuchFile: MISSING,
    AccessDenied: DENIED,
    TargetVanished: VANISHED,
    Unsupported: 69,
    UsageError: 2,
    PagemapError: 1,
}

_SHARED = (
    "'pagemap maps TARGET --columns rss,uss,file,path' shows how much of each mapping others map"
)
_OF_GROUPS = "'pagemap footprint --by WHAT' shows what the kernel tells of each group"
# By the operation that failed: what still works without it.
_HINTS = {
    "tell who maps a frame": _SHARED,
    "tell what is shared": _SHARED,
    "tell what groups of processes share": _OF_GROUPS,
    "tell which groups of processes map memory": _OF_GROUPS,
    "tell what the pages of files are": "without --frames, --charged and --by cgroup 'pagemap "
    "cache' shows how much is cached",
    "tell physical segments": "'pagemap regions' shows which ranges are present",
    "find the pages of nodes": "'pagemap maps --node' shows how much of each mapping is there",
    "save frames": "without --frames the page table alone is saved",
    "count huge pages": "'pagemap maps' still shows how much is huge (mapped by PMDs, or hugetlb)",
    "tell page types": "'pagemap maps' and 'pagemap regions' do not need this, and show what is "
    "present, swapped, of files and huge",
    "track writes by soft-dirty bits": "'pagemap writes PID --inject' does that",
    "walk gently": "without --gentle the kernel's own sums of your processes can be read",
}

# What is done with a path that was given. Where nothing is there, or what is there is of another
# kind than is needed, the code is one and the same, whatever library class the error has.
_OF_PATHS = (
    "look at the page cache",
    "open the snapshot",
    "find a moment",
    "list the cgroup",
    "open the cgroup",
    "read the pid file",
    "open",  # of the output
)
_OF_KINDS = (
    *(None, ENOENT, ENOTDIR, EISDIR, EINVAL, EBADF, ELOOP, ENAMETOOLONG, ENXIO, EOPNOTSUPP),
    EACCES,  # of a pid file that is not trusted; where a right is missing, the class says so
)
_READING = ("read", "read the snapshot")  # a file that may be damaged


def code_of(error: PagemapError) -> int:
    """The exit code: that of the nearest class which has one."""
    if error.errno == ENOMEM:  # whatever it was of, that says nothing of the target
        return 1
    code = next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)
    if code < MISSING and error.operation in _OF_PATHS and error.errno in _OF_KINDS:
        return MISSING
    return code


def message_of(error: PagemapError) -> str:
    """The message, with the command's hint."""
    hint = _HINTS.get(error.operation or "")
    if error.errno == EBADMSG and error.operation in _READING and error.path:
        from shlex import quote

        path = quote(error.path)
        hint = f"'pagemap snapshot --salvage {path} -o NEW' saves what is whole of it"
    return f"{error}; {hint}" if hint else str(error)
