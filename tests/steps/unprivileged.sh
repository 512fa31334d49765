#!/bin/bash
# Run a command as a user without rights: `unprivileged.sh FOLDER COMMAND...`. FOLDER is copied, the
# copy is that user's and the working directory. The user is made for it, and removed afterwards;
# who is not root is without rights already.
set -euo pipefail
folder=$1
shift
[ "$(id -u)" = 0 ] || exec env -C "$folder" "$@"

user=pagemap-test-$$
home=$(mktemp -d "${TMPDIR:-/tmp}/$user.XXXXXX")
clean_up() {
	userdel "$user" 2>/dev/null || echo "cannot remove user $user" >&2
	rm -rf "$home"
}
useradd --system --user-group --no-create-home --shell /usr/sbin/nologin "$user"
trap clean_up EXIT
cp -r "$folder" "$home/copy"
chown -R "$user:" "$home"
as_user=(
	setpriv --reuid="$user" --regid="$user" --clear-groups --inh-caps=-all --bounding-set=-all
	--no-new-privs env -C "$home/copy" HOME="$home" TMPDIR="$home"
)
"${as_user[@]}" test -x "$1" || {
	echo "$user cannot run $1: have INSTALLED lie where everybody may look, and be of a Python" \
		'that everybody may run (make INSTALLED=/tmp/somewhere SHARED_PYTHON=/usr/bin/python3)' >&2
	exit 1
}
"${as_user[@]}" "$@"
