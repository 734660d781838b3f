#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Prints the session in README.md: the real programs, a line that goes dead for
# longer than vmexec waits, and Ctrl-C.  Takes a quarter of a minute.
# not a test
. "$(dirname "$0")/lib.sh"
start_sshd
# Without -F in what is to be seen.
mkdir -m 700 /root/.ssh
sed 's/^Host h$/Host web3/' "$tmp/ssh_config" > /root/.ssh/config

cat > "$tmp/upgrade.sh" <<END
step()
{
	until [ -e "$tmp/\$1" ]; do sleep 0.1; done
	echo "\$1 of 4: \$2"
}
touch "$tmp/1" "$tmp/2"
step 1 'a snapshot of the database'
step 2 'packages'
step 3 'the database in its new form'
step 4 'web server started'
END

# type_in COMMAND...: as somebody types it.
type_in()
{
	printf '# %s\n' "$*"
	rm -f "$tmp/web3.code"
	sit web3 sh -c "cd '$tmp' && PATH=$ASBACKUP_BUILD:\$PATH exec $*"
}
shown()
{
	gone web3
	seen web3 | cut -c 1-200 | fold -s -w 76 | sed 's/ *$//'
}

{
	type_in vmexec --job upgrade web3 upgrade.sh
	shows web3 '2 of 4'
	# The line is there, but nothing comes through any more.
	dead=$(pgrep -P "$sshd")
	kill -STOP "$dead"
	touch "$tmp/3"
	shows web3 'connected again' 60 && shows web3 '3 of 4'
	press web3 '\x03'
	shown
	type_in vmexec --list web3
	shown
	type_in vmexec --attach upgrade web3
	shows web3 '3 of 4'
	touch "$tmp/4"
	shown
	kill -KILL "$dead"
} 2> "$tmp/noise" | sed 's/^/    /'
