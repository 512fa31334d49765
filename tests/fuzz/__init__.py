"""How long the fuzzers run, and where they begin."""

import os

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
INPUTS = 30  # where no time is given; the slowest take 7 ms for each
MAX_SECONDS = max(1, round(SECONDS))

OPTIONS = [
    f"-max_total_time={MAX_SECONDS}",
    *([] if SECONDS else [f"-runs={INPUTS}"]),
    f"-seed={SEED}",
    "-len_control=0",
    "-close_fd_mask=1",
]
"""What libFuzzer and Atheris are both given."""
