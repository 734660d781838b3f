# SPDX-License-Identifier: MIT
# Sends what the job has written from the bytes out_from and err_from on, as
# frames, until it has ended or the line breaks.  Ends by itself then, for the
# heartbeat cannot be written any more.

# O or E, descriptor, from, to.  The descriptor keeps its place from one dd to
# the next, and a file gives dd whole blocks.
send()
{
	from=$3
	while [ "$from" -lt "$4" ]; do
		n=$(($4 - from))
		[ "$n" -le 67108864 ] || n=67108864
		printf '%s %s %s\n' "$1" "$from" "$n" || exit 1
		blocks=$((n / 65536)) rest=$((n % 65536))
		[ $blocks = 0 ] || dd bs=65536 count=$blocks <&"$2" \
			2> /dev/null || exit 1
		[ $rest = 0 ] || dd bs=$rest count=1 <&"$2" \
			2> /dev/null || exit 1
		from=$((from + n))
	done
}

# Descriptor, bytes.
skip()
{
	[ "$2" -lt 65536 ] || dd bs=65536 skip=$(($2 / 65536)) count=0 <&"$1" \
		2> /dev/null || exit 1
	[ $(($2 % 65536)) = 0 ] || dd bs=$(($2 % 65536)) count=1 <&"$1" \
		> /dev/null 2>&1 || exit 1
}

# Longer and longer while nothing happens; many jobs end at once.
pause()
{
	case $step in
	0 | 1 | 2) wait=.01 ms=10 ;;
	3) wait=.02 ms=20 ;;
	4) wait=.05 ms=50 ;;
	5) wait=.1 ms=100 ;;
	6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14) wait=.2 ms=200 ;;
	*) wait=.5 ms=500 ;;
	esac
	[ $whole = no ] || wait=1 ms=1000
	step=$((step + 1))
	sleep "$wait" 2> /dev/null || {
		whole=yes wait=1 ms=1000
		sleep 1
	}
	quiet=$((quiet + ms))
	if [ $quiet -ge 2000 ]; then
		printf 'H %s %s\n' "$out_size" "$err_size" || exit 1
		quiet=0
	fi
}

sizes()
{
	set -- 0 0 0 0 0 0 0 0 0 0 0 0 0 0
	# shellcheck disable=SC2046 # nine fields a file, the fifth is its size
	[ ! -s err ] && [ ! -s out ] || set -- $(ls -ln err out 2> /dev/null)
	# Somebody has removed the directory.
	[ $# -ge 14 ] && [ -e out ] || fail gone
	err_size=$5 out_size=${14}
}

# How much of a stream is sent in the end: size, recorded size, sent.  What is
# not there any more is missing unless it was sent before.
end_at()
{
	end=$2
	[ "$1" -ge "$end" ] && return
	end=$1
	[ "$3" -ge "$2" ] || missing=' lost'
}

# What was told to end, or killed, was so by a host that shuts down, perhaps: then
# it has no status, but was cut off by a reboot.
is_going_down()
{
	# Every half a second, with a sign of life, for asking may take long.
	step=15 quiet=2000
	[ "$(systemctl is-system-running 2> /dev/null)" != stopping ] ||
		return 0
	held=$((held + 1))
	[ $held -lt 6 ]
}

cd "$base/$id" && [ -r out ] && [ -r err ] || fail gone
read_meta
how=adopted
[ "$first" != "$nonce" ] || how=started
# A shell ends when this fails.
exec 3< out 4< err
sizes
look
# Less than was sent: it has lost power.
short=no
[ "$out_from" -le "$out_size" ] && [ "$err_from" -le "$err_size" ] ||
	short=yes
case $short$state in
yesstarting | yesrunning) fail shorter "$out_size" "$err_size" ;;
esac
[ "$out_from" -gt "$out_size" ] || skip 3 "$out_from"
[ "$err_from" -gt "$err_size" ] || skip 4 "$err_from"
printf 'S %s %s %s %s %s %s\n' "$how" "$state" "${method:-none}" "$started" \
	"$boot" "$PWD"

step=0 quiet=0 starts=0 whole=no held=0
while :; do
	look
	sizes
	case $state$why in
	endedstopped* | vanished*) ! is_going_down || state=running ;;
	esac
	missing=
	if [ $state = ended ]; then
		# What was written after its end is not the script's.
		end_at "$out_size" "$rc_out" "$out_from"
		out_size=$end
		end_at "$err_size" "$rc_err" "$err_from"
		err_size=$end
	fi
	# A child that goes on writing may have been heard beyond that, or what
	# was heard has been lost here.
	[ "$out_from" -le "$out_size" ] || out_size=$out_from
	[ "$err_from" -le "$err_size" ] || err_size=$err_from
	sent=$out_from,$err_from
	send O 3 "$out_from" "$out_size"
	send E 4 "$err_from" "$err_size"
	out_from=$out_size err_from=$err_size
	# Not at once again: who prints a line now and then prints another.
	[ "$sent" = "$out_from,$err_from" ] || step=4 quiet=0
	case $state in
	ended)
		printf 'X %s %s %s %s %s\n' "$rc" "$out_size" "$err_size" \
			"$when" "$why$missing"
		exit 0
		;;
	rebooted | vanished)
		printf 'G %s %s %s\n' "$state" "$out_size" "$err_size"
		exit 0
		;;
	starting)
		starts=$((starts + 1))
		[ $starts -lt 100 ] || fail nostart
		;;
	esac
	pause
done
