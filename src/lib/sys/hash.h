/* SPDX-License-Identifier: MIT */
/*
 * hash: XXH128 (libxxhash), the checksum rsync uses and xxhsum prints.
 * Finds bit rot, is no protection against an attacker (that is crypto.h).
 */
#ifndef SYS_HASH_H
#define SYS_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "util.h"

#define HASH_HEX_SIZE 33 /* 32 hex digits and NUL */

struct hash128 {
	uint64_t low;
	uint64_t high;
};

struct hash_state;
struct hash_state *hash_new(void); /* NULL = out of memory */
void hash_free(struct hash_state *h);
void hash_freep(struct hash_state **h);
void hash_reset(struct hash_state *h);
void hash_add(struct hash_state *h, const void *data, size_t len);
struct hash128 hash_result(const struct hash_state *h);

struct hash128 hash_bytes(const void *data, size_t len);
/* As "xxhsum -H2" and rsync's %C write it; dst HASH_HEX_SIZE; returns dst. */
char *hash_hex(char *dst, struct hash128 h);
/* Reads exactly 32 hex digits; 0 or -EINVAL. */
int hash_parse(const char *hex, struct hash128 *ret) _must_check_;
bool hash_equal(struct hash128 a, struct hash128 b);

/*
 * Hashes the whole regular file @fd (open for reading; its position does not
 * matter and is not moved).
 *
 * With @bypass_cache the disk is read and not the page cache: with O_DIRECT
 * on a descriptor of its own; where the file system cannot do that, by
 * writing out and dropping the file's pages first, which is as good unless
 * somebody maps them.  Without it: an ordinary read.
 *
 * @on_bytes (may be NULL) is called after each MiB with the bytes of this file
 * read so far; non-zero cancels.
 *
 * Returns 0 with *ret and *ret_size (may be NULL; bytes that were hashed: the
 * caller compares with what it expects, a file may grow meanwhile);
 * -ECANCELED; -EISDIR or -EINVAL when it is no regular file; -ENOMEM; -EIO and
 * others from read(2).  @ret is untouched then.  Needs 1 MiB of memory.
 */
int hash_file(int fd, bool bypass_cache,
        int (*on_bytes)(uint64_t bytes, void *arg), void *arg,
        struct hash128 *ret, uint64_t *ret_size) _must_check_;

#endif
