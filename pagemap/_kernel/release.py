"""The version of a kernel, by the name of its release."""

from __future__ import annotations

__all__ = ["version"]


def version(release: str) -> tuple[int, int]:
    """The first two numbers of a release; of one that has none, those of the newest kernel."""
    parts = release.split("-", maxsplit=1)[0].split(".")
    try:
        return int(parts[0]), int(parts[1])
    except (IndexError, ValueError):
        return 1 << 16, 0
