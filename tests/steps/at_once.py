"""Several runs of pytest at once: `python -m tests.steps.at_once OPTION... -- PATH... -- PATH...`.

Each list of paths is a run of its own, with the same options. What the first prints is shown as it
comes, what the others print when all have ended, and then a line for each, with its time. Exits
with 0 only when each has passed.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time


def lists(words: list[str]) -> list[list[str]]:
    """The words up to the first `--`, and between each and the next."""
    result: list[list[str]] = [[]]
    for word in words:
        if word == "--":
            result.append([])
        else:
            result[-1].append(word)
    return result


def main(words: list[str]) -> int:
    """Start them all, and show what all have printed; the status of the first that failed, or 0."""
    options, *runs = lists(words)
    command = [sys.executable, "-m", "pytest", *options]
    began = time.monotonic()
    took: dict[int, float] = {}  # seconds of each that has ended
    with contextlib.ExitStack() as stack:
        outputs = [stack.enter_context(tempfile.TemporaryFile()) for _ in runs[1:]]
        started = [subprocess.Popen([*command, *runs[0]])]
        started += [
            subprocess.Popen([*command, *paths], stdout=output, stderr=subprocess.STDOUT)
            for paths, output in zip(runs[1:], outputs, strict=True)
        ]
        # an interrupt from the terminal reaches all of them: each ends, and says how far it came
        while len(took) < len(started):
            with contextlib.suppress(KeyboardInterrupt):
                time.sleep(0.1)
            for at, process in enumerate(started):
                if at not in took and process.poll() is not None:
                    took[at] = time.monotonic() - began
        for output in outputs:
            output.seek(0)
            sys.stdout.buffer.write(output.read())
    for at, (process, paths) in enumerate(zip(started, runs, strict=True)):
        verdict = f"FAILED ({process.returncode})" if process.returncode else "passed"
        sys.stdout.write(f"{took[at]:4.0f} s  {verdict}  {' '.join(paths)}\n")
    return next((process.returncode for process in started if process.returncode), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
