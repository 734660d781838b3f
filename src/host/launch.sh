# SPDX-License-Identifier: MIT
# Starts what runs the job.  Harmless when it runs already: run.sh makes sure
# that it runs once, so who finds a job that has not begun starts it.

# A user's own systemd stays when the user has gone, if it may linger.
has_systemd()
{
	[ -d /run/systemd/system ] || return 1
	[ "$uid" != 0 ] || return 0
	[ -e "/var/lib/systemd/linger/${LOGNAME:-$USER}" ] || return 1
	XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$uid}
	export XDG_RUNTIME_DIR
}

# What the script leaves running stays, as with ssh; what runs when the host
# shuts down is told, instead of being waited for.
by_systemd()
{
	has_systemd || return 1
	unit=vmexec-$id user=
	[ "$uid" = 0 ] || user=--user
	read -r first < meta
	set -- -p KillMode=process -p OOMPolicy=continue \
		-p "ExecStop=/bin/sh '$PWD/kill.sh' '$PWD' $first"
	for try in 1 2 3; do
		said=$(systemd-run $user --quiet --collect --unit="$unit" \
			"$@" /bin/sh "$PWD/run.sh" "$PWD" systemd \
			2>&1 < /dev/null) && return
		case $said in
		# Before systemd 243.
		*OOMPolicy* | *ExecStop*) set -- -p KillMode=mixed ;;
		# The job of that name before us has not quite gone yet.
		*already*) unit=vmexec-$id-$nonce ;;
		*) break ;;
		esac
	done
	return 1
}

# logind may end what a user leaves running when the session ends.
ends_at_logout()
{
	[ "$uid" != 0 ] && [ -n "${XDG_SESSION_ID:-}" ] || return 1
	case $(grep -hs '^[[:space:]]*KillUserProcesses' \
		/etc/systemd/logind.conf /usr/lib/systemd/logind.conf.d/*.conf \
		/run/systemd/logind.conf.d/*.conf \
		/etc/systemd/logind.conf.d/*.conf) in
	*[Yy]es | *true | *on | *1) ;;
	*) return 1 ;;
	esac
}

by_tmux()
{
	command -v tmux > /dev/null 2>&1 || return 1
	! ends_at_logout || method=tmux-until-logout
	tmux -L vmexec new-session -d -s "vmexec-$id" /bin/sh -c \
		'tail -n +1 -f out err & /bin/sh ./run.sh "$PWD" '"$method;"'kill $!' \
		< /dev/null > /dev/null 2>&1
}

by_setsid()
{
	command -v setsid > /dev/null 2>&1 || return 1
	! ends_at_logout || method=setsid-until-logout
	# What a shell puts in its background ignores SIGINT for ever, and so
	# would the script; BusyBox knows no -f.
	setsid -f /bin/sh "$PWD/run.sh" "$PWD" "$method" \
		< /dev/null > /dev/null 2>&1 && return
	setsid /bin/sh "$PWD/run.sh" "$PWD" "$method" \
		< /dev/null > /dev/null 2>&1 &
}

by_nohup()
{
	(
		trap '' HUP
		exec /bin/sh "$PWD/run.sh" "$PWD" nohup
	) < /dev/null > /dev/null 2>&1 &
}

launch()
{
	case $method in
	auto) set -- systemd setsid nohup ;;
	setsid) set -- setsid nohup ;;
	*) set -- "$method" ;;
	esac
	for method; do
		"by_$method" && return
	done
	return 1
}

cd "$base/$id" || fail gone
case $PWD in
*\'*) fail nobase "$PWD" ;;
esac
look
# One that the host has forgotten to have begun must not begin again.
if [ ! -d run ] && [ $state = starting ]; then
	launch || [ -d run ] || fail method "$method"
fi
