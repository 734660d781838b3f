/* SPDX-License-Identifier: MIT */
#include "core/plan.h"

/* What a directory entry, its inode and its share of the journal may take. */
#define ENTRY_OVERHEAD 512
/* Never plan to the last byte: the manifest and the marker come on top. */
#define RESERVE (INT64_C(4) << 20)

/* Sizes come from outside (a sparse file may claim 8 EiB): sums stop at the
 * ends of their range instead of turning round. */
static int64_t add_signed(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

static uint64_t add_unsigned(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static int64_t to_signed(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static int64_t round_up(const struct plan *p, uint64_t bytes)
{
	uint64_t rest = bytes % p->block;

	return to_signed(rest ? add_unsigned(bytes, p->block - rest) : bytes);
}

static void grow(struct plan *p, int64_t bytes)
{
	p->used = add_signed(p->used, bytes);
	if (p->used > p->peak)
		p->peak = p->used;
}

void plan_init(struct plan *p, uint32_t block_size, bool inplace)
{
	*p = (struct plan){
	        .block = block_size ? block_size : 4096,
	        .inplace = inplace,
	};
}

void plan_add_file(struct plan *p, uint64_t new_size, uint64_t old_bytes)
{
	int64_t room = round_up(p, new_size);
	int64_t old = to_signed(old_bytes);

	p->files++;
	p->changes++;
	p->bytes = add_unsigned(p->bytes, new_size);
	if (new_size > p->largest)
		p->largest = new_size;
	if (old == 0) {
		p->new_entries++;
		room = add_signed(room, ENTRY_OVERHEAD);
	}
	/* In place the old blocks are used again; else both are there until
	 * the rename. */
	if (p->inplace) {
		grow(p, room - old);
		return;
	}
	grow(p, room);
	grow(p, -old);
}

void plan_add_entry(struct plan *p)
{
	p->new_entries++;
	p->changes++;
	grow(p, p->block);
}

void plan_add_delete(struct plan *p, uint64_t occupied_bytes, bool regular)
{
	p->deletes++;
	p->changes++;
	if (regular)
		p->deletes_regular++;
	p->freed = add_unsigned(p->freed, occupied_bytes);
}

enum plan_fit plan_fit(const struct plan *p, uint64_t free_bytes,
        uint64_t free_inodes, uint64_t *ret_missing)
{
	int64_t need = p->peak > 0 ? add_signed(p->peak, RESERVE) : 0;
	uint64_t needed = (uint64_t)need;
	uint64_t room = add_unsigned(free_bytes, p->freed);

	*ret_missing = 0;
	if (p->new_entries > add_unsigned(free_inodes, p->deletes))
		return PLAN_NO_INODES;
	if (needed > room) {
		*ret_missing = needed - room;
		return PLAN_TOO_BIG;
	}
	if (needed > free_bytes || p->new_entries > free_inodes)
		return PLAN_FITS_DELETING_FIRST;
	return PLAN_FITS;
}

unsigned plan_delete_percent(const struct plan *p, uint64_t existing)
{
	if (p->deletes_regular == 0)
		return 0;
	if (p->deletes_regular >= existing)
		return 100;
	return (unsigned)((p->deletes_regular * 100 + existing - 1) / existing);
}
