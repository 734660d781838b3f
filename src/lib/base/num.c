/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "num.h"
#include "str.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Reads the digits at *@s and moves *@s behind them.  -EINVAL: none, or a
 * leading zero; -ERANGE: too large (all digits are read even so, so that
 * "99999999999999999999x" is not a number rather than too large).
 */
static int digits(const char **s, uint64_t *ret)
{
	const char *p = *s;
	uint64_t n = 0;
	int r = 0;

	if (!is_digit(*p) || (*p == '0' && is_digit(p[1])))
		return -EINVAL;
	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
		        __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			r = -ERANGE;
	}
	*s = p;
	*ret = n;
	return r;
}

int num_parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	bool negative;
	uint64_t n = 0;
	int64_t value;
	int r;

	if (!s)
		return -EINVAL;
	negative = *s == '-';
	if (negative)
		s++;
	r = digits(&s, &n);
	if (r == -EINVAL || *s || (negative && r == 0 && n == 0))
		return -EINVAL;
	if (r < 0 || n > (uint64_t)INT64_MAX + negative)
		return -ERANGE;

	/* -INT64_MIN cannot be written as a positive number. */
	value = negative ? -(int64_t)(n - 1) - 1 : (int64_t)n;
	if (value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int num_parse_u64(const char *s, uint64_t max, uint64_t *ret)
{
	int64_t negative;
	uint64_t n = 0;
	int r;

	if (!s)
		return -EINVAL;
	if (*s == '-') {
		r = num_parse_i64(s, INT64_MIN, -1, &negative);
		return r == 0 ? -ERANGE : r;
	}
	r = digits(&s, &n);
	if (r == -EINVAL || *s)
		return -EINVAL;
	if (r < 0 || n > max)
		return -ERANGE;
	*ret = n;
	return 0;
}

int num_parse_fixed(const char *s, int places, int64_t max, int64_t *ret)
{
	uint64_t n = 0;
	int r;

	if (!s)
		return -EINVAL;
	r = digits(&s, &n);
	if (r == -EINVAL)
		return r;
	if (*s == '.' || *s == ',') {
		s++;
		if (!is_digit(*s))
			return -EINVAL;
	}
	for (; places > 0; places--) {
		uint64_t digit = is_digit(*s) ? (uint64_t)(*s++ - '0') : 0;

		if (__builtin_mul_overflow(n, 10, &n) ||
		        __builtin_add_overflow(n, digit, &n))
			r = -ERANGE;
	}
	if (*s)
		return -EINVAL;
	if (r < 0 || n > INT64_MAX || (int64_t)n > max)
		return -ERANGE;
	*ret = (int64_t)n;
	return 0;
}

int num_parse_bool(const char *s, bool *ret)
{
	static const char *const names[][2] = {
	        {"no", "yes"},
	        {"false", "true"},
	        {"off", "on"},
	        {"0", "1"},
	};

	if (!s)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (size_t value = 0; value < 2; value++) {
			if (!str_eq_nocase(s, names[i][value]))
				continue;
			*ret = value == 1;
			return 0;
		}
	}
	return -EINVAL;
}

int num_parse_bytes(const char *s, uint64_t *ret)
{
	static const struct {
		const char *name;
		uint64_t factor;
	} units[] = {
	        {"", 1},
	        {"K", 1ULL << 10},
	        {"M", 1ULL << 20},
	        {"G", 1ULL << 30},
	        {"T", 1ULL << 40},
	        {"kB", 1000ULL},
	        {"MB", 1000000ULL},
	        {"GB", 1000000000ULL},
	        {"TB", 1000000000000ULL},
	};
	uint64_t n = 0;
	int r;

	if (!s)
		return -EINVAL;
	r = digits(&s, &n);
	if (r == -EINVAL)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(s, units[i].name) != 0)
			continue;
		if (r < 0 || __builtin_mul_overflow(n, units[i].factor, &n))
			return -ERANGE;
		*ret = n;
		return 0;
	}
	return -EINVAL;
}
