/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "clock.h"
#include "loop.h"

/* A source that counts, and does what a case wants of it. */
struct probe {
	struct loop_source source;
	struct loop *loop;
	int calls;
	short revents;         /* of the last call */
	struct probe *removes; /* taken out in the handler */
	struct probe *adds;    /* put in, once */
	bool keeps_due;        /* does not set its deadline anew */
};

static void on_ready(short revents, void *arg)
{
	struct probe *p = arg;
	char c;

	p->calls++;
	p->revents = revents;
	if (revents & POLLIN)
		assert_int_equal(read(p->source.fd, &c, 1), 1);
	if (!p->keeps_due)
		p->source.due_ms = 0;
	if (p->removes)
		loop_remove(p->loop, &p->removes->source);
	if (p->adds)
		assert_int_equal(loop_add(p->loop, &p->adds->source), 0);
	p->adds = NULL;
}

static struct probe probe_of(struct loop *l, int fd)
{
	return (struct probe){.loop = l,
	        .source = {.fd = fd, .events = POLLIN, .on_ready = on_ready}};
}

/* Its address is known only now. */
static void add(struct loop *l, struct probe *p)
{
	p->source.arg = p;
	assert_int_equal(loop_add(l, &p->source), 0);
}

static void make_pipe(int fds[2])
{
	assert_int_equal(pipe(fds), 0);
}

static void put(int fd)
{
	assert_int_equal(write(fd, "x", 1), 1);
}

static void test_nothing(void **state)
{
	_cleanup_loop_ struct loop l = LOOP_INIT;
	int64_t begin = clock_mono_ms();

	(void)state;
	assert_int_equal(loop_step(&l, 0), 0);
	assert_int_equal(loop_step(&l, 20), 0);
	assert_true(clock_mono_ms() - begin >= 20);
}

static void test_ready(void **state)
{
	_cleanup_loop_ struct loop l = LOOP_INIT;
	struct probe a, b;
	int one[2], two[2];

	(void)state;
	make_pipe(one);
	make_pipe(two);
	a = probe_of(&l, one[0]);
	b = probe_of(&l, two[0]);
	add(&l, &a);
	add(&l, &b);
	put(two[1]);
	assert_int_equal(loop_step(&l, -1), 0);
	assert_int_equal(a.calls, 0);
	assert_int_equal(b.calls, 1);
	assert_int_equal(b.revents, POLLIN);
	/* Both at once, and one that is not asked for anything. */
	put(one[1]);
	put(two[1]);
	a.source.events = 0;
	assert_int_equal(loop_step(&l, -1), 0);
	assert_int_equal(a.calls, 0);
	assert_int_equal(b.calls, 2);
	/* But told when the other side goes. */
	close(one[1]);
	assert_int_equal(loop_step(&l, -1), 0);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.revents, POLLHUP);
	close(one[0]);
	close(two[0]);
	close(two[1]);
}

static void test_deadline(void **state)
{
	_cleanup_loop_ struct loop l = LOOP_INIT;
	struct probe late = probe_of(&l, -1), soon = probe_of(&l, -1);
	int64_t begin = clock_mono_ms();

	(void)state;
	late.source.due_ms = begin + 60000;
	soon.source.due_ms = begin + 30;
	add(&l, &late);
	add(&l, &soon);
	while (soon.calls == 0)
		assert_int_equal(loop_step(&l, -1), 0);
	assert_true(clock_mono_ms() - begin >= 30);
	assert_int_equal(soon.revents, 0);
	assert_int_equal(late.calls, 0);
	/* Long over: at once, in each step until it is set anew. */
	late.source.due_ms = 1;
	late.keeps_due = true;
	assert_int_equal(loop_step(&l, -1), 0);
	assert_int_equal(loop_step(&l, -1), 0);
	assert_int_equal(late.calls, 2);
	/* Never. */
	late.source.due_ms = 0;
	assert_int_equal(loop_step(&l, 1), 0);
	assert_int_equal(late.calls, 2);
	assert_int_equal(soon.calls, 1);
	/* The limit of a step may be any number. */
	soon.source.due_ms = 1;
	assert_int_equal(loop_step(&l, INT64_MAX), 0);
	assert_int_equal(soon.calls, 2);
}

