#!/bin/bash
# Copy the tests away from the package, so that `import pagemap` finds only what is installed:
# `away.sh FOLDER`. FOLDER then holds away/, where they run, and source/, what they compare it with.
set -euo pipefail
umask 022
folder=$1
cd "$(dirname "$0")/../.."

rm -rf "$folder/away" "$folder/source"
mkdir "$folder/away" "$folder/source"
cp -r csrc tests pyproject.toml "$folder/away"
cp -r .ci .clang-* LICENSE MANIFEST.in Makefile ./*.md pyproject.toml setup.py benchmarks csrc examples \
	pagemap tests "$folder/source"
find "$folder/away" "$folder/source" \( -name __pycache__ -o -name '*.so' \) -prune -exec rm -rf {} +
cd "$folder/away"
"$folder/venv/bin/python" -c '
import pagemap, sys
print("pagemap", pagemap.__version__, "in", pagemap.__path__[0])
sys.exit(not pagemap.__path__[0].startswith(sys.prefix))'
