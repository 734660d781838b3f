/* SPDX-License-Identifier: MIT */
/*
 * rsync's output, from recordings (tests/recordings/record.sh) and by hand,
 * in portions of every size.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"
#include "core/rsync_out.h"
#include "path.h"
#include "str.h"
#include "util.h"

#define RECORDINGS "tests/recordings/rsync"

/* What was heard, as text, so that two ways of feeding can be compared. */
struct heard {
	struct buf text;
	unsigned items[RSYNC_ITEM_OTHER + 1];
	unsigned progress, messages;
	uint64_t last_bytes;
	struct rsync_stats stats;
	int stop_at; /* return 7 at this event */
	int events;
};

static int event(struct heard *h)
{
	return ++h->events == h->stop_at ? 7 : 0;
}

static int on_item(const struct rsync_item *it, void *arg)
{
	struct heard *h = arg;

	assert_int_equal(it->name_len, strlen(it->name));
	h->items[it->kind]++;
	buf_printf(&h->text, "%d%c%d%d %" PRIu64 " [%s] [%s] [%s]\n",
	        (int)it->kind, it->type ? it->type : '-', it->is_new,
	        it->is_dir, it->size, it->hash, it->name, it->changes);
	return event(h);
}

static int on_progress(const struct rsync_progress *p, void *arg)
{
	struct heard *h = arg;

	h->progress++;
	h->last_bytes = p->bytes;
	buf_printf(&h->text, "%" PRIu64 " %d%%\n", p->bytes, p->percent);
	return event(h);
}

static int on_message(const char *line, void *arg)
{
	struct heard *h = arg;

	h->messages++;
	buf_printf(&h->text, "message %s\n", line);
	return event(h);
}

static int hear(struct heard *h, const char *data, size_t len, size_t portion)
{
	struct rsync_out_events ev = {.on_item = on_item,
	        .on_progress = on_progress,
	        .on_message = on_message,
	        .arg = h};
	struct rsync_out *p = malloc(sizeof *p);
	int stop = h->stop_at, r = 0;

	assert_non_null(p);
	*h = (struct heard){.text = BUF_INIT, .stop_at = stop};
	rsync_out_init(p, &ev);
	for (size_t i = 0; r == 0 && i < len; i += portion)
		r = rsync_out_feed(
		        p, data + i, len - i < portion ? len - i : portion);
	if (r == 0)
		r = rsync_out_end(p);
	h->stats = p->stats;
	assert_false(buf_failed(&h->text));
	free(p);
	return r;
}

static void hear_text(struct heard *h, const char *text)
{
	h->stop_at = 0;
	assert_int_equal(hear(h, text, strlen(text), strlen(text) + 1), 0);
}

static void assert_same(const struct heard *a, const struct heard *b)
{
	assert_string_equal(a->text.data, b->text.data);
	assert_memory_equal(a->items, b->items, sizeof a->items);
	assert_int_equal(a->stats.complete, b->stats.complete);
	assert_int_equal(a->stats.files_total, b->stats.files_total);
	assert_int_equal(a->stats.bytes_total, b->stats.bytes_total);
	assert_int_equal(a->stats.transferred, b->stats.transferred);
	assert_int_equal(
	        a->stats.bytes_transferred, b->stats.bytes_transferred);
}

static char *recording(const char *name, size_t *ret_len)
{
	const char *top = getenv("ASBACKUP_SRC");
	char *path = str_printf("%s/" RECORDINGS "/%s", top ? top : ".", name);
	char *data = NULL;

	assert_non_null(path);
	if (path_read_file(path, 20480, &data, ret_len) < 0)
		fail_msg("%s cannot be read (run it in the top directory)",
		        path);
	free(path);
	return data;
}