static void test_removes_others(void **state)
{
	_cleanup_loop_ struct loop l = LOOP_INIT;
	struct probe a = probe_of(&l, -1), b = probe_of(&l, -1),
	             c = probe_of(&l, -1);

	(void)state;
	add(&l, &a);
	add(&l, &b);
	add(&l, &c);
	a.source.due_ms = b.source.due_ms = c.source.due_ms = 1;
	/* One that is due in the same step is not called any more. */
	a.removes = &b;
	assert_int_equal(loop_step(&l, -1), 0);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 0);
	assert_int_equal(c.calls, 1);
	/* Itself, and one that went before. */
	c.removes = &c;
	c.source.due_ms = 1;
	assert_int_equal(loop_step(&l, -1), 0);
	a.source.due_ms = c.source.due_ms = 1;
	assert_int_equal(loop_step(&l, -1), 0);
	assert_int_equal(a.calls, 2);
	assert_int_equal(c.calls, 2);
	/* Never added, or twice removed. */
	loop_remove(&l, &b.source);
	loop_remove(&l, &b.source);
}

static void test_adds(void **state)
{
	_cleanup_loop_ struct loop l = LOOP_INIT;
	struct probe a = probe_of(&l, -1), more[40];

	(void)state;
	add(&l, &a);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		more[i] = probe_of(&l, -1);
		more[i].source.due_ms = 1;
		more[i].source.arg = &more[i];
		/* A chain: each is called in the step after. */
		if (i > 0)
			more[i - 1].adds = &more[i];
	}
	a.adds = &more[0];
	a.source.due_ms = 1;
	assert_int_equal(loop_step(&l, -1), 0);
	assert_int_equal(more[0].calls, 0);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		assert_int_equal(loop_step(&l, -1), 0);
		assert_int_equal(more[i].calls, 1);
	}
	assert_int_equal(a.calls, 1);
}

/* Out and in again during a step: it is another one, called in the next. */
static void test_again(void **state)
{
	_cleanup_loop_ struct loop l = LOOP_INIT;
	struct probe a = probe_of(&l, -1), b = probe_of(&l, -1);

	(void)state;
	add(&l, &a);
	add(&l, &b);
	a.source.due_ms = b.source.due_ms = 1;
	a.removes = &b;
	a.adds = &b;
	assert_int_equal(loop_step(&l, -1), 0);
	assert_int_equal(b.calls, 0);
	assert_int_equal(loop_step(&l, -1), 0);
	assert_int_equal(b.calls, 1);
	/* Once: the old place is gone. */
	b.source.due_ms = 1;
	assert_int_equal(loop_step(&l, -1), 0);
	assert_int_equal(b.calls, 2);
}

static void on_signal(int sig)
{
	(void)sig;
}

static atomic_bool interrupted;

/* Again and again: the first may come before poll(2) waits. */
static void *interrupt(void *arg)
{
	pthread_t *who = arg;

	while (!atomic_load(&interrupted)) {
		usleep(5000);
		(void)pthread_kill(*who, SIGUSR1);
	}
	return NULL;
}

static void test_signal(void **state)
{
	_cleanup_loop_ struct loop l = LOOP_INIT;
	struct sigaction sa = {.sa_handler = on_signal};
	pthread_t me = pthread_self(), other;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &sa, NULL), 0);
	assert_int_equal(pthread_create(&other, NULL, interrupt, &me), 0);
	assert_int_equal(loop_step(&l, 60000), -EINTR);
	atomic_store(&interrupted, true);
	pthread_join(other, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_nothing),
	        cmocka_unit_test(test_ready),
	        cmocka_unit_test(test_deadline),
	        cmocka_unit_test(test_removes_others),
	        cmocka_unit_test(test_adds),
	        cmocka_unit_test(test_again),
	        cmocka_unit_test(test_signal),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
