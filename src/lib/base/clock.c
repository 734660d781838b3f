/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "str.h"
#include "util.h"

static struct timespec now(clockid_t id)
{
	struct timespec ts = {0};

	/* Cannot fail for the clocks used here. */
	(void)clock_gettime(id, &ts);
	return ts;
}

static int64_t now_ms(clockid_t id)
{
	struct timespec ts = now(id);

	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
	return now_ms(CLOCK_MONOTONIC);
}

int64_t clock_boot_ms(void)
{
	return now_ms(CLOCK_BOOTTIME);
}

int64_t clock_real_s(void)
{
	return (int64_t)now(CLOCK_REALTIME).tv_sec;
}

int64_t clock_real_ns(void)
{
	struct timespec ts = now(CLOCK_REALTIME);

	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

char *clock_utc(char dst[32], int64_t real_s)
{
	time_t t = (time_t)real_s;
	struct tm tm;

	/* Only digits: no locale changes these formats. */
	if (!gmtime_r(&t, &tm) ||
	        strftime(dst, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)str_copy(dst, 32, "?");
	return dst;
}

char *clock_local(char dst[32], int64_t real_s)
{
	time_t t = (time_t)real_s;
	struct tm tm;

	/* localtime_r() need not look at TZ again by itself. */
	tzset();
	if (!localtime_r(&t, &tm) ||
	        strftime(dst, 32, "%Y-%m-%d %H:%M", &tm) == 0)
		(void)str_copy(dst, 32, "?");
	return dst;
}

char *clock_mail(char dst[64], int64_t real_s)
{
	static const char days[7][4] = {
	        "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May",
	        "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t t = (time_t)real_s;
	char rest[40];
	struct tm tm;

	tzset();
	if (!localtime_r(&t, &tm) ||
	        strftime(rest, sizeof(rest), "%Y %H:%M:%S %z", &tm) == 0) {
		(void)str_copy(dst, 64, "?");
		return dst;
	}
	/* Names by hand: %a and %b speak the language of the locale. */
	(void)snprintf(dst, 64, "%s, %02d %s %s", days[tm.tm_wday], tm.tm_mday,
	        months[tm.tm_mon], rest);
	return dst;
}

int clock_parse_utc(const char *s, int64_t *ret_real_s)
{
	static const char shape[] = "0000-00-00T00:00:00Z";
	int n[6] = {0};
	size_t field = 0;
	struct tm tm, check;
	time_t t;

	if (!s || strlen(s) != sizeof(shape) - 1)
		return -EINVAL;
	for (size_t i = 0; shape[i]; i++) {
		if (shape[i] != '0') {
			if (s[i] != shape[i])
				return -EINVAL;
			field++;
		} else if (s[i] < '0' || s[i] > '9') {
			return -EINVAL;
		} else {
			n[field] = n[field] * 10 + (s[i] - '0');
		}
	}

	tm = (struct tm){
	        .tm_year = n[0] - 1900,
	        .tm_mon = n[1] - 1,
	        .tm_mday = n[2],
	        .tm_hour = n[3],
	        .tm_min = n[4],
	        .tm_sec = n[5],
	};
	/* timegm() makes 3 March of 31 February: see whether it came back. */
	check = tm;
	t = timegm(&check);
	if (check.tm_year != tm.tm_year || check.tm_mon != tm.tm_mon ||
	        check.tm_mday != tm.tm_mday || check.tm_hour != tm.tm_hour ||
	        check.tm_min != tm.tm_min || check.tm_sec != tm.tm_sec)
		return -EINVAL;
	*ret_real_s = (int64_t)t;
	return 0;
}

const char *clock_boot_id(void)
{
	static char id[37];
	_cleanup_close_ int fd = -1;

	if (id[0])
		return id;
	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, id, 36) != 36)
		id[0] = '\0';
	return id;
}
