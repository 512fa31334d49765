#!/bin/bash
# Install what the tests and lint need from Debian, where it is missing: `packages.sh [--vm]`.
# Needs root and apt-get. With --vm also what boots other kernels; that may fail, for then the tests
# under them are told to be missing and nothing else is.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
exec </dev/null

install() {
	[ $# -gt 0 ] || return 0
	echo "installing: $*"
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo 'not root on a machine with apt-get: going on without them' >&2
		return 0
	fi
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "$@" >"$log" 2>&1 || {
		cat "$log"
		return 1
	}
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

missing=()
need() { # command=package
	local pair
	for pair; do
		command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
	done
}
need gcc=gcc g++=g++ rustc=rustc make=make clang=clang pkg-config=pkg-config \
	abidiff=abigail-tools pgrep=procps setpriv=util-linux git=git useradd=passwd mandoc=mandoc groff=groff zsh=zsh \
	fish=fish tcsh=tcsh musl-gcc=musl-tools aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu
[ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
# the C library of that machine
[ -e /usr/aarch64-linux-gnu/include/stdio.h ] || [ "$(uname -m)" = aarch64 ] ||
	missing+=(libc6-dev-arm64-cross)
[ -e /usr/include/zlib.h ] || missing+=(zlib1g-dev)
# A Python that every user can run: one below somebody's home directory often is not.
if [ ! -x /usr/bin/python3 ]; then
	missing+=(python3 python3-venv python3-dev)
else
	/usr/bin/python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
	[ -e "$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] ||
		missing+=(python3-dev)
fi
install "${missing[@]}"
# The sanitizers' runtime of clang is a package of its own, named after its version.
if command -v clang >/dev/null &&
	! compgen -G "$(clang -print-runtime-dir)/libclang_rt.asan*" >/dev/null; then
	install "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
fi

if [ "${1:-}" = --vm ] && [ "$(uname -m)" = x86_64 ] && command -v apt-get >/dev/null; then
	missing=()
	need qemu-system-x86_64=qemu-system-x86 modprobe=kmod busybox=busybox-static file=file
	install "${missing[@]}" || echo 'other kernels cannot be booted without them' >&2
	# apt must know the packages of kernels, which nobody installs
	[ -n "$(apt-cache search --names-only '^linux-image-6')" ] || apt-get update -qq ||
		echo 'other kernels cannot be downloaded' >&2
fi