/* items: copy, create, attr, delete; then the stats. */
static const struct expected {
	const char *name;
	unsigned copy, create, attr, delete;
	bool complete;
	uint64_t total, regular, created, deleted, transferred;
	uint64_t bytes, bytes_transferred;
	uint64_t last_progress;
} recordings[] = {
        {"first", 3, 3, 0, 0, true, 7, 3, 6, 0, 3, 3401243, 3401234, 3401234},
        {"dry-run", 3, 3, 0, 0, true, 7, 3, 6, 0, 3, 3401243, 3401234, 0},
        {"nothing", 0, 0, 0, 0, true, 7, 3, 0, 0, 0, 3401243, 0, 0},
        {"nothing-dry", 0, 0, 0, 0, true, 7, 3, 0, 0, 0, 3401243, 0, 0},
        {"update", 2, 0, 1, 0, true, 8, 4, 1, 0, 2, 3902354, 502345, 502345},
        {"deletes", 0, 0, 0, 2, true, 6, 3, 0, 2, 0, 3502354, 0, 0},
        {"deletes-dry", 0, 0, 0, 2, true, 6, 3, 0, 2, 0, 3502354, 0, 0},
        {"names", 8, 1, 0, 0, true, 10, 8, 9, 0, 8, 360, 360, 360},
        {"names-deleted", 0, 0, 0, 1, true, 9, 7, 0, 1, 0, 350, 0, 0},
        {"denied", 1, 0, 0, 0, true, 3, 2, 2, 0, 2, 2000, 2000, 2000},
        {"vanished", 1, 0, 0, 0, true, 3, 2, 2, 0, 2, 3001000, 3001000,
                3001000},
        {"missing", 0, 0, 0, 0, true, 0, 0, 0, 0, 0, 0, 0, 0},
        {"full", 0, 0, 0, 0, false, 0, 0, 0, 0, 0, 0, 0, 32768},
        {"too-large", 0, 0, 0, 0, false, 0, 0, 0, 0, 0, 0, 0, 32768},
        {"read-only", 2, 0, 0, 0, true, 3, 2, 2, 0, 2, 3001000, 3001000,
                3001000},
        {"killed-term", 0, 0, 0, 0, false, 0, 0, 0, 0, 0, 0, 0, 32768},
        {"killed-kill", 0, 0, 0, 0, false, 0, 0, 0, 0, 0, 0, 0, 32768},
        {"locale-C-plain", 2, 0, 0, 0, true, 3, 2, 2, 0, 2, 12346677, 12346677,
                12346677},
        {"locale-C-grouped", 2, 0, 0, 0, true, 3, 2, 2, 0, 2, 12346677,
                12346677, 12346677},
        {"locale-en_US-plain", 2, 0, 0, 0, true, 3, 2, 2, 0, 2, 12346677,
                12346677, 12346677},
        {"locale-en_US-grouped", 2, 0, 0, 0, true, 3, 2, 2, 0, 2, 12346677,
                12346677, 12346677},
        {"locale-de_DE-plain", 2, 0, 0, 0, true, 3, 2, 2, 0, 2, 12346677,
                12346677, 12346677},
        {"locale-de_DE-grouped", 2, 0, 0, 0, true, 3, 2, 2, 0, 2, 12346677,
                12346677, 12346677},
};

/* The attributes of "./" depend on the second in which it was recorded. */
static unsigned attrs_below(const struct heard *h)
{
	return h->items[RSYNC_ITEM_ATTR] -
	       (strstr(h->text.data, "[.] [.d") ? 1 : 0);
}

static void check_recording(const struct expected *e, const struct heard *h)
{
	const struct rsync_stats *st = &h->stats;

	assert_int_equal(h->items[RSYNC_ITEM_COPY], e->copy);
	assert_int_equal(h->items[RSYNC_ITEM_CREATE], e->create);
	assert_int_equal(attrs_below(h), e->attr);
	assert_int_equal(h->items[RSYNC_ITEM_DELETE], e->delete);
	assert_int_equal(h->items[RSYNC_ITEM_OTHER], 0);
	assert_int_equal(h->messages, 0);
	assert_int_equal(st->complete, e->complete);
	assert_int_equal(st->files_total, e->total);
	assert_int_equal(st->files_regular, e->regular);
	assert_int_equal(st->created, e->created);
	assert_int_equal(st->deleted, e->deleted);
	assert_int_equal(st->transferred, e->transferred);
	assert_int_equal(st->bytes_total, e->bytes);
	assert_int_equal(st->bytes_transferred, e->bytes_transferred);
	assert_int_equal(h->last_bytes, e->last_progress);
}

static void all_recordings(void **state)
{
	static const size_t portions[] = {1, 2, 7, 4096};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(recordings); i++) {
		const struct expected *e = &recordings[i];
		struct heard whole = {.stop_at = 0};
		char name[64];
		char *data;
		size_t len;

		(void)snprintf(name, sizeof name, "%s.txt", e->name);
		data = recording(name, &len);
		print_message("%s\n", name);
		assert_int_equal(hear(&whole, data, len, len), 0);
		check_recording(e, &whole);
		for (size_t k = 0; k < ARRAY_SIZE(portions); k++) {
			struct heard part = {.stop_at = 0};

			assert_int_equal(
			        hear(&part, data, len, portions[k]), 0);
			assert_same(&whole, &part);
			buf_done(&part.text);
		}
		buf_done(&whole.text);
		free(data);
	}
}

