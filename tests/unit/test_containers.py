"""The words for cgroups, as the managers of containers name them by both of their drivers."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._kernel.containers import name_of, name_of_directory
from pagemap._kernel.folder import Folder
from pagemap._kernel.task import cgroup, container, session

if TYPE_CHECKING:
    from pathlib import Path

ID = "3f9c0a1be5d2" + 52 * "7"
OTHER = "00aa11bb22cc" + 52 * "e"
POD = "b3a9c0de-1111-2222-3333-444455556666"
UNDER = POD.replace("-", "_")
PODS = "/kubepods.slice/kubepods-burstable.slice"
OF_POD = f"kubernetes pod {POD}"
USER = "/user.slice/user-1000.slice"

DOCKER = {f"/docker/{ID}", f"/system.slice/docker-{ID}.scope", f"/docker/{ID}/inner/deeper"}
PODMAN = {
    f"/machine.slice/libpod-{ID}.scope/container",
    f"/libpod_parent/libpod-{ID}/ctr",
}
LXC = {"/lxc/web", "/lxc.payload.web", "/lxc.payload/web", "/lxc/web/system.slice/ssh.service"}
CRI = {
    f"{PODS}/kubepods-burstable-pod{UNDER}.slice/cri-containerd-{ID}.scope",
    f"/kubepods-pod{UNDER}.slice:cri-containerd:{ID}",
}
WORDS = {
    "docker 3f9c0a1be5d2": DOCKER,
    "podman 3f9c0a1be5d2": PODMAN,
    "podman monitor of 3f9c0a1be5d2": {f"/machine.slice/libpod-conmon-{ID}.scope"},
    "lxc web": LXC,
    "lxc monitor of web": {"/lxc.monitor.web"},
    "containerd 3f9c0a1be5d2": {f"/default/{ID}", f"/system.slice/nerdctl-{ID}.scope"},
    f"{OF_POD}, container 3f9c0a1be5d2": {
        f"/kubepods/burstable/pod{POD}/{ID}",
        f"/kubepods/pod{POD}/{ID}",
    },
    f"{OF_POD}, containerd 3f9c0a1be5d2": CRI,
    f"{OF_POD}, cri-o 3f9c0a1be5d2": {
        f"{PODS}/kubepods-burstable-pod{UNDER}.slice/crio-{ID}.scope/container"
    },
    f"{OF_POD}, docker 3f9c0a1be5d2": {
        f"{PODS}/kubepods-burstable-pod{UNDER}.slice/docker-{ID}.scope"
    },
    OF_POD: {f"{PODS}/kubepods-burstable-pod{UNDER}.slice", f"/kubepods/besteffort/pod{POD}"},
    "nspawn deb": {"/machine.slice/systemd-nspawn@deb.service/payload/init.scope"},
    "virtual machine win10": {"/machine.slice/machine-qemu\\x2d1\\x2dwin10.scope/libvirt"},
    "nginx.service": {"/system.slice/nginx.service", "/system.slice/nginx.service/worker"},
    "getty@tty1.service": {"/system.slice/system-getty.slice/getty@tty1.service"},
    "session 3 of user 1000": {f"{USER}/session-3.scope"},
    "app-a\N{LATIN SMALL LETTER E WITH ACUTE}-b.scope of user 1000": {
        f"{USER}/user@1000.service/app.slice/app-a\\xc3\\xa9\\x2db.scope"
    },
    "podman 3f9c0a1be5d2 of user 1000": {f"{USER}/user@1000.service/user.slice/libpod-{ID}.scope"},
    # who has a cgroup of his own may give any names to what is below
    f"{OF_POD}, containerd 3f9c0a1be5d2 in docker 00aa11bb22cc": {
        f"/docker/{OTHER}/kubelet.slice/kubelet-kubepods-pod{UNDER}.slice/cri-containerd-{ID}.scope"
    },
    f"{OF_POD}, containerd 3f9c0a1be5d2 in containerd 00aa11bb22cc": {
        f"{PODS}/kubepods-pod{UNDER}.slice/cri-containerd-{OTHER}.scope/cri-containerd-{ID}.scope"
    },
    "docker 3f9c0a1be5d2 in docker 00aa11bb22cc": {
        f"/docker/{OTHER}/docker/{ID}",
        f"/system.slice/docker-{OTHER}.scope/docker/{ID}/docker-{OTHER}.scope/docker/{ID}",
    },
    "docker 3f9c0a1be5d2 in own.service": {
        f"/system.slice/own.service/docker-{ID}.scope",
        f"/system.slice/own.service/lxc/web/docker/{ID}",
    },
    "docker 3f9c0a1be5d2 in lxc web": {f"/lxc.payload.web/system.slice/docker-{ID}.scope"},
    f"{OF_POD} in own.service": {f"/system.slice/own.service/pod{POD}"},
    "docker 3f9c0a1be5d2 of user 1000": {f"{USER}/user@1000.service/docker-{ID}.scope"},
    f"{OF_POD} of user 1000": {f"{USER}/user@1000.service/pod{POD}"},
    "x.service of user 1000": {
        f"{USER}/user@1000.service/user@0.service/x.service",
        f"{USER}/user@1000.service/x.service/user-0.slice/nginx.service",
    },
    "session 1 of user 1000": {f"{USER}/user@1000.service/user-0.slice/session-1.scope"},
    "own.service": {"/system.slice/own.service/user-0.slice/nginx.service"},
    "user 1000": {USER, f"{USER}/user@1000.service"},
    "system.slice": {"/system.slice"},
    "/": {"/"},
    "/mine/and/yours": {"/mine/and/yours"},
    "/docker": {"/docker"},
}


@pytest.mark.parametrize("words", WORDS)
def test_words(words: str) -> None:
    assert {name_of(path) for path in WORDS[words]} == {words}


def test_a_directory_below_the_mount_of_its_hierarchy() -> None:
    roots = ["/sys/fs/cgroup/memory"]
    assert name_of_directory(f"/sys/fs/cgroup/memory/docker/{ID}", roots) == "docker 3f9c0a1be5d2"
    assert name_of_directory("/sys/fs/cgroup/memory", roots) == "/"
    assert name_of_directory("/elsewhere/mine", roots) == "/elsewhere/mine"


LINES = {
    "v2": (f"0::/docker/{ID}\n", "docker 3f9c0a1be5d2", f"/docker/{ID}"),
    "v1": (
        f"9:name=systemd:/\n4:memory:/docker/{ID}\n0::/\n",
        "docker 3f9c0a1be5d2",
        f"/docker/{ID}",
    ),
    "v1, memory not accounted for": (
        "9:name=systemd:/system.slice/a.service\n4:cpu,memory:/\n0::/x\n",
        "a.service",
        "/",
    ),
    "none": ("", None, None),
}


@pytest.mark.parametrize("case", LINES)
def test_a_process(tmp_path: Path, case: str) -> None:
    text, words, path = LINES[case]
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(text)
    (tmp_path / "7" / "stat").write_text("7 (a) b) c) S 1 6 5 0 -1 4194304\n")
    folder = Folder(7, "7", str(tmp_path))
    try:
        assert (container(folder), cgroup(folder), session(folder)) == (words, path, "5")
    finally:
        folder.close()


@pytest.mark.parametrize("session_of", ["0", "-1", "x", "99999999999"])
def test_a_session_without_a_number(tmp_path: Path, session_of: str) -> None:
    """0 is what the kernel says of a session that was begun outside of our PID namespace."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text(f"7 (a) S 1 6 {session_of} 0 -1 4194304\n")
    with closing(Folder(7, "7", str(tmp_path))) as folder:
        assert session(folder) is None


def test_the_columns_are_those_of_ps() -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as leads:
        try:
            (row,) = pagemap.footprints([leads.pid], names=["pid", "exe", "session", "container"])
            assert row.exe == os.path.realpath(f"/proc/{leads.pid}/exe")
            assert row.session == str(leads.pid)
            assert row.container
        finally:
            leads.kill()
