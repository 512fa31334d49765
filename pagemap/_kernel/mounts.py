"""Which mount an open file was reached through, and what kind of file system is mounted there.

The number of a mount is of one mount namespace alone: a namespace of another has copies, with
numbers of their own (copy_tree in fs/namespace.c). fdinfo tells it since 3.15.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_made_by_the_kernel", "is_remote", "kind_of", "mount_of"]

# What the kernel itself writes in their files, and no daemon: so a number there is no daemon's.
_MADE = frozenset(
    {
        "autofs",
        "binder",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "efivarfs",
        "functionfs",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "nfsd",
        "nsfs",
        "proc",
        "pstore",
        "resctrl",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "smackfs",
        "sysfs",
        "tracefs",
    }
)

# Of these a daemon or another machine answers, or does not.
_REMOTE = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fuse",
        "fuseblk",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "pvfs2",
        "smb3",
        "smbfs",
    }
)


def mount_of(fd: int) -> int | None:
    """The number of the mount through which `fd` was opened; None where that is not told."""
    try:
        with open(f"/proc/self/fdinfo/{fd}", "rb") as file:
            for line in file:
                if line.startswith(b"mnt_id:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return None


def kind_of(fd: int) -> str | None:
    """The file system, as mount(8) calls it, that `fd` lies on.

    None where that is not told: the mount is of another mount namespace, or no longer mounted.
    """
    mount = mount_of(fd)
    try:
        return None if mount is None else next(_kinds(b"%d" % mount), None)
    except OSError:
        return None


def is_made_by_the_kernel(kind: str) -> bool:
    """Whether files of this kind of file system hold what the kernel says of itself."""
    return kind in _MADE


def is_remote(kind: str) -> bool:
    """Whether files of this kind of file system are in user space, or of the network.

    A kind may have a part after a dot, which names what serves it: fuse.sshfs.
    """
    return kind.partition(".")[0] in _REMOTE


def _kinds(mount: bytes) -> Iterator[str]:
    # "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": proc_pid_mountinfo(5)
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            before, _, after = line.partition(b" - ")
            if before.split(b" ", 1)[0] == mount:
                yield after.split()[0].decode("ascii", "replace")
