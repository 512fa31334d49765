"""Ask pyright what the package shows to the type checkers of its users: `python -m` this module.

It must be the names of `pagemap.__all__` and nothing else, and the type of whatever is reached from
them must be known: said, and not left for each type checker to infer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pagemap

# What is in no list of names, and still cannot begin with an underscore.
BESIDE = {
    "pagemap.TYPE_CHECKING": "type checkers know it by this name only",
    "pagemap.__dir__": "what tells dir() of the names that are imported late",
    "pagemap.__getattr__": "what imports them",
    "pagemap.__main__.run": "what the command runs",
}
UNSHOWN = "__version__"  # names of Python's own kind are none of the report's symbols


def report() -> dict[str, object]:
    """What pyright tells of a copy of the package, which it takes for one that is installed."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(
            Path(pagemap.__file__).parent,
            Path(folder, "pagemap"),
            ignore=shutil.ignore_patterns("__pycache__", "*.so"),
        )
        pyright = Path(sys.executable).with_name("basedpyright")
        done = subprocess.run(
            [pyright, "--pythonpath", sys.executable, "--verifytypes", "pagemap", "--outputjson"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder},
            stdout=subprocess.PIPE,
            check=False,  # what it says tells more than its status
            text=True,
        )
        found: dict[str, object] = json.loads(done.stdout)["typeCompleteness"]
        return found


def faults(completeness: dict[str, object]) -> list[str]:
    """What is wrong with it, a line each."""
    symbols = completeness["symbols"]
    assert isinstance(symbols, list)
    shown = {each["name"] for each in symbols if each["isExported"]} - BESIDE.keys()
    listed = {f"pagemap.{name}" for name in pagemap.__all__ if name != UNSHOWN}
    lines = [f"{name} is public, and not in pagemap.__all__" for name in sorted(shown - listed)]
    lines += [f"{name} is in pagemap.__all__ alone" for name in sorted(listed - shown)]
    for each in symbols:
        if not each["isTypeKnown"]:
            said = [text["message"].splitlines()[0] for text in each["diagnostics"]]
            lines.append(f"{each['name']}: {'; '.join(said) or 'its type is not known'}")
    return lines


def main() -> int:
    """Print the faults, or how much was looked at; 1 where there is any."""
    completeness = report()
    found = faults(completeness)
    symbols = completeness["symbols"]
    assert isinstance(symbols, list)
    seen = f"public names: {len(pagemap.__all__)}; symbols reached from them: {len(symbols)}"
    sys.stdout.write("\n".join([*found, seen, ""]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
