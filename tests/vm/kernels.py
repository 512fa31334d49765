"""Debian's kernels, downloaded by apt and unpacked into a cache; nothing is installed.

The packages come from whatever sources this machine's apt is set up with. What was unpacked once
is used until its folder is removed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

# Three quarters of a package, and nothing that a virtual machine without devices could load.
UNUSED_MODULES = ("drivers/gpu", "drivers/media", "drivers/net", "drivers/infiniband", "sound")


class NoKernel(Exception):
    """A kernel cannot be had; the message says why and what to do."""


class Kernel(NamedTuple):
    """An unpacked kernel: `release` as uname tells it, `image` to boot, modules beside it."""

    release: str
    image: Path


def cache() -> Path:
    """Where kernels are kept, and what failed runs left behind."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pagemap-vm"


def tool(name: str) -> str | None:
    """The path of a program, also where a user's PATH leaves sbin out."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def kernel(series: str) -> Kernel:
    """The newest Linux `series` ("6.12"), downloaded unless one is in the cache.

    Raises NoKernel.
    """
    home = cache() / f"linux-{series}"
    if not home.exists():
        _download(series, home)
    images = list((home / "boot").glob("vmlinuz-*"))
    if len(images) != 1:
        raise NoKernel(f"{home} holds {len(images)} kernels: remove it, it is downloaded again")
    return Kernel(images[0].name.removeprefix("vmlinuz-"), images[0])


def newest(names: Sequence[str], series: str) -> str:
    """Which of these packages is the newest image of `series` for PCs; "" where none is.

    Not the cloud kernels, which lack drivers, and neither rt, unsigned nor dbg.
    """
    versions = re.compile(rf"linux-image-{re.escape(series)}\.(\d+)(?:-(\d+))?(?:\+\w+)?-amd64")
    found = {name: match for name in names if (match := versions.fullmatch(name))}
    return max(found, key=lambda name: [int(n or 0) for n in found[name].groups()], default="")


def _download(series: str, home: Path) -> None:
    names = _run("apt-cache", "search", "--names-only", f"^linux-image-{series}").splitlines()
    package = newest([line.partition(" ")[0] for line in names], series)
    if not package:
        raise NoKernel(
            f"apt knows no package of Linux {series} for PCs (linux-image-{series}.*-amd64): "
            "run apt-get update; Debian 12 has 6.1, and 6.12 in its security suite"
        )
    home.parent.mkdir(parents=True, exist_ok=True)
    # Unpacked aside and renamed: a run that was interrupted leaves no half of a kernel.
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="unpacking-") as folder:
        aside = Path(folder)
        _run("apt-get", "download", package, cwd=aside)
        (archive,) = aside.glob("*.deb")
        root = aside / "root"
        _run("dpkg-deb", "-x", str(archive), str(root))
        (modules,) = (root / "lib/modules").iterdir()
        for name in UNUSED_MODULES:
            shutil.rmtree(modules / "kernel" / name, ignore_errors=True)
        _run(tool("depmod") or "depmod", "-b", str(root), modules.name)
        try:
            root.rename(home)
        except OSError:
            if not home.exists():  # by another run, which was quicker
                raise


def _run(*command: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)
    except FileNotFoundError as error:
        raise NoKernel(f"{command[0]} is not installed") from error
    if done.returncode:
        raise NoKernel(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout
