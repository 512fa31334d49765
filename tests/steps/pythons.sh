#!/bin/bash
# Try an installed wheel under each other Python that is here: `pythons.sh FOLDER`, where FOLDER is
# what install.sh made. In each a few rows, and the tests of several interpreters in one process,
# which Python has changed most from version to version.
set -euo pipefail
folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

try() { # a Python
	local python=$work/$2/bin/python
	"$1" -m venv "$work/$2"
	"$python" -m pip install --quiet "$folder"/wheel/*.whl pytest hypothesis
	cd "$work"
	"$python" -c '
import pagemap
with pagemap.Process("self") as process:
    pages = process.pages(process.maps()[0])
    assert len(pages) and any(page.present for page in pages), pages.counts()
'
	"$work/$2/bin/pagemap" dump self >rows # and no pipe: head would end it early
	head -n 3 rows
	cd "$folder/away"
	"$python" -m pytest -p no:cacheprovider tests/contract/test_interpreters.py
}

tested=$("$folder/venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
failed=() found=0
for version in 3.10 3.11 3.12 3.13 3.14; do
	[ $version != "$tested" ] || continue
	for python in "$(command -v "python$version" || true)" \
		"${PYENV_ROOT:-${HOME:-/root}/.pyenv}"/versions/"$version".*/bin/python3; do
		"$python" -c 'import venv, ensurepip' 2>/dev/null || continue
		found=$((found + 1))
		echo "--- Python $version"
		set +e # and not `||`, within which nothing stops at an error
		(
			set -e
			try "$python" "$version"
		)
		status=$?
		set -e
		[ $status = 0 ] || failed+=("$version")
		break
	done
done
[ $found -gt 0 ] || echo 'there is no other Python from 3.10 on on this machine'
[ ${#failed[@]} -eq 0 ] || {
	echo "failed under Python ${failed[*]}" >&2
	exit 1
}
