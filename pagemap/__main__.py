"""The command: what is installed as `pagemap`, and `python -m pagemap`."""

from __future__ import annotations

import sys

__all__ = ["run"]


def run() -> int | str:
    """Run the command with this process's arguments; what `sys.exit` takes."""
    try:
        from pagemap._cli import main

        return main(own_process=True)
    except KeyboardInterrupt:  # while it imports; main() lets none through
        return 130
    except (ImportError, MemoryError, OSError) as error:
        return f"pagemap: cannot start: {type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(run())
