#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Builds the Debian package from a copy of the tree, so that nothing is left
# behind in the tree itself.
#
#	mk/deb.sh BUILD [VERSION]
#
# Without the cross compiler the package is built all the same, without the
# programs for Windows: build profile pkg.asbackup.nowindows.
#
# Packages, .changes and .buildinfo are put into BUILD/deb, from which those of
# earlier builds are taken away.  With a VERSION, the copy's changelog begins
# with an entry for it.
set -eu
cd "$(dirname "$0")/.."
out=$1/deb
work=$1/deb.work
version=${2:-}
copy=$work/asbackup

command -v dpkg-buildpackage > /dev/null || {
	echo 'dpkg-buildpackage is missing: sudo apt-get install dpkg-dev' >&2
	exit 1
}

# What git knows and what it would add; all but build directories where the
# tree is an unpacked archive, or of a user whom git does not trust.
files()
{
	local file
	if git ls-files debian/control 2> /dev/null | grep -q .; then
		git ls-files -z --cached --others --exclude-standard
	else
		find . \( -path ./build -o -path ./.git -o -path "$work" \) \
			-prune -o -type f -printf '%P\0'
	fi | while IFS= read -r -d '' file; do
		# known to git, but taken away
		[ ! -e "$file" ] || printf '%s\0' "$file"
	done
}

rm -rf "$work"
mkdir -p "$copy" "$out"
trap 'rm -rf "$work"' EXIT
files | tar -c --null -T - | tar -x -C "$copy"
cd "$copy"

if [ -n "$version" ]; then
	{
		printf 'asbackup (%s) unstable; urgency=medium\n\n' "$version"
		printf '  * Built from the tree as it is.\n\n'
		printf ' -- %s  %s\n\n' \
			"$(sed -n 's/^Maintainer: //p' debian/control)" \
			"$(dpkg-parsechangelog -S Date)"
		cat debian/changelog
	} > debian/changelog.new
	mv debian/changelog.new debian/changelog
fi

profiles=
command -v x86_64-w64-mingw32-gcc > /dev/null || {
	echo 'mingw-w64 is missing: a package without the programs for Windows' >&2
	profiles=pkg.asbackup.nowindows
}

# Not with the caller's make variables and flags.
env -i PATH="$PATH" HOME="${HOME:-/}" LC_ALL=C.UTF-8 \
	${TMPDIR:+TMPDIR="$TMPDIR"} \
	${DEB_BUILD_OPTIONS:+DEB_BUILD_OPTIONS="$DEB_BUILD_OPTIONS"} \
	dpkg-buildpackage -us -uc -b -jauto ${profiles:+-P"$profiles"} > "$work/log" 2>&1 || {
	grep -v -e ' -c -o ' "$work/log" | tail -n 40 >&2
	echo 'The package could not be built.' >&2
	exit 1
}
rm -f "$out"/asbackup*
mv "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$out/"
mv "$work/log" "$out/asbackup.log"
ls "$out"/*.deb
