"""The command, as `python -m pagemap`."""

code: int | str
try:
    from pagemap._cli import main

    code = main(own_process=True)
except KeyboardInterrupt:  # while it imports; main() lets none through
    code = 130
except (ImportError, MemoryError, OSError) as error:
    code = f"pagemap: cannot start: {type(error).__name__}: {error}"

import sys  # noqa: E402 - within the try, an interrupt would leave it unknown here

sys.exit(code)
