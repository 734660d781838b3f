#!/bin/bash
# SPDX-License-Identifier: MIT
#
# "make vm-check": the package, the image, the machine, the cases; ends with
# "N passed, N failed, N skipped".  What cannot be run here is said and counted
# as skipped.  BUILD, MAKE and T (only cases with T in their name) are set by
# make.
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C.UTF-8
MAKE=${MAKE:-make} BUILD=${BUILD:-build} T=${T:-}
case $BUILD in
/*) build=$BUILD ;;
*) build=$PWD/$BUILD ;;
esac
logs=$build/vm-logs

skip()
{
	printf 'The virtual machine is left out: %s\n' "$1"
	echo '0 passed, 0 failed, 1 skipped'
	exit 0
}

fail()
{
	printf '%s\n' "$1"
	echo '0 passed, 1 failed, 0 skipped'
	exit 1
}

[ "$(id -u)" = 0 ] || skip 'making its image needs root (sudo make vm-check)'
mk/deps.sh install build package vm || true
for tool in qemu-system-x86_64 mmdebstrap cpio mkfs.ext4 debugfs sfdisk blkid; do
	command -v "$tool" > /dev/null || skip "$tool is not installed"
done
/usr/bin/python3 -c 'import aiosmtpd' 2> /dev/null ||
	skip 'python3-aiosmtpd is not installed'
[ "$(dpkg --print-architecture 2> /dev/null)" = amd64 ] ||
	skip 'it is made for amd64 only'

$MAKE --no-print-directory deb || fail 'not ok - make deb'
deb=$(find "$build/deb" -name 'asbackup_*.deb' | head -n 1)
[ -n "$deb" ] || fail 'not ok - make deb made no package'
mkdir -p "$logs"
echo '# the image (made once, takes two minutes then)'
image=$(timeout -k 10 1200 tests/vm/image.sh 2> "$logs/image.log") || {
	tail -n 15 "$logs/image.log" | sed 's/^/# /'
	fail 'not ok - the image can be made'
}
/usr/bin/python3 tests/vm/main.py --image "$image" --deb "$deb" \
	--logs "$logs" --only "$T"
