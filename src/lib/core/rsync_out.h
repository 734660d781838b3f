/* SPDX-License-Identifier: MIT */
/*
 * rsync_out: what rsync prints, as events.
 *
 * A pure parser without I/O: bytes in any portions go in, events come out.
 * It understands rsync 3.1 to 3.5 started as rsync_cmd.h does (LC_ALL=C,
 * --no-human-readable, --out-format=RSYNC_OUT_FORMAT, --info=progress2,
 * --stats): "\r" and "\n" both end a line, progress lines may repeat, jump
 * back and be padded, everything unknown is a message.  Numbers with group
 * separators and decimal commas are understood as well (recordings of other
 * locales), since a wrapper around rsync may lose LC_ALL.
 *
 * File names arrive as raw bytes: rsync's "\#ooo" is undone.
 * A line longer than RSYNC_OUT_LINE_MAX is cut and delivered as a message.
 */
#ifndef CORE_RSYNC_OUT_H
#define CORE_RSYNC_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The prefix tells our lines from rsync's own. */
#define RSYNC_OUT_FORMAT "asb|%i|%l|%C|%n"
/* For an rsync whose hashes are not XXH128: none is better than another. */
#define RSYNC_OUT_NO_HASH "asb|%i|%l||%n"
/* A path of 4095 bytes, each as "\#ooo", and what stands before it. */
#define RSYNC_OUT_LINE_MAX 21000

enum rsync_item_kind {
	RSYNC_ITEM_COPY,   /* a file's data is (or would be) transferred */
	RSYNC_ITEM_CREATE, /* a directory, link or special file is made */
	RSYNC_ITEM_ATTR,   /* only times, modes or owners change */
	RSYNC_ITEM_DELETE,
	RSYNC_ITEM_OTHER, /* a later rsync's invention */
};

struct rsync_item {
	enum rsync_item_kind kind;
	char type;        /* %i's second letter: f d L D S; 0 for deletes */
	bool is_new;      /* "+++++++++": not on the disk yet */
	bool is_dir;      /* by type, or by the name's trailing slash */
	uint64_t size;    /* %l; 0 for deletes */
	char hash[33];    /* %C, 32 hex digits; "" when rsync tells none */
	const char *name; /* raw bytes, NUL-terminated; without the trailing
	                   * slash of directories; valid during the call */
	size_t name_len;
	char changes[12]; /* %i as printed, for the log */
};

struct rsync_progress {
	uint64_t bytes; /* transferred so far */
	int percent;    /* rsync's own, against all files: not for people */
};

/* The block of --stats; a figure that was not printed stays 0. */
struct rsync_stats {
	bool complete;          /* the block was seen to its end */
	uint64_t files_total;   /* "Number of files" (all kinds) */
	uint64_t files_regular; /* reg: */
	uint64_t created;
	uint64_t created_regular;
	uint64_t deleted;
	uint64_t deleted_regular;
	uint64_t transferred;       /* regular files transferred */
	uint64_t bytes_total;       /* "Total file size" */
	uint64_t bytes_transferred; /* "Total transferred file size" */
	uint64_t literal_bytes;
	uint64_t matched_bytes;
};

/* Every callback may be NULL; a non-zero return is handed up by feed. */
struct rsync_out_events {
	int (*on_item)(const struct rsync_item *item, void *arg);
	int (*on_progress)(const struct rsync_progress *progress, void *arg);
	/* A line that is none of ours: notes like "skipping non-regular file".
	 * Raw bytes without the line end, NUL-terminated. */
	int (*on_message)(const char *line, void *arg);
	void *arg;
};

struct rsync_out {
	struct rsync_out_events events;
	struct rsync_stats stats;
	bool in_stats; /* inside the block of --stats */
	bool overlong; /* the current line was cut */
	size_t len;    /* bytes in line */
	char line[RSYNC_OUT_LINE_MAX + 1];
	char name[RSYNC_OUT_LINE_MAX + 1]; /* the decoded name of an item */
};

void rsync_out_init(struct rsync_out *p, const struct rsync_out_events *ev);
/* 0, or the first non-zero value that a callback returned (the rest of the
 * data is not looked at then). */
int rsync_out_feed(struct rsync_out *p, const char *data, size_t len);
/* The stream has ended: delivers what is left. */
int rsync_out_end(struct rsync_out *p);

/* Undoes rsync's "\#ooo" in place; returns the new length. */
size_t rsync_out_unescape(char *s, size_t len);

#endif
