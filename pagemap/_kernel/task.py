"""What every user may read about a process: its owner, its cgroup, its command line.

The file that it runs is for those who may read its memory.
"""

from __future__ import annotations

from pagemap._errors import NoSuchProcess, TargetVanished
from pagemap._kernel.decimals import number
from pagemap._kernel.users import known, user_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._kernel.folder import Folder

__all__ = [
    "allowed_nodes",
    "cgroup",
    "cmdline",
    "container",
    "exe",
    "name",
    "oom_score",
    "oom_score_adj",
    "page_tables",
    "session",
    "size_and_shmem",
    "swapped",
    "threads",
    "uid",
    "user",
]

_DIGITS = 10  # of a score
_SESSION = 3  # of the fields of stat from the state on


def size_and_shmem(folder: Folder) -> tuple[int | None, int | None]:
    """The virtual size and the running count of resident shared memory, in bytes.

    The count is None before Linux 4.5; it lags behind by some pages for each processor before Linux
    6.17. Raises TargetVanished (or NoSuchProcess) for a process that has ended: without memory,
    none of these lines are there.
    """
    text = folder.read("status")
    shmem = _size(text, b"RssShmem")
    if shmem is None and _line(text, b"VmRSS") is None:
        raise folder.vanished("exited")
    return _size(text, b"VmSize"), shmem


def page_tables(folder: Folder) -> int | None:
    """The size of its page tables, in bytes; None where the kernel does not tell (any more)."""
    return _bytes(_status(folder, b"VmPTE"))


def allowed_nodes(folder: Folder) -> str | None:
    """The nodes that its cpuset allows it to allocate on, as a list of the kernel's."""
    found = _status(folder, b"Mems_allowed_list")
    return None if found is None else found.decode("ascii", "replace").strip()


def swapped(folder: Folder) -> int | None:
    """How much of its own memory is in swap, in bytes; None where the kernel does not tell."""
    return _bytes(_status(folder, b"VmSwap"))


def threads(folder: Folder) -> int | None:
    """How many threads it has; None for one that is gone."""
    return _word(_status(folder, b"Threads"), 0)


def oom_score(folder: Folder) -> int | None:
    """How likely the kernel is to kill it when memory runs out."""
    return _number(folder.peek("oom_score"))


def oom_score_adj(folder: Folder) -> int | None:
    """What its owner adds to that."""
    return _number(folder.peek("oom_score_adj"))


def _number(text: bytes | None) -> int | None:
    text = text and text.strip()
    known = text and text.removeprefix(b"-").isdigit() and len(text) <= _DIGITS
    return int(text) if text and known else None


def user(folder: Folder) -> str | None:
    """The name of the user with whose rights it runs, or the number of one that has no name.

    None where our user namespace has no number for that user.
    """
    found = uid(folder)
    return None if found is None else user_name(found)


def uid(folder: Folder) -> int | None:
    """The number of its effective user; None where our user namespace has none for that user."""
    found = _word(_status(folder, b"Uid"), 1)
    return None if found is None else known(found)


def cgroup(folder: Folder) -> str | None:
    """Its cgroup: in the unified hierarchy, or in that of memory where that is of version 1."""
    memory, _, unified = _cgroups(folder)
    return unified if memory is None else memory


def container(folder: Folder) -> str | None:
    """The container, service or session that it belongs to, in words (`containers.name_of`).

    In version 1 systemd's own hierarchy tells where that of memory does not: there services have a
    cgroup only if their memory is accounted for.
    """
    from pagemap._kernel.containers import name_of

    found = [path for path in _cgroups(folder) if path is not None]
    return name_of(next((path for path in found if path != "/"), found[0])) if found else None


def _cgroups(folder: Folder) -> tuple[str | None, str | None, str | None]:
    """Its path in the hierarchies of memory (version 1), of systemd, and in the unified one."""
    memory = systemd = unified = None
    for line in (folder.peek("cgroup") or b"").split(b"\n"):
        number, _, rest = line.partition(b":")
        controllers, _, path = rest.partition(b":")
        if b"memory" in controllers.split(b","):
            memory = _text(path)
        elif controllers == b"name=systemd":
            systemd = _text(path)
        elif number == b"0":
            unified = _text(path)
    return memory, systemd, unified


def name(folder: Folder) -> str | None:
    """Its command name."""
    text = folder.peek("comm")
    return None if text is None else _text(text.removesuffix(b"\n"))


def exe(folder: Folder) -> str | None:
    """The path of the file that it runs; None where that is hidden from us."""
    path = folder.executable_path()
    return None if path is None else _text(path)


def session(folder: Folder) -> str | None:
    """Its session (setsid(2)): the number of that which leads it.

    None where it has no number: begun outside of our PID namespace, or by none since the boot, as
    that of kernel threads.
    """
    fields = (folder.peek("stat") or b"").rpartition(b")")[2].split()
    found = fields[_SESSION] if len(fields) > _SESSION else b""
    known = found.isdigit() and len(found) <= _DIGITS and int(found) > 0
    return _text(found) if known else None


def cmdline(folder: Folder) -> str | None:
    """Its arguments with blanks between: what it says that it was run as, 4096 bytes at most."""
    text = folder.head("cmdline")
    return None if text is None else _text(text.rstrip(b"\0").replace(b"\0", b" "))


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _status(folder: Folder, name: bytes) -> bytes | None:
    try:
        text = folder.read("status")
    except (NoSuchProcess, TargetVanished):
        return None
    return _line(text, name)


def _size(text: bytes, name: bytes) -> int | None:
    return _bytes(_line(text, name))


def _bytes(line: bytes | None) -> int | None:
    """The bytes of a number of KiB."""
    found = _word(line, 0)
    return None if found is None else found << 10


def _word(line: bytes | None, place: int) -> int | None:
    """The number in this place of a line; None where it has none."""
    words = (line or b"").split()
    return number(words[place]) if len(words) > place else None


def _line(text: bytes, name: bytes) -> bytes | None:
    _, found, rest = text.partition(b"\n" + name + b":")
    return rest.partition(b"\n")[0] if found else None
