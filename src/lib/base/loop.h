/* SPDX-License-Identifier: MIT */
/*
 * loop: waits for many descriptors and deadlines at once (poll(2)).
 *
 *	struct loop_source s = { .fd = fd, .events = POLLIN,
 *		.on_ready = read_it, .arg = me };
 *	r = loop_add(&loop, &s);
 *	while (!over && r >= 0)
 *		r = loop_step(&loop, -1);
 *	loop_remove(&loop, &s);
 *	loop_done(&loop);
 *
 * One thread.  A source belongs to its module and lies still until it is
 * removed; fd, events and due_ms may be changed at any time.  Handlers may add
 * and remove sources, their own too.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stddef.h>
#include <stdint.h>
#include "util.h"

struct loop_source {
	int fd;         /* -1: only the deadline */
	short events;   /* POLLIN, POLLOUT; 0: only errors and hang-ups */
	int64_t due_ms; /* clock_mono_ms() at which it is called in any case;
	                 * 0 = never. Set it anew or to 0 when called. */
	/* revents is what poll(2) says, 0 when the deadline has come. */
	void (*on_ready)(short revents, void *arg);
	void *arg;
};

struct loop {
	struct loop_source **sources; /* NULL: removed during a step */
	size_t len;
	size_t size;
	void *polled; /* memory of the last poll(2) */
	size_t polled_size;
};
#define LOOP_INIT ((struct loop){.sources = NULL})

void loop_done(struct loop *l);
#define _cleanup_loop_ _cleanup_(loop_done)
int loop_add(struct loop *l, struct loop_source *s) _must_check_;
/* Fine for one that was never added. */
void loop_remove(struct loop *l, const struct loop_source *s);

/* Waits until something is ready or due, or @max_ms is over (-1 = no limit),
 * and calls who is concerned; what a handler adds only in the next step.  Not
 * from a handler.  0, -EINTR after a signal, or negative errno. */
int loop_step(struct loop *l, int64_t max_ms);

#endif
