"""The command, as `python -m pagemap`."""

import gc
import sys

gc.disable()  # until all is imported: nothing of that is garbage

from pagemap.cli import main  # noqa: E402 - see above

sys.exit(main(own_process=True))