static void names_are_raw(void **state)
{
	static const char *const names[] = {"[new\nline.vbk]",
	        "[esc\x1b[31m.vbk]", "[invalid\xff\xfe.vbk]",
	        "[B\xc3\xbcro K\xc3\xb6ln.vbk]", "[back\\#012slash.vbk]",
	        "[asb|>f+++++++++|1|x|trap.vbk]", "[ 33%   leading.vbk]",
	        "[di\nr]", "[di\nr/-rf *.vib]"};
	struct heard h = {.stop_at = 0};
	size_t len;
	char *data = recording("names.txt", &len);

	(void)state;
	assert_int_equal(hear(&h, data, len, len), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_non_null(strstr(h.text.data, names[i]));
	buf_done(&h.text);
	free(data);
}

static void items_in_detail(void **state)
{
	struct heard h;

	(void)state;
	hear_text(&h,
	        "asb|>f+++++++++|5|0123456789abcdef0123456789abcdef|a b\n"
	        "asb|>f.st......|6||x/y\n"
	        "asb|cd+++++++++|4096|                                |d/\n"
	        "asb|.d..t......|4096||./\n"
	        "asb|*deleting  |0|                                |old/\n"
	        "asb|*deleting  |0||f\n"
	        "asb|hf+++++++++|7||link\n"
	        "asb|cL+++++++++|7||sym\n"
	        "asb|*new words |7||later\n"
	        "asb|>f+++++++++|1|00000000000000000000000000000000|dry\n"
	        "asb|>f+++++++++|x|zz23456789abcdef0123456789abcdef|bad|er\n");
	assert_string_equal(h.text.data,
	        "0f10 5 [0123456789abcdef0123456789abcdef] [a b] "
	        "[>f+++++++++]\n"
	        "0f00 6 [] [x/y] [>f.st......]\n"
	        "1d11 4096 [] [d] [cd+++++++++]\n"
	        "2d01 4096 [] [.] [.d..t......]\n"
	        "3-01 0 [] [old] [*deleting  ]\n"
	        "3-00 0 [] [f] [*deleting  ]\n"
	        "1f10 7 [] [link] [hf+++++++++]\n"
	        "1L10 7 [] [sym] [cL+++++++++]\n"
	        "4n00 7 [] [later] [*new words ]\n"
	        "0f10 1 [] [dry] [>f+++++++++]\n"
	        "0f10 0 [] [bad|er] [>f+++++++++]\n");
	buf_done(&h.text);
}

static void broken_items_are_messages(void **state)
{
	struct heard h;

	(void)state;
	hear_text(&h, "asb|\nasb|>f\nasb|>f|1\nasb|>f|1|2\nas\nasb");
	assert_int_equal(h.messages, 6);
	assert_int_equal(h.items[RSYNC_ITEM_COPY], 0);
	buf_done(&h.text);
	/* the shortest that is one */
	hear_text(&h, "asb||||\n");
	assert_int_equal(h.items[RSYNC_ITEM_OTHER], 1);
	buf_done(&h.text);
}

static void progress_lines(void **state)
{
	struct heard h;

	(void)state;
	hear_text(&h, "\r          32768   1%    0.00kB/s    0:00:00  "
	              "\r     12.345.678  99%  652,36MB/s    0:00:00 (xfr#1, "
	              "ir-chk=1/3)"
	              "\r     12,345,678 100%  652.36MB/s    0:00:00 (xfr#1, "
	              "to-chk=0/3)          "
	              "\r            100   0%   -1.00kB/s  ??:??:??  \n"
	              "              1 101%    1.00kB/s\n"
	              "              1   x%\n"
	              "    words\n");
	assert_string_equal(h.text.data,
	        "32768 1%\n12345678 99%\n12345678 100%\n100 0%\n"
	        "message               1 101%    1.00kB/s\n"
	        "message               1   x%\n"
	        "message     words\n");
	buf_done(&h.text);
}

static void messages_around_the_stats(void **state)
{
	struct heard h;

	(void)state;
	hear_text(&h, "sending incremental file list\n"
	              "skipping non-regular file \"fifo\"\n"
	              "Number of files: 3 (reg: 2, dir: 1)\n"
	              "Something that a later rsync counts: 4\n"
	              "total size is 41943040  speedup is 283398.92 (DRY RUN)\n"
	              "after it\n");
	assert_true(h.stats.complete);
	assert_int_equal(h.stats.files_total, 3);
	assert_int_equal(h.messages, 3);
	assert_non_null(strstr(h.text.data, "message after it\n"));
	buf_done(&h.text);
	/* the last line alone is no block */
	hear_text(&h, "total size is 1  speedup is 1.00\n");
	assert_false(h.stats.complete);
	buf_done(&h.text);
}

static void overlong_lines_are_cut(void **state)
{
	size_t len = RSYNC_OUT_LINE_MAX + 5000;
	char *data = malloc(len + 20);
	struct heard h = {.stop_at = 0};

	(void)state;
	assert_non_null(data);
	memset(data, 'x', len);
	memcpy(data, "asb|>f+++++++++|1||", 19);
	memcpy(data + len, "\nasb|>f|1||y\n", 13);
	assert_int_equal(hear(&h, data, len + 13, 4096), 0);
	assert_int_equal(h.messages, 1);
	assert_int_equal(h.items[RSYNC_ITEM_COPY], 1);
	buf_done(&h.text);
	/* the longest that is whole */
	data[RSYNC_OUT_LINE_MAX] = '\n';
	assert_int_equal(hear(&h, data, RSYNC_OUT_LINE_MAX + 1, 4096), 0);
	assert_int_equal(h.messages, 0);
	assert_int_equal(h.items[RSYNC_ITEM_COPY], 1);
	buf_done(&h.text);
	free(data);
}

/* 4095 bytes, none of which rsync prints as it is in the locale C. */
static void the_longest_path(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct heard h = {.stop_at = 0};

	(void)state;
	buf_adds(&b, "asb|>f+++++++++|18446744073709551615|"
	             "12d8bdd17f74de858c40219a46b9f81b|");
	for (int i = 0; i < 4095; i++)
		buf_adds(&b, i % 256 == 255 ? "/" : "\\#303");
	buf_adds(&b, "\n");
	assert_false(buf_failed(&b));
	assert_int_equal(hear(&h, b.data, b.len, 4096), 0);
	assert_int_equal(h.messages, 0);
	assert_int_equal(h.items[RSYNC_ITEM_COPY], 1);
	assert_non_null(strstr(h.text.data, " 18446744073709551615 [12d8"));
	assert_true(h.text.len > 4095 && h.text.len < 4300);
	buf_done(&h.text);
}

static void callbacks_can_stop(void **state)
{
	static const char text[] = "one\nasb|>f|1||y\n  1  1% x\nlast";

	(void)state;
	for (int stop = 1; stop <= 4; stop++) {
		struct heard h = {.stop_at = stop};

		assert_int_equal(hear(&h, text, strlen(text), 3), 7);
		assert_int_equal(h.events, stop);
		buf_done(&h.text);
	}
}

static void no_callbacks(void **state)
{
	struct rsync_out *p = malloc(sizeof *p);
	static const char text[] = "one\nasb|>f|1||y\n  1  1% x\nlast";

	(void)state;
	assert_non_null(p);
	rsync_out_init(p, &(struct rsync_out_events){.arg = NULL});
	assert_int_equal(rsync_out_feed(p, text, strlen(text)), 0);
	assert_int_equal(rsync_out_end(p), 0);
	free(p);
}

static void unescape(void **state)
{
	static const struct {
		const char *in, *out;
	} t[] = {
	        {"", ""},
	        {"plain", "plain"},
	        {"\\#012", "\n"},
	        {"a\\#033b\\#377", "a\033b\xff"},
	        {"\\#134#012", "\\#012"},
	        {"\\#01", "\\#01"},
	        {"\\#018", "\\#018"},
	        {"\\#000", "\\#000"},
	        {"\\#400", "\\#400"},
	        {"\\\\#012", "\\\n"},
	        {"\\#", "\\#"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		char *s = strdup(t[i].in);

		assert_non_null(s);
		assert_int_equal(
		        rsync_out_unescape(s, strlen(s)), strlen(t[i].out));
		assert_string_equal(s, t[i].out);
		free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(all_recordings),
	        cmocka_unit_test(names_are_raw),
	        cmocka_unit_test(items_in_detail),
	        cmocka_unit_test(broken_items_are_messages),
	        cmocka_unit_test(progress_lines),
	        cmocka_unit_test(messages_around_the_stats),
	        cmocka_unit_test(overlong_lines_are_cut),
	        cmocka_unit_test(the_longest_path),
	        cmocka_unit_test(callbacks_can_stop),
	        cmocka_unit_test(no_callbacks),
	        cmocka_unit_test(unescape),
	};

	return cmocka_run_group_tests_name("rsync_out", tests, NULL, NULL);
}
