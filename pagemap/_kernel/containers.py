"""What a cgroup is of, in plain words: a container, a pod, a service, somebody's session.

Container managers have no common file that tells; they name cgroups by conventions, with the driver
"cgroupfs" by directories and with the driver "systemd" by units::

    docker      /docker/ID                              docker-ID.scope
    podman      /libpod_parent/libpod-ID                libpod-ID.scope (libpod-conmon-ID.scope)
    kubernetes  /kubepods/burstable/podUID/ID           kubepods-burstable-podUID.slice/
                podUID:cri-containerd:ID                    cri-containerd-ID.scope, crio-ID.scope
    containerd  /NAMESPACE/ID                           nerdctl-ID.scope
    lxc, incus  /lxc/NAME, /lxc.payload.NAME
    systemd     NAME.service, NAME.scope                systemd-nspawn@NAME.service

A user may make cgroups below his own, with any names, and so may a service or a container below
the one that was made for it: of what lies there it is said in which it is.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["name_of", "name_of_directory"]

_SHORT = 12  # digits of an id, as the managers themselves list them
_ID = "(?P<id>[0-9a-f]{64})"
_UNIT = re.compile(r"(?P<name>.+\.(?:service|scope))")
_POD = re.compile(r"(?:[a-z-]+-)?pod(?P<pod>[0-9a-f]{8,}[-_0-9a-f]*)(?:\.slice)?")
_OWNER = re.compile(r"user(?:-(?P<slice>[0-9]+)\.slice|@(?P<service>[0-9]+)\.service)")
_SESSION = re.compile(r"session-(?P<number>[A-Za-z0-9]+)\.scope")
# the words for each, of the innermost part of a path that one of them fits
_KINDS = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (f"docker-{_ID}\\.scope", "docker {}"),
        (f"libpod-conmon-{_ID}(?:\\.scope)?", "podman monitor of {}"),
        (f"libpod-{_ID}(?:\\.scope)?", "podman {}"),
        (f"cri-?o-conmon-{_ID}(?:\\.scope)?", "cri-o monitor of {}"),
        (f"cri-?o-{_ID}(?:\\.scope)?", "cri-o {}"),
        (f"(?:.*:)?(?:cri-containerd|nerdctl)[-:]{_ID}(?:\\.scope)?", "containerd {}"),
        (r"lxc\.monitor\.(?P<id>.+)", "lxc monitor of {}"),
        (r"lxc\.payload\.(?P<id>.+)", "lxc {}"),
        (r"systemd-nspawn@(?P<id>.+)\.service", "nspawn {}"),
        (r"machine-qemu-[0-9]+-(?P<id>.+)\.scope", "virtual machine {}"),
        (r"machine-(?P<id>.+)\.scope", "machine {}"),
    )
)
# those that are the name of a directory below one of the manager's
_BELOW = {"docker": "docker {}", "lxc": "lxc {}", "lxc.payload": "lxc {}"}
_BELOW |= {"lxc.monitor": "lxc monitor of {}", "libpod_parent": "podman {}"}
_ESCAPED = re.compile(r"(?:\\x[0-9a-f]{2})+")
_BARE = re.compile(_ID)


def name_of(path: str) -> str:
    """The words for a cgroup, whose path is as /proc/PID/cgroup has it.

    That is "docker 0123456789ab", "kubernetes pod UID, containerd 0123456789ab", "nginx.service",
    "session 3 of user 1000" or alike; the path itself where no convention fits. All cgroups of one
    container have the same; those of users, who may give any names, end in "of user 1000", those
    within another container or service in "in docker 0123456789ab" or "in nginx.service".

    >>> from pagemap._kernel.containers import name_of
    >>> name_of("/system.slice/nginx.service")
    'nginx.service'
    """
    parts = [_plain(part) for part in path.split("/") if part and part != ".."]
    owner = _owner(parts)
    container, at = _innermost(parts, _container)
    pod, of_pod = _innermost(parts, _pod)
    named = ", ".join(words for words in (pod, container) if words)
    if not named:
        return _unit(parts, owner) or path
    if owner is not None:
        return f"{named} of user {owner}"
    holder = _holder(parts[: at if container else of_pod])
    return f"{named} in {holder}" if holder else named


def name_of_directory(directory: str, roots: Sequence[str]) -> str:
    """The same for a cgroup's directory; `roots` are where hierarchies are mounted."""
    for root in roots:
        if directory == root or directory.startswith(f"{root}/"):
            return name_of(directory[len(root) :] or "/")
    return name_of(directory)


def _innermost(
    parts: list[str], words_of: Callable[[list[str], int], str | None]
) -> tuple[str | None, int]:
    """What is found innermost on the path, and where."""
    for at in range(len(parts) - 1, -1, -1):
        words = words_of(parts, at)
        if words:
            return words, at
    return None, 0


def _container(parts: list[str], at: int) -> str | None:
    """The container that this part of the path is of, by itself or by the one above."""
    for pattern, words in _KINDS:
        found = pattern.fullmatch(parts[at])
        if found:
            return words.format(_short(found["id"]))
    above = parts[at - 1] if at else ""
    if above in _BELOW:
        return _BELOW[above].format(_short(parts[at]))
    if at and _BARE.fullmatch(parts[at]):
        known = _pod(parts, at - 1) or above == "k8s.io"
        return f"container {_short(parts[at])}" if known else f"containerd {_short(parts[at])}"
    return None


def _holder(parts: list[str]) -> str | None:
    """The outermost container or unit of these parts, which may have made what lies below."""
    for at, part in enumerate(parts):
        unit = _UNIT.fullmatch(part)
        named = _container(parts, at) or (unit and unit["name"])
        if named:
            return named
    return None


def _pod(parts: list[str], at: int) -> str | None:
    """The pod that a directory is of; with names like SLICE:cri-containerd:ID the slice tells."""
    found = _POD.fullmatch(parts[at].partition(":")[0])
    return found and f"kubernetes pod {found['pod'].replace('_', '-')}"


def _owner(parts: list[str]) -> str | None:
    """The user below whose slice it lies: that which systemd itself made."""
    found = _OWNER.fullmatch(parts[1]) if parts[:1] == ["user.slice"] and parts[1:] else None
    return found and found["slice"]


def _unit(parts: list[str], owner: str | None) -> str | None:
    """The outermost unit of systemd: those within may be of anybody. With the user whose it is."""
    for part in parts:
        session = _SESSION.fullmatch(part)
        if session and owner:
            return f"session {session['number']} of user {owner}"
        unit = _UNIT.fullmatch(part)
        if unit and not _OWNER.fullmatch(part):
            return f"{unit['name']} of user {owner}" if owner else unit["name"]
    if owner:
        named = parts[-1].endswith(".slice") or any(map(_UNIT.fullmatch, parts))
        return f"user {owner}" if named else None
    return parts[-1] if parts and parts[-1].endswith(".slice") else None


def _short(text: str) -> str:
    return text[:_SHORT] if _BARE.fullmatch(text) else text


def _plain(part: str) -> str:
    """A part of a path without the escapes of systemd's names of units."""
    return _ESCAPED.sub(lambda found: _decoded(found[0]), part)


def _decoded(text: str) -> str:
    return bytes.fromhex(text.replace("\\x", "")).decode("utf-8", "surrogateescape")
