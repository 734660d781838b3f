/* SPDX-License-Identifier: MIT */
#include "core/adopt.h"

#include <errno.h>

#include "clock.h"
#include "str.h"
#include "core/ledger.h"
#include "core/manifest.h"
#include "core/marker.h"
#include "core/settings.h"
#include "core/target.h"

/* The marker may not be older than what the ledger knows, or the disk would
 * be taken for a clone. */
static int write_marker(const struct target *t, const struct settings *s,
        int64_t run, struct err *err)
{
	struct marker m = {
	        .run = run,
	        .state = MARKER_INCOMPLETE,
	        .started = clock_real_s(),
	};

	(void)str_copy(m.title, sizeof m.title, settings_disk_title(t->conf));
	return marker_write(t, s->state_directory, &m, err);
}

int adopt_disk(const struct target *t, const struct settings *s,
        struct ledger *ledger, struct manifest *manifest, bool same,
        struct err *err)
{
	struct ledger_disk row;
	int r;

	r = ledger_disk_get(ledger, t->disk.uuid, &row, err);
	if (r < 0)
		return r;
	if (r == 0)
		row = (struct ledger_disk){.first_seen = clock_real_s()};
	r = write_marker(t, s, row.marker_run, err);
	if (r < 0)
		return r;
	if (!same) {
		r = manifest_clear(manifest, err);
		if (r < 0)
			return r;
	}
	(void)str_copy(row.uuid, sizeof row.uuid, t->disk.uuid);
	(void)str_copy(row.serial, sizeof row.serial, t->disk.serial);
	(void)str_copy(row.model, sizeof row.model, t->disk.model);
	(void)str_copy(row.label, sizeof row.label, t->disk.label);
	row.size_bytes = t->disk.size_bytes;
	row.last_seen = clock_real_s();
	row.forgotten = false;
	return ledger_disk_put(ledger, &row, err);
}
