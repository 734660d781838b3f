/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "scratch.h"
#include "sys/resolve.h"

/* Takes the place of the C library's. */
static int refusal;
int getaddrinfo_a(int mode, struct gaicb *list[], int n, struct sigevent *event)
{
	int (*real)(int, struct gaicb *[], int, struct sigevent *);

	if (refusal)
		return refusal;
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo_a");
	return real(mode, list, n, event);
}

static int ask(struct resolve **r, const char *host,
        const struct addrinfo **list, struct err *err)
{
	struct pollfd p = {.events = POLLIN};
	int e;

	assert_int_equal(resolve_start(r, host, 2222, err), 0);
	p.fd = resolve_fd(*r);
	assert_true(p.fd >= 0);
	assert_int_equal(poll(&p, 1, 60000), 1);
	e = resolve_answer(*r, list, err);
	assert_int_not_equal(e, -EAGAIN);
	return e;
}

static void expect_number(const char *host, int family)
{
	const struct addrinfo *list = NULL;
	struct err err = ERR_INIT;
	struct resolve *r;
	char shown[100], port[10];

	assert_int_equal(ask(&r, host, &list, &err), 0);
	assert_non_null(list);
	assert_null(list->ai_next);
	assert_int_equal(list->ai_family, family);
	assert_int_equal(list->ai_socktype, SOCK_STREAM);
	assert_int_equal(getnameinfo(list->ai_addr, list->ai_addrlen, shown,
	                         sizeof shown, port, sizeof port,
	                         NI_NUMERICHOST | NI_NUMERICSERV),
	        0);
	assert_string_equal(shown, host);
	assert_string_equal(port, "2222");
	resolve_free(r);
}

static void test_numbers(void **state)
{
	(void)state;
	expect_number("127.0.0.1", AF_INET);
	expect_number("::1", AF_INET6);
	expect_number("192.0.2.7", AF_INET);
	expect_number("2001:db8::7", AF_INET6);
}

static void test_name(void **state)
{
	const struct addrinfo *list = NULL;
	struct err err = ERR_INIT;
	struct resolve *r;

	(void)state;
	assert_int_equal(ask(&r, "localhost", &list, &err), 0);
	assert_non_null(list);
	resolve_free(r);
}

/* Nobody is asked for these. */
static void test_no_address(void **state)
{
	static const char *const names[] = {"999.1.1.1", "1.2.3.4.5", ":x", ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct addrinfo *list = NULL;
		struct err err = ERR_INIT;
		struct resolve *r;

		assert_int_equal(ask(&r, names[i], &list, &err), -EHOSTUNREACH);
		assert_int_equal(err.code, -EHOSTUNREACH);
		assert_non_null(strstr(err.message, names[i]));
		assert_true(err.action[0] != '\0');
		assert_null(list);
		resolve_free(r);
	}
}

/* What is missing is here, not there. */
static void test_not_asked(void **state)
{
	static const int refusals[] = {EAI_AGAIN, EAI_MEMORY, EAI_SYSTEM};
	struct err err = ERR_INIT;
	struct resolve *r = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		refusal = refusals[i];
		assert_int_equal(
		        resolve_start(&r, "localhost", 22, &err), -EAGAIN);
		assert_non_null(strstr(err.message, "localhost"));
		assert_null(r);
	}
	refusal = 0;
	scratch_limit_fds(0);
	assert_int_equal(resolve_start(&r, "localhost", 22, &err), -EMFILE);
	scratch_limit_fds(-1);
	assert_int_equal(err.code, -EMFILE);
	assert_non_null(strstr(err.message, "localhost"));
	assert_null(r);
}

/* Whoever is quicker, the resolver's thread or we. */
static void test_freed(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct resolve *r;
		const struct addrinfo *list;

		assert_int_equal(
		        resolve_start(
		                &r, i % 2 ? "localhost" : "127.0.0.1", 1, &err),
		        0);
		if (i % 3 == 0)
			usleep((unsigned)i);
		if (i % 5 == 0) {
			int e = resolve_answer(r, &list, &err);

			assert_true(e == 0 || e == -EAGAIN);
		}
		resolve_free(r);
	}
	resolve_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_numbers),
	        cmocka_unit_test(test_name),
	        cmocka_unit_test(test_no_address),
	        cmocka_unit_test(test_not_asked),
	        cmocka_unit_test(test_freed),
	};

	return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
