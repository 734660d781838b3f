/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "sys/hash.h"
#include "util.h"

#define CHUNK_SIZE ((size_t)1 << 20)
#define CHUNK_ALIGN 4096 /* enough for O_DIRECT on every block size in use */

struct hash_state {
	XXH3_state_t *xxh;
};

struct hash_state *hash_new(void)
{
	struct hash_state *h = malloc(sizeof(*h));

	if (!h)
		return NULL;
	h->xxh = XXH3_createState();
	if (!h->xxh) {
		free(h);
		return NULL;
	}
	hash_reset(h);
	return h;
}

void hash_free(struct hash_state *h)
{
	if (!h)
		return;
	(void)XXH3_freeState(h->xxh);
	free(h);
}

void hash_freep(struct hash_state **h)
{
	hash_free(*h);
	*h = NULL;
}

/* The calls below fail for NULL states only. */
void hash_reset(struct hash_state *h)
{
	(void)XXH3_128bits_reset(h->xxh);
}

void hash_add(struct hash_state *h, const void *data, size_t len)
{
	if (len > 0)
		(void)XXH3_128bits_update(h->xxh, data, len);
}

struct hash128 hash_result(const struct hash_state *h)
{
	XXH128_hash_t x = XXH3_128bits_digest(h->xxh);

	return (struct hash128){.low = x.low64, .high = x.high64};
}

struct hash128 hash_bytes(const void *data, size_t len)
{
	XXH128_hash_t x = XXH3_128bits(data, len);

	return (struct hash128){.low = x.low64, .high = x.high64};
}

char *hash_hex(char *dst, struct hash128 h)
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < 16; i++) {
		unsigned shift = 60 - 4 * i;

		dst[i] = digits[(h.high >> shift) & 15];
		dst[16 + i] = digits[(h.low >> shift) & 15];
	}
	dst[32] = '\0';
	return dst;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hash_parse(const char *hex, struct hash128 *ret)
{
	struct hash128 h = {0, 0};

	for (unsigned i = 0; i < 32; i++) {
		int v = hex_value(hex[i]);

		if (v < 0)
			return -EINVAL;
		if (i < 16)
			h.high = h.high << 4 | (uint64_t)v;
		else
			h.low = h.low << 4 | (uint64_t)v;
	}
	if (hex[32] != '\0')
		return -EINVAL;
	*ret = h;
	return 0;
}

bool hash_equal(struct hash128 a, struct hash128 b)
{
	return a.low == b.low && a.high == b.high;
}

/* --- files --------------------------------------------------------------- */

struct reader {
	int fd;       /* the caller's */
	int direct;   /* the same file with O_DIRECT, or -1 */
	bool bypass;  /* the page cache is not to be believed */
	uint64_t off; /* next byte to read */
};

/* From here on through the page cache: what lies there already is dropped
 * first (written out before, because dirty pages would stay). */
static void use_cache(struct reader *r)
{
	util_closep(&r->direct);
	if (!r->bypass)
		return;
	(void)fdatasync(r->fd);
	(void)posix_fadvise(r->fd, (off_t)r->off, 0, POSIX_FADV_DONTNEED);
}

static void open_direct(struct reader *r)
{
	char path[64];

	/* A new open file description: O_DIRECT set on the caller's would be
	 * seen by everyone who shares it. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", r->fd);
	r->direct = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOCTTY);
	if (r->direct < 0)
		use_cache(r);
}

/* Bytes read, 0 at the end, negative errno. */
static ssize_t read_chunk(struct reader *r, unsigned char *buf)
{
	for (;;) {
		ssize_t n;

		/* After a short read in the middle of the file the offset is
		 * not aligned any more. */
		if (r->direct >= 0 && r->off % CHUNK_ALIGN != 0)
			use_cache(r);
		n = pread(r->direct >= 0 ? r->direct : r->fd, buf, CHUNK_SIZE,
		        (off_t)r->off);
		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		if (r->direct < 0 || (errno != EINVAL && errno != EOPNOTSUPP))
			return -errno;
		use_cache(r);
	}
}

static int read_all(struct reader *r, struct hash_state *h, unsigned char *buf,
        int (*on_bytes)(uint64_t bytes, void *arg), void *arg)
{
	for (;;) {
		ssize_t n = read_chunk(r, buf);

		if (n <= 0)
			return (int)n;
		hash_add(h, buf, (size_t)n);
		/* Keeps the cache for those who need it. */
		if (r->bypass && r->direct < 0)
			(void)posix_fadvise(r->fd, (off_t)r->off, (off_t)n,
			        POSIX_FADV_DONTNEED);
		r->off += (uint64_t)n;
		if (on_bytes && on_bytes(r->off, arg) != 0)
			return -ECANCELED;
	}
}

int hash_file(int fd, bool bypass_cache,
        int (*on_bytes)(uint64_t bytes, void *arg), void *arg,
        struct hash128 *ret, uint64_t *ret_size)
{
	_cleanup_(hash_freep) struct hash_state *h = NULL;
	_cleanup_free_ void *buf = NULL;
	struct reader reader = {.fd = fd, .direct = -1, .bypass = bypass_cache};
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	h = hash_new();
	if (!h || posix_memalign(&buf, CHUNK_ALIGN, CHUNK_SIZE) != 0)
		return -ENOMEM;

	if (bypass_cache)
		open_direct(&reader);
	else
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	r = read_all(&reader, h, buf, on_bytes, arg);
	util_closep(&reader.direct);
	if (r < 0)
		return r;
	*ret = hash_result(h);
	if (ret_size)
		*ret_size = reader.off;
	return 0;
}
