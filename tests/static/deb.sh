#!/bin/bash
# SPDX-License-Identifier: MIT
#
# "make deb": lintian has nothing to say, every file is in its place with its
# mode, the version is the same everywhere, and the maintainer scripts do what
# they should and nothing else.  Real installation, upgrade, removal and purge:
# tests/vm.
# timeout: 300
. "$(dirname "$0")/common.sh"
[ "${SAN:-}" != 1 ] || skip_all 'the build with sanitizers is not packaged'
need dpkg-buildpackage dpkg-dev
need dh debhelper
need lintian lintian

out=$build/deb-check/deb
rm -rf "$build/deb-check"
at_end "rm -rf '$build/deb-check'"
leftovers() { find debian -mindepth 1 -printf '%P\n' | sort; }
leftovers > "$tmp/before"
check 'make deb' env ASBACKUP_NO_INSTALL=1 DEB_BUILD_OPTIONS= \
	MAKEFLAGS='' "$MAKE" -s --no-print-directory BUILD="$build/deb-check" \
	deb || finish
leftovers | diff "$tmp/before" - | empty 'nothing is left behind in debian/'
grep -i 'warning:' "$out/asbackup.log" | grep -v 'ignoring --strip-program' |
	empty 'it is built without a warning'

deb=$(echo "$out"/asbackup_*.deb)
root=$tmp/root
scripts=$tmp/scripts
dpkg-deb -x "$deb" "$root"
dpkg-deb -e "$deb" "$scripts"

# --- lintian ----------------------------------------------------------------

# It complains about root for its own sake; we only let it read.
lintian --allow-root "$out"/asbackup_*.changes 2>&1 |
	grep -v '^running with root privileges' | empty 'lintian finds nothing'
awk '/^#/ { reason = 1; next } !reason; { reason = 0 }' \
	debian/asbackup.lintian-overrides |
	empty 'every override of lintian has its reason'

# --- content ----------------------------------------------------------------

expected()
{
	installed_files .gz
	! command -v x86_64-w64-mingw32-gcc > /dev/null || windows_files
	sed 's|^|644 usr/share/|' <<-'END'
	doc/asbackup/README.Debian
	doc/asbackup/README.md
	doc/asbackup/changelog.Debian.gz
	doc/asbackup/changelog.gz
	doc/asbackup/copyright
	lintian/overrides/asbackup
	END
}

# /lib and /usr/lib are one directory; debhelper compresses what is large, but
# not what the manual pages name.
files()
{
	(cd "$root" && find . ! -type d -printf '%m %P\n') |
		sed -e 's| lib/| usr/lib/|' -e 's|\(/examples/.*\)\.gz$|\1|'
}

diff <(expected | sort -k 2) <(files | sort -k 2) |
	empty 'every file is in its place, with its mode'
dpkg-deb -c "$deb" | awk '$2 != "root/root"' | empty 'everything is of root'
is "$(cat "$scripts/conffiles")" /etc/asbackup/config.ini \
	'the configuration, and nothing else, is a conffile'
is "$(stat -c %a "$root/etc/asbackup")" 755 'the mode of /etc/asbackup'
check 'the configuration is the short one' \
	cmp config/config.ini "$root/etc/asbackup/config.ini"
match=$("$root/usr/sbin/asbackup" match --uuid 0000-0000 \
	--config "$root/etc/asbackup/config.ini" 2>&1)
is "$? $match" '1 ' 'as long as no disk is configured, none is a backup disk'

# --- control data -----------------------------------------------------------

field() { dpkg-deb -f "$deb" "$1"; }
like ", $(field Depends)," ', rsync,.* libc6 ' 'it depends on rsync and libc'

mk/deps.sh list build | grep -e '-dev$' | grep -vx libc6-dev |
	diff - <(sed -n 's/^ \(lib.*-dev\),\{0,1\}$/\1/p' debian/control | sort) |
	empty 'the same libraries in debian/control and mk/deps.sh'

