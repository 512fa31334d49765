#!/bin/bash
# What a guest runs, as root: `inside.sh SHARE SERIES SECONDS PYTHON`. SHARE is the one folder of the
# host that the guest can write. It finds pytest's arguments there, each ended by a NUL, and leaves
# `started`, `output` and at last `status` (see boot.py).

share=$1 series=$2 seconds=$3 python=$4
exec >"$share/output" 2>&1 </dev/null
echo "guest: Linux $(uname -r), $(nproc) CPUs, up for $(cut -d' ' -f1 /proc/uptime) s"
: >"$share/started"

# The root is the host's, read-only and through 9p, where files cannot be mapped shared. In memory
# there is no disk, whose pages can leave the cache: hence a disk of memory, where it can be made.
# Blocks of a page, as disks have: of a page that was written in smaller ones, and not to its end,
# mincore says that it is not cached.
mkdir /run/scratch
if modprobe brd rd_nr=1 rd_size=393216 && /usr/sbin/mkfs.ext4 -q -b 4096 /dev/ram0 &&
	mount /dev/ram0 /run/scratch; then
	chmod 1777 /run/scratch
else
	mount -t tmpfs -o mode=1777 scratch /run/scratch
fi
export TMPDIR=/run/scratch
# virtme mounts the root without a cache: each import asks the host for each file again. The folders
# that Python is read from are therefore mounted once more, with one; nothing there changes.
mkdir /run/host
if mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=524288,cache=loose cached /run/host; then
	base=$("$python" -I -S -c 'import sys; print(sys.base_prefix)')
	# Not /usr itself, where virtme has put the kernel's modules. All that programs map is there: of
	# a file on an overlay, as virtme's /lib is, it cannot be known what backs it.
	for folder in "$PWD" "$base" /usr/{bin,include,lib/{gcc,locale,x86_64-linux-gnu,python3*}}; do
		[ "$folder" = /usr ] || [ ! -d "$folder" ] || mount --bind "/run/host$folder" "$folder"
	done
	cd "$PWD" || exit
fi
if [ -d "$share/programs" ]; then # what the tests compile, compiled already
	cp -r "$share/programs" "$TMPDIR/pagemap-tests-$(id -u)"
	chmod -R go= "$TMPDIR/pagemap-tests-$(id -u)"
	export CC=$(<"$share/compiler")
fi
# Pages that move to the node that uses them would be counted there and here. It acts on what was
# marked before, so it is off before anything has run for long.
echo 0 >/proc/sys/kernel/numa_balancing
modprobe zram num_devices=0 # its absence is what tests of swap will tell

export PAGEMAP_CI=1 PAGEMAP_VM_SERIES=$series PAGEMAP_VM_SHARE=$share
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 # to import them takes seconds here
export PAGEMAP_EXITS=8 # each starts a Python, which takes 2 s here
export PAGEMAP_EXAMPLES=12 # each may start a process, and copy what /proc tells of it
export PAGEMAP_ROUNDS=20 # of two threads that take turns each 10 µs
mapfile -d '' -t arguments <"$share/arguments"
# An interrupt, at which pytest tells what it has seen. The limit counts from the guest's boot.
seconds=$((seconds - $(cut -d. -f1 /proc/uptime)))
timeout --signal=INT --kill-after=30 $((seconds > 1 ? seconds : 1)) \
	"$python" -u -m pytest "${arguments[@]}"
echo $? >"$share/status.new"
mv "$share/status.new" "$share/status"
