/* SPDX-License-Identifier: MIT */
/* vmexec: runs a script on a host so that a dropped line loses nothing. */
#include <stdlib.h>

#include "i18n.h"
#include "log.h"
#include "startup.h"
#include "ask.h"
#include "destination.h"
#include "jobs.h"
#include "options.h"
#include "run.h"
#include "tell.h"
#include "core/remote.h"
#include "sys/sshclient.h"

static int act(const struct options *o, const struct destination *d,
        struct ask_memory *memory)
{
	_cleanup_free_ char *again = options_connection(o);
	struct sshclient_options ssh = {
	        .host = d->host,
	        .port = d->known_port,
	        .user = d->user,
	        .known_hosts = (const char *const *)d->known_hosts.items,
	        .accept_new = o->accept_new,
	        .identities = (const char *const *)d->identities.items,
	        .agent = !d->identities_only,
	        .ask = ask,
	        .ask_arg = memory,
	};
	struct remote_options remote = {
	        .address = d->address,
	        .port = d->port,
	        .proxy = d->proxy,
	        .ssh = &ssh,
	        .connect_timeout_ms = (int)o->connect_timeout_s * 1000,
	        .retries = (int)o->retries,
	        .delay_ms = (int)o->delay_s * 1000,
	};

	tell_init(o->json, d->name, again ? again : "");
	switch (o->action) {
	case ACTION_LIST:
		return jobs_list(o, &remote, d->name);
	case ACTION_CANCEL:
		return jobs_cancel(o, &remote, d->name);
	case ACTION_CLEAN:
		return jobs_clean(o, &remote, d->name);
	case ACTION_RUN:
	case ACTION_ATTACH:
	default:
		return run_job(o, &remote, memory);
	}
}

int main(int argc, char **argv)
{
	struct options o;
	struct destination d = {.name = NULL};
	struct destination_request request;
	struct ask_memory memory = {.answer = NULL};
	struct err err = ERR_INIT;
	int r;

	startup();
	options_parse(&o, argc, argv);
	request = (struct destination_request){.text = o.host,
	        .port = o.port,
	        .user = o.user,
	        .config = o.ssh_config,
	        .known_hosts = o.known_hosts,
	        .identities = &o.identities};
	if (destination_find(&d, &request, &err) < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		r = VMEXEC_FAILED;
	} else {
		r = act(&o, &d, &memory);
	}
	ask_forget(&memory);
	destination_done(&d);
	options_done(&o);
	return r;
}
