#!/bin/bash
# Install a wheel as a user would: `install.sh FOLDER PYTHON WHEEL`. FOLDER then holds venv/, an
# environment of that Python with the wheel and what the tests need, and wheel/, the wheel.
set -euo pipefail
umask 022 # a user without rights reads what is made here
folder=$1 python=$2 wheel=$3

rm -rf "$folder/venv" "$folder/wheel"
mkdir -p "$folder/wheel"
cp "$wheel" "$folder/wheel"
"$python" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet "$folder/wheel/$(basename "$wheel")[test]"
