/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include "clock.h"

void loop_done(struct loop *l)
{
	free(l->sources);
	free(l->polled);
	*l = LOOP_INIT;
}

int loop_add(struct loop *l, struct loop_source *s)
{
	if (l->len == l->size) {
		size_t size = l->size > 0 ? l->size * 2 : 8;
		void *bigger =
		        reallocarray(l->sources, size, sizeof *l->sources);

		if (!bigger)
			return -ENOMEM;
		l->sources = bigger;
		l->size = size;
	}
	l->sources[l->len++] = s;
	return 0;
}

void loop_remove(struct loop *l, const struct loop_source *s)
{
	for (size_t i = 0; i < l->len; i++)
		if (l->sources[i] == s)
			l->sources[i] = NULL;
}

static void close_gaps(struct loop *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->len; i++)
		if (l->sources[i])
			l->sources[n++] = l->sources[i];
	l->len = n;
}

static int make_room(struct loop *l)
{
	void *bigger;

	if (l->polled_size >= l->len)
		return 0;
	bigger = reallocarray(l->polled, l->size, sizeof(struct pollfd));
	if (!bigger)
		return -ENOMEM;
	l->polled = bigger;
	l->polled_size = l->size;
	return 0;
}

static int wait_ms(const struct loop *l, int64_t max_ms)
{
	int64_t now = clock_mono_ms(), wait = max_ms < 0 ? INT_MAX : max_ms;

	for (size_t i = 0; i < l->len; i++) {
		int64_t due = l->sources[i]->due_ms;

		if (due > 0 && due - now < wait)
			wait = due > now ? due - now : 0;
	}
	return wait == INT_MAX ? -1 : wait > INT_MAX ? INT_MAX : (int)wait;
}

static void call(struct loop *l, size_t i, short revents)
{
	struct loop_source *s = l->sources[i];

	if (s && (revents || (s->due_ms > 0 && s->due_ms <= clock_mono_ms())))
		s->on_ready(revents, s->arg);
}

int loop_step(struct loop *l, int64_t max_ms)
{
	struct pollfd *p;
	size_t n;

	close_gaps(l);
	if (make_room(l) < 0)
		return -ENOMEM;
	p = l->polled;
	n = l->len;
	for (size_t i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = l->sources[i]->fd,
		        .events = l->sources[i]->events};
	if (poll(p, n, wait_ms(l, max_ms)) < 0)
		return -errno;
	/* Those that a handler adds come behind, and are not called yet. */
	for (size_t i = 0; i < n; i++)
		call(l, i, p[i].revents);
	return 0;
}
