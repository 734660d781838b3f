#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The Debian packages that building, testing and the demo need.
#
#	mk/deps.sh list    GROUP...   their names
#	mk/deps.sh missing GROUP...   those that are not installed
#	mk/deps.sh install GROUP...   installs those: as root, on Debian; says
#	                              the command to type everywhere else
#
# Groups: build, check, demo, package, vm, windows.  "install" ends with 0 when
# nothing is missing afterwards and with 1 otherwise; the caller goes on and does
# what it can.  ASBACKUP_NO_INSTALL=1 forbids any installation.
set -u
export LC_ALL=C

build=(gcc libc6-dev make pkg-config libudev-dev libblkid-dev libmount-dev
libesmtp-dev libiniparser-dev libjansson-dev libsqlite3-dev libxxhash-dev
libssl-dev libssh-dev gettext rsync gzip ca-certificates)

package=(build-essential debhelper dpkg-dev gcc-mingw-w64-x86-64-win32)

# 157 MB to fetch, 1 GB installed; what needs them is skipped without.
windows=(gcc-mingw-w64-x86-64-win32 wine64 openssh-client openssh-server)

check=("${package[@]}" "${windows[@]}"
lintian systemd libcmocka-dev python3 python3-aiosmtpd
openssl postfix xxhash strace spin valgrind clang clang-format llvm libclang-rt-dev cppcheck shellcheck codespell
mandoc libfuse3-dev fuse3 e2fsprogs xfsprogs btrfs-progs dosfstools exfatprogs
busybox-static tcsh zsh fish tmux sudo
ntfs-3g bindfs sshfs fuse-overlayfs fdisk jq libfaketime time hyperfine git locales util-linux binutils procps
iproute2 nftables)

demo=(e2fsprogs exfatprogs fdisk util-linux jq python3 python3-aiosmtpd)

vm=(qemu-system-x86 mmdebstrap arch-test cpio e2fsprogs xfsprogs btrfs-progs
exfatprogs ntfs-3g fdisk python3 python3-aiosmtpd util-linux)

# A test wants "sendmail" to be there.  Any mail server will do, and one that
# runs already must never be replaced.
has_mail_server()
{
	[ -x /usr/sbin/sendmail ] || dpkg-query -W \
		-f '${db:Status-Status} ${Provides}\n' 2>/dev/null |
		grep -q '^installed .*mail-transport-agent'
}

is_installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = \
		installed ] && return 0
	case $1 in
	postfix) has_mail_server ;;
	pkg-config) command -v pkg-config >/dev/null ;;
	# It and "busybox" cannot be there both.
	busybox-static) command -v busybox >/dev/null ;;
	*) return 1 ;;
	esac
}

list()
{
	local group
	for group; do
		case $group in
		build) printf '%s\n' "${build[@]}" ;;
		check) printf '%s\n' "${check[@]}" ;;
		package) printf '%s\n' "${package[@]}" ;;
		demo) printf '%s\n' "${demo[@]}" ;;
		vm) printf '%s\n' "${vm[@]}" ;;
		windows) printf '%s\n' "${windows[@]}" ;;
		*) printf 'deps.sh: unknown group "%s"\n' "$group" >&2; exit 2 ;;
		esac
	done | sort -u
}

missing()
{
	local package
	for package in $(list "$@"); do
		is_installed "$package" || printf '%s\n' "$package"
	done
}

# No service is started, whatever the packages would like to do.  A file of
# the administrator's is respected and left alone.
policy=/usr/sbin/policy-rc.d
policy_made=
forbid_services()
{
	[ -e "$policy" ] && return
	printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy" &&
		policy_made=yes
}

allow_services()
{
	[ -z "$policy_made" ] || rm -f "$policy"
	policy_made=
}

# A test starts an sshd of its own; a machine that had none gets none.
no_new_sshd()
{
	case " $1 " in
	*' openssh-server '*) ;;
	*) return ;;
	esac
	command -v systemctl >/dev/null && is_installed openssh-server &&
		systemctl disable ssh.service ssh.socket >> "$log" 2>&1
}

apt_install()
{
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
		--no-install-recommends --no-remove \
		-o Dpkg::Use-Pty=0 "$@" >> "$log" 2>&1 < /dev/null
}

install()
{
	local wanted package
	wanted=$(missing "$@" | tr '\n' ' ')
	[ -n "$wanted" ] || return 0
	if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null
	then
		printf 'This is not Debian; wanted are: %s\n' "$wanted"
		return 1
	fi
	if [ "$(id -u)" != 0 ] || [ "${ASBACKUP_NO_INSTALL:-}" = 1 ]; then
		printf 'Not installed: %s\n' "$wanted"
		printf 'To install them: sudo apt-get install %s%s\n' \
			'--no-install-recommends ' "$wanted"
		return 1
	fi

	printf 'Installing: %s\n' "$wanted"
	log=$(mktemp) || return 1
	trap 'allow_services; rm -f "$log"' EXIT
	forbid_services
	apt-get update -q >> "$log" 2>&1 ||
		printf 'apt-get update failed; going on with the old lists.\n'
	command -v debconf-set-selections >/dev/null && printf '%s\n' \
		'postfix postfix/main_mailer_type select No configuration' |
		debconf-set-selections >> "$log" 2>&1
	# All at once is quick; one by one when a single name spoils it.
	# shellcheck disable=SC2086 # a list of names
	if ! apt_install $wanted; then
		for package in $wanted; do
			apt_install "$package" ||
				printf 'Could not install %s.\n' "$package"
		done
	fi
	no_new_sshd "$wanted"
	wanted=$(missing "$@" | tr '\n' ' ')
	[ -n "$wanted" ] || return 0
	printf 'Still missing: %s\nThe end of what apt-get said:\n' "$wanted"
	tail -n 15 "$log" | sed 's/^/    /'
	return 1
}

[ $# -ge 2 ] || { sed -n '4,14s/^# \{0,1\}//p' "$0"; exit 2; }
action=$1
shift
case $action in
list | missing | install) "$action" "$@" ;;
*) printf 'deps.sh: unknown action "%s"\n' "$action" >&2; exit 2 ;;
esac