version=$(field Version)
version=${version%-*}
is "$(sed -n 's/^VERSION_FALLBACK := //p' mk/version.mk)" "$version" \
	'the version of mk/version.mk'
is "$(sed -n 's/^## \([^ ]*\).*/\1/p' CHANGES.md | head -n 1)" "$version" \
	'the version of CHANGES.md'
is "$("$root/usr/sbin/asbackup" --version)" "asbackup $version" \
	'the version that the program says'

# --- maintainer scripts -----------------------------------------------------

# They are run with nothing on the PATH but tools that write down how they were
# called, rm among them: the machine that tests may be a backup server, and
# nothing of it can be touched.
calls=$tmp/calls
mkdir "$tmp/bin" "$tmp/systemd"
for tool in deb-systemd-helper deb-systemd-invoke rm systemctl \
	systemd-sysusers systemd-tmpfiles udevadm; do
	printf '#!/bin/sh\necho "%s $*" >> "%s"\n' "$tool" "$calls" \
		> "$tmp/bin/$tool"
	chmod +x "$tmp/bin/$tool"
done
for script in postinst prerm postrm; do
	# as if systemd were running
	sed -e "s#/run/systemd/system#$tmp/systemd#g" \
		-e "s#/usr/bin/deb-systemd-helper#$tmp/bin/deb-systemd-helper#g" \
		"$scripts/$script" > "$tmp/$script"
done
# What gets past the PATH: a program by its full path, a file written to.
sed -e 1d -e 's#[0-9]*>[ ]*/dev/null##g' "$tmp/postinst" "$tmp/prerm" \
	"$tmp/postrm" | grep -v '^#' | sed "s#$tmp/bin/##g" |
	grep -E '/s?bin/|>|\bexec\b' |
	empty 'the scripts call programs by their names only' || finish

# script_calls WHAT SCRIPT ARGUMENT...: runs it and compares its calls with the
# lines on stdin; questions do not count.
script_calls()
{
	local what=$1 script=$2 wanted
	shift 2
	wanted=$(cat)
	: > "$calls"
	PATH=$tmp/bin /bin/sh "$tmp/$script" "$@" > "$tmp/said" 2>&1
	echo "status $?" >> "$calls"
	grep -vE ' (--quiet|unmask|update-state|--system daemon-reload|control) ?' \
		"$calls" | diff <(printf '%s\n' "$wanted") - | empty "$what"
}

script_calls 'installed: the user, its directories, both timers' \
	postinst configure '' <<'END'
systemd-sysusers asbackup.conf
systemd-tmpfiles --create asbackup.conf
deb-systemd-helper enable asbackup-mail.timer
deb-systemd-helper enable asbackup-overdue.timer
deb-systemd-invoke start asbackup-mail.timer asbackup-overdue.timer
status 0
END

script_calls 'before an upgrade nothing is stopped' \
	prerm upgrade 9.9-1 <<< 'status 0'
script_calls 'an upgrade does not touch a running copy' \
	postinst configure 0.0-1 <<'END'
systemd-sysusers asbackup.conf
systemd-tmpfiles --create asbackup.conf
deb-systemd-helper enable asbackup-mail.timer
deb-systemd-helper enable asbackup-overdue.timer
deb-systemd-invoke restart asbackup-mail.timer asbackup-overdue.timer
status 0
END

script_calls 'removed: first the timers are stopped, then the copies' \
	prerm remove <<'END'
deb-systemd-invoke stop asbackup-mail.timer asbackup-overdue.timer
deb-systemd-invoke stop asbackup@*.service asbackup-mail.service asbackup-overdue.service
status 0
END

script_calls 'a removal keeps configuration and state' \
	postrm remove <<< 'status 0'
script_calls 'a purge takes away what is ours, and nothing else' \
	postrm purge <<'END'
rm -rf --one-file-system /var/lib/asbackup /var/log/asbackup /run/asbackup /etc/asbackup
rm -f /var/lib/systemd/timers/stamp-asbackup-overdue.timer
deb-systemd-helper purge asbackup-mail.timer asbackup-overdue.timer
status 0
END
finish
