# SPDX-License-Identifier: MIT
# Ends a job with all its processes.

each_base has_job || fail gone
cd "$base/$id" || fail gone
look
# What has not begun has nobody to be ended; it mostly will in a moment.
tenths=0
while [ $state = starting ] && [ $tenths -lt 50 ]; do
	nap
	look
done
case $state in
running)
	mv mark cancel 2> /dev/null
	/bin/sh ./kill.sh "$PWD" || fail cancel
	;;
# What ran it is gone, but not the script perhaps.
vanished) /bin/sh ./kill.sh "$PWD" || fail cancel ;;
starting) fail nostart ;;
esac
printf 'Z %s\n' "$state"
