/* SPDX-License-Identifier: MIT */
/*
 * How the copy and the Veeam jobs keep apart: src/lib/core/lease*.c, ticket.c
 * and lockdir.c as a model for spin.  Steps, functions and files have the names
 * that they have there.  run.py says with which sizes it is checked, and which
 * mistakes have to be found.
 *
 *	NJ jobs, NC copies
 *	FAULTS    so often a process is killed or the power fails, at any step
 *	FAILS     so many files cannot be made: the disk is full
 *	FULL      three of them
 *	RENEWALS  so often veeam-lock is called again by a run that goes on
 *	OBEY      a job whose pre-job script failed or was killed does not run;
 *	          without it, it runs all the same
 *	REMOTE    jobs run on another machine: they survive a power failure
 *	STUCK     the gate may be blocked for too long (V1, V4)
 *	LATE      veeam-unlock may come when the next run is under way
 *	CLEAN     somebody calls veeam-lock --clean
 *	NO_RUNS   nobody tells which run of a job it is
 *	TMPFS     a power failure takes all files away
 *	LIVE      for the liveness claims: nobody's time is up, and what is done
 *	          in the gate is one step, so that fairness of the gate (which
 *	          flock(2) does not promise) is taken for granted
 *	M_...     a mistake that must be found
 *	R_...     a situation that must occur, or the claims would say nothing
 *
 * A step is one system call that changes what others see, with all that was
 * looked at before it: in the gate nothing changes by itself but by a death or
 * the end of a copy, and these are steps of their own.  Leases and tickets
 * appear by one rename, so to write one is one step.
 *
 * Assumed, for no program here can change it:
 *	A1  veeam-lock lives until it has a ticket or a lease, and can make one,
 *	    if only a name without a text
 *	A2  Veeam starts no job while its veeam-lock waits
 *	A3  a job ends before its lease expires
 *	A4  a job does not run twice at the same time
 *	A5  what was synced is there when the power has failed.  Everything
 *	    else is taken to be there as well, except where it would help to
 *	    be lost: the ticket of a job between its rename and its fsync.
 *	    What was removed stays so once anything was synced after it, as
 *	    ext4 and XFS have it; before, the lease or the ticket that comes
 *	    back is of a run that still has the other one.
 *	A6  nobody removes a lease by hand, by "veeam-unlock --all" neither, or
 *	    replaces the directory while it is used
 *	A7  no veeam-unlock of an earlier run comes late while there is such a
 *	    name: it does not tell of which run it is
 *
 * Not in here: what jobs.c knows of the old script's lock files, and who may
 * look without the gate (--list, C3), since nothing is decided by that.
 */
#ifndef NJ
#define NJ 1
#endif
#ifndef NC
#define NC 1
#endif
#ifndef FAULTS
#define FAULTS 0
#endif
#ifndef RENEWALS
#define RENEWALS 0
#endif
#ifdef FULL
#define FAILS 3
#endif
#ifndef FAILS
#define FAILS 0
#endif
#define N (NJ + NC)
#define NONE 255
/* in the gate, but neither killed nor told of a power failure */
#define LATE_ID N
#define CLEAN_ID (N + 1)
#define IS_OF_OTHERS(g) ((g) == LATE_ID || (g) == CLEAN_ID)

/* --- the directory ----------------------------------------------------------
 */

byte gate = NONE;      /* whose flock it is */
byte copy = NONE;      /* the same; the process has it, or its rsync */
byte untouched = NONE; /* which copy made it; NONE: no such file */
byte place[N];         /* of the ticket in queue/; 0: none */
bool alive[N];         /* its flock is held */
bool lease[NJ];        /* there is a file in lease/ */

/* --- what really happens, known to nobody -----------------------------------
 */

bool job[NJ];       /* the job writes */
bool copying[N];    /* rsync reads, and asbackup lives */
bool orphan[N];     /* rsync reads, and asbackup is dead */
bool overlapped[N]; /* a job wrote since C2 */
bool dead[N];       /* was killed, and has not noticed yet */
bool running[NJ];   /* a run is under way: somebody will call veeam-unlock */
bool known[NJ];     /* this run had a ticket or a lease */
bool lease_now[NJ]; /* the lease is of this run, not of one before */
bool ticket_now[NJ]; /* the ticket */
bool mark[NJ];       /* the lease is a name without a text: of no known run */
bool told[NJ]; /* a lease of a run before tells of the job, until it expires */
byte fresh = NONE; /* whose ticket is not synced yet */
#ifdef LATE
bool late[NJ]; /* a veeam-unlock is still to come */
#endif
#ifdef LIVE
bool waits[N];
#endif
byte faults = FAULTS;
byte fails = FAILS;
byte renewals = RENEWALS;

/* --- looking ----------------------------------------------------------------
 */

#define DEAD(p) (place[p] && !alive[p])
#define EXPIRABLE(j) (lease[j] && !(lease_now[j] && running[j]))
#ifdef M_EXPIRES_EARLY
#define EXPIRED(j) (lease[j])
#elif defined(LIVE)
/* Not when the next run has come and waits: that would be luck. */
#define EXPIRED(j) (lease[j] && !running[j])
#else
#define EXPIRED(j) EXPIRABLE(j)
#endif
#define OLDER(p, me) (alive[p] && (place[me] == 0 || place[p] < place[me]))

#if NJ == 1
#define DEAD_JOB DEAD(0)
#define ANY_LEASE (lease[0])
#define LASTING (lease[0] && !EXPIRED(0))
#define ANY_JOB (job[0])
#define OLDER_JOB(me) OLDER(0, me)
#elif NJ == 2
#define DEAD_JOB (DEAD(0) || DEAD(1))
#define ANY_LEASE (lease[0] || lease[1])
#define LASTING ((lease[0] && !EXPIRED(0)) || (lease[1] && !EXPIRED(1)))
#define ANY_JOB (job[0] || job[1])
#define OLDER_JOB(me) (OLDER(0, me) || OLDER(1, me))
#endif
#if NC == 1
#define DEAD_COPY DEAD(NJ)
#define OLDER_COPY(me) OLDER(NJ, me)
#define READERS (copying[NJ] + orphan[NJ])
#elif NC == 2
#define DEAD_COPY (DEAD(NJ) || DEAD(NJ + 1))
#define OLDER_COPY(me) (OLDER(NJ, me) || OLDER(NJ + 1, me))
#define READERS (copying[NJ] + orphan[NJ] + copying[NJ + 1] + orphan[NJ + 1])
#endif

/* is_blocked() of lease_job.c, and find_blockers() of lease_copy.c */
#ifdef M_NO_QUEUE
#define JOB_BLOCKED(me) (copy != NONE)
#define QUEUE_BLOCKED(me) (copy != NONE)
#else
#ifdef M_V1_PASSES_COPIES
#define JOB_BLOCKED(me) (copy != NONE || (place[me] && OLDER_COPY(me)))
#elif defined(M_RENEWAL_WAITS) || defined(NO_RUNS)
#define JOB_BLOCKED(me) (copy != NONE || OLDER_COPY(me))
#else
#define JOB_BLOCKED(me) \
	(copy != NONE ||                                                       \
		(OLDER_COPY(me) && !(lease[me] && lease_now[me] && !mark[me])))
#endif
#define QUEUE_BLOCKED(me) (copy != NONE || OLDER_JOB(me) || OLDER_COPY(me))
#endif

/* --- doing ------------------------------------------------------------------
 */

#ifdef M_NO_GATE
#define OURS(me) (true)
#else
#define OURS(me) (gate == NONE || gate == me)
#endif

/* For the liveness claims; ends where somebody has to wait. */
#ifdef LIVE
#define AT_ONCE atomic
#else
#define AT_ONCE
#endif

inline leave(me)
{
	if
	:: gate == me -> gate = NONE
	:: else
	fi
}

inline lease_taint() { untouched = NONE }

inline ticket_gone(p)
{
	d_step {
		i = 0;
		do
		:: i < N ->
			if
			:: place[p] && place[i] > place[p] ->
				place[i] = place[i] - 1
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0;
		place[p] = 0;
		alive[p] = false;
		if
		:: p < NJ -> ticket_now[p] = false
		:: else
		fi
	}
}

/* Behind all others; only the order of the numbers matters. */
inline ticket_take(p)
{
#ifdef M_V1_WITHOUT_REAP
	ticket_gone(p);
#endif
	d_step {
		assert(place[p] == 0);
		i = 0;
		do
		:: i < N ->
			if
			:: place[i] >= place[p] && i != p && place[i] ->
				place[p] = place[i]
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0;
		place[p] = place[p] + 1;
		alive[p] = true
	}
}

inline lease_there(j, now)
{
	d_step { lease[j] = true; lease_now[j] = now; mark[j] = false }
}

inline lease_gone(j)
{
	d_step { lease[j] = false; lease_now[j] = false; mark[j] = false }
}

/* The earlier run is over; nothing is left that could tell of this one. */
inline lease_expires(j)
{
	d_step { lease_gone(j); told[j] = false }
}

inline ticket_to_lease(j)
{
#ifdef M_DROPS_DEAD
	ticket_gone(j)
#else
	lease_there(j, ticket_now[j]);
	ticket_gone(j)
#endif
}

inline first_dead(r, from)
{
	d_step {
		r = from;
		do
		:: DEAD(r) -> break
		:: else -> r++
		od
	}
}

/*
 * Enters the gate and reaps the queue, lease_reap_queue(): with @wake in any
 * case, else only if there is something to reap.  (Whoever is woken and finds
 * nothing changes nothing, so that is left out.)
 */
inline enter_and_reap(me, wake)
{
	do
	:: atomic {
		OURS(me) && DEAD_COPY -> gate = me;
		first_dead(r, NJ);
		ticket_gone(r);
		r = NONE
	   }
	:: atomic {
		OURS(me) && DEAD_JOB -> gate = me;
		first_dead(r, 0);
#if defined(M_TAINTS_LATE)
		ticket_to_lease(r)
#elif !defined(M_DROPS_DEAD)
		lease_taint()
#endif
	   }
	   atomic {
#ifdef M_TAINTS_LATE
		lease_taint();
#else
		ticket_to_lease(r);
#endif
#ifdef R_REAPED_BY_COPY
		assert(me < NJ);
#endif
		r = NONE
	   }
	:: atomic { OURS(me) && !DEAD_COPY && !DEAD_JOB && (wake) -> gate = me };
	   break
	:: gate == me && !DEAD_COPY && !DEAD_JOB && !(wake) -> break
	od
}

/* The rest of lease_reap(): any of the leases whose job is over may have
 * expired by now.  Each goes by one rename. */
inline reap_leases()
{
	i = 0;
	do
	:: i < NJ && EXPIRED(i) -> lease_expires(i); i++
#ifdef LIVE
	:: i < NJ && !EXPIRED(i) -> i++
#else
	:: i < NJ -> i++
#endif
	:: else -> break
	od;
	i = 0
}

/* What must hold whenever somebody begins to write or to read. */
inline look_at_all()
{
	d_step {
		assert(READERS <= 1);
#ifdef OBEY
		assert(!(ANY_JOB && READERS > 0));
#endif
		i = NJ;
		do
		:: i < N ->
			if
			:: ANY_JOB && copying[i] -> overlapped[i] = true
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

/* --- a job, again and again -------------------------------------------------
 */

/* What is known of a run that is under way is there until its unlock. */
inline is_registered(j)
{
	assert(!known[j] || (lease[j] && lease_now[j]) ||
		(place[j] && ticket_now[j]))
}

/* Whose veeam-lock ended before it got anything may have a lease of an earlier
 * run to tell of it, and that must not have been taken away. */
inline is_told(j) { assert(!told[j] || lease[j] || place[j]) }

/* What veeam-lock says when its time is up, and what becomes of it. */
#ifdef OBEY
#define FORCED refused
#else
#define FORCED granted
#endif

inline registered(j) { known[j] = true; told[j] = false }

inline new_run(j)
{
	d_step {
		running[j] = true;
		known[j] = false;
		told[j] = lease[j];
		lease_now[j] = false;
		ticket_now[j] = false
	}
}

/* The lease of a run before goes; the ticket tells of the job now. */
inline supersede(me)
{
	if
#if !defined(NO_RUNS) && !defined(M_NO_SUPERSEDE)
	:: lease[me] && !lease_now[me] && !mark[me] -> lease_gone(me)
#endif
	:: else
	fi
}

/* The parts of ticket_take(): rename, fsync. */
inline ticket_appears(me)
{
	d_step {
		ticket_take(me);
		ticket_now[me] = true;
		fresh = me
	}
}

inline ticket_synced(me)
{
	d_step {
		registered(me);
		fresh = NONE
	}
}

/* lease_file_mark(); the lease of this very run says more */
inline lease_file_mark(j)
{
#ifndef M_NO_MARK
	d_step {
		if
		:: lease[j] && lease_now[j]
		:: else -> lease_there(j, true); mark[j] = true
		fi
	}
#endif
	registered(j)
}

/* write_lease(): where there is no room the ticket becomes the lease; who has
 * none leaves a name without a text, if there is room for that. */
#ifdef M_NO_ROOM_NO_LEASE
#define NO_ROOM(me) ticket_gone(me)
#else
#define NO_ROOM(me) ticket_to_lease(me)
#endif
#define WRITE_LEASE(me, next)                                                  \
	if                                                                     \
	:: atomic {                                                            \
		fails > 0 && place[me] ->                                      \
		fails--;                                                       \
		NO_ROOM(me);                                                   \
		leave(me);                                                     \
		goto next                                                      \
	   }                                                                   \
	:: atomic {                                                            \
		fails > 0 && !place[me] ->                                     \
		fails--;                                                       \
		lease_file_mark(me);                                           \
		leave(me);                                                     \
		goto next                                                      \
	   }                                                                   \
	:: atomic {                                                            \
		fails > 1 && !place[me] ->                                     \
		fails = fails - 2;                                             \
		leave(me);                                                     \
		goto V4_failed                                                 \
	   }                                                                   \
	:: atomic { lease_there(me, true); registered(me) };                   \
	   atomic { ticket_gone(me); leave(me); goto next }                    \
	fi

proctype Job(byte me)
{
	byte r = NONE, i;

idle:
	if
	:: new_run(me)
	:: goto end
	fi;
V1:	{ {
		AT_ONCE {
#ifdef LIVE
		waits[me] = true;
#endif
#ifdef STUCK
		if
		:: true
		:: !OURS(me) -> goto V4
		fi;
#endif
#ifdef M_V1_WITHOUT_REAP
		atomic { OURS(me) -> gate = me };
#else
		enter_and_reap(me, true);
#endif
		if
		:: atomic {
			!JOB_BLOCKED(me) ->
			lease_there(me, true);
			registered(me);
			leave(me);
			goto granted
		   }
		/* no room for a lease or a ticket */
		:: atomic { fails > 0 -> fails--; leave(me); goto V4 }
#if defined(M_SUPERSEDE_FIRST)
		:: atomic { JOB_BLOCKED(me) -> supersede(me) };
		   ticket_appears(me);
		   atomic { ticket_synced(me); leave(me) }
#elif defined(M_SUPERSEDE_UNSYNCED)
		:: atomic { JOB_BLOCKED(me) -> ticket_appears(me) };
		   atomic { supersede(me) };
		   atomic { ticket_synced(me); leave(me) }
#else
		:: atomic { JOB_BLOCKED(me) -> ticket_appears(me) };
		   ticket_synced(me);
		   atomic { supersede(me); leave(me) }
#endif
		fi;

V2:		do
		:: enter_and_reap(me, !JOB_BLOCKED(me));
		   atomic {
			if
			:: !JOB_BLOCKED(me) -> goto V3
			:: else -> leave(me)
			fi
		   }
#ifndef LIVE
		:: goto V4 /* its time is up, or it is told to end */
#endif
#ifdef M_GIVES_UP
		:: atomic { ticket_gone(me); goto FORCED }
#endif
		od;

V3:		if
		/* no room */
		:: atomic { fails > 0 -> fails--; leave(me); goto V4 }
#ifdef M_TICKET_FIRST
		:: ticket_gone(me);
		   atomic { lease_there(me, true); leave(me); goto granted }
#else
		:: lease_there(me, true);
		   atomic { ticket_gone(me); leave(me); goto granted }
#endif
		fi
		};

V4:		if
#ifdef M_V4_WITHOUT_REAP
		:: atomic { OURS(me) -> gate = me };
#else
		:: enter_and_reap(me, true);
#endif
		   atomic {
			if
			:: copy == NONE -> goto V4_lease
			:: else
			fi;
#ifndef M_FORCES_WITHOUT_TAINT
#ifndef M_FORGETS_FORCED
			lease_taint()
#endif
#endif
		   }
		/* the directory cannot be written to */
		:: atomic {
			OURS(me) && copy != NONE && fails > 0 ->
			fails--;
			goto V4_failed
		   }
#ifdef STUCK
		:: atomic { !OURS(me) -> lease_taint(); goto V4_failed }
#endif
		fi;
#ifdef M_FORGETS_FORCED
		atomic { ticket_gone(me); leave(me); goto FORCED };
#endif
		WRITE_LEASE(me, FORCED);

V4_lease:	/* nobody copies */
		WRITE_LEASE(me, granted);

V4_failed:	/* it ends with an error, and the ticket is dead */
		atomic {
#ifdef M_ERROR_DROPS_TICKET
			ticket_gone(me);
#else
			alive[me] = false;
#endif
			if
			:: known[me] -> goto FORCED
			:: else -> is_told(me); running[me] = false; goto idle
			fi
		}
	} unless { dead[me] } };

	/* veeam-lock was killed */
	atomic {
		dead[me] = false;
		r = NONE;
		i = 0;
		is_told(me);
#ifdef OBEY
		goto refused
#else
		if
		:: known[me] -> goto granted
		:: else -> running[me] = false; goto idle
		fi
#endif
	}

#ifdef OBEY
refused:
	atomic {
#ifdef LIVE
		waits[me] = false;
#endif
		if
		:: job[me] -> goto granted /* it runs already */
		:: else -> running[me] = false; goto idle
		fi
	}
#endif
granted:
#ifdef LIVE
	waits[me] = false;
#endif
	{ {
		atomic { job[me] = true; look_at_all() };
		if
		:: atomic { is_registered(me); job[me] = false; goto U }
		:: atomic { /* no post-job script: its machine died */
			is_registered(me);
			job[me] = false;
			running[me] = false;
#ifdef LATE
			late[me] = true;
#endif
			goto idle
		   }
		/* Veeam calls the pre-job script of this run once more */
		:: atomic { renewals > 0 -> renewals--; goto V1 }
		fi
	} unless { dead[me] } };
	atomic { /* the machine restarted under a job of its own */
		dead[me] = false;
		job[me] = false;
		running[me] = false;
		goto idle
	}

U:	{ {
		AT_ONCE {
#ifdef M_UNLOCK_WITHOUT_REAP
		atomic { OURS(me) -> gate = me };
#else
		enter_and_reap(me, true);
#endif
		atomic {
#ifndef NO_RUNS
			if
			:: lease_now[me] || mark[me] -> lease_gone(me)
			:: else
			fi;
#else
			lease_gone(me);
#endif
			/* nothing of it is left to hinder anybody */
			assert(place[me] == 0);
			running[me] = false;
			leave(me);
			goto idle
		} }
	} unless { dead[me] } };
	atomic {
		dead[me] = false;
		running[me] = false;
		r = NONE;
		i = 0;
		goto idle
	}
end:	skip
}

#ifdef LATE
/* veeam-unlock with the id of a run that another one has followed. */
proctype Late(byte me)
{
	byte r = NONE, i;

end_late:
	do
	:: atomic { late[me] -> late[me] = false };
	   enter_and_reap(LATE_ID, true);
	   atomic {
		if
#ifdef M_UNLOCK_ANY_RUN
		:: lease[me] -> lease_gone(me)
#else
		:: lease[me] && !(lease_now[me] && running[me] && !mark[me]) ->
			lease_expires(me)
#endif
		:: else
		fi;
		leave(LATE_ID)
	   }
	od
}
#endif

#ifdef CLEAN
/* lease_clean() */
proctype Clean()
{
	byte r = NONE, i;

end_clean:
	do
	:: enter_and_reap(CLEAN_ID, true);
	   atomic { reap_leases(); leave(CLEAN_ID) }
	od
}
#endif

/* --- copies, again and again ------------------------------------------------
 */

proctype Copy(byte me)
{
	byte r = NONE, i;
	bool clean;

idle:
	if
	:: true
	:: goto end
	fi;
C1:	{ {
		AT_ONCE {
		enter_and_reap(me, true);
		atomic {
			reap_leases();
			if
			:: ticket_take(me)
			/* no room: behind everybody, and unseen */
			:: fails > 0 -> fails--
			fi;
			leave(me)
		};
#ifdef LIVE
		waits[me] = true;
#endif

C2:		do
#ifdef M_LEASES_BEFORE_GATE
		:: !ANY_LEASE;
		   enter_and_reap(me, true);
		   atomic {
			if
			:: !QUEUE_BLOCKED(me) -> copy = me; break
			:: else -> leave(me)
			fi
		   }
#elif defined(M_REAPS_OUTSIDE)
		:: atomic { EXPIRED(0) -> r = 0 };
		   atomic { lease_gone(r); r = NONE }
		:: enter_and_reap(me, !QUEUE_BLOCKED(me) && !ANY_LEASE);
		   atomic {
			if
			:: !QUEUE_BLOCKED(me) && !ANY_LEASE -> copy = me; break
			:: else -> leave(me)
			fi
		   }
#else
		:: enter_and_reap(me, !QUEUE_BLOCKED(me) && !LASTING);
		   atomic {
			reap_leases();
			if
			:: !QUEUE_BLOCKED(me) && !ANY_LEASE -> copy = me; break
			:: else -> leave(me)
			fi
		   }
#endif
#ifndef LIVE
		:: ticket_gone(me); goto idle /* it does not wait longer */
#endif
		od;
#ifdef M_UNTOUCHED_LATE
		lease_taint();
		atomic { ticket_gone(me); leave(me) };
		untouched = me;
#else
		lease_taint(); /* of the copy before */
		if
		:: untouched = me
		:: atomic { /* no room */
			fails > 0 -> fails--;
			copy = NONE;
			ticket_gone(me);
			leave(me);
			goto idle
		   }
		fi;
#endif
		atomic {
			ticket_gone(me);
			leave(me);
			copying[me] = true;
			look_at_all()
		}
#ifdef LIVE
		waits[me] = false
#endif
		};

C3:		if
		:: atomic { /* it gives way, or failed: no verdict */
			copying[me] = false;
			overlapped[me] = false;
			copy = NONE;
			goto idle
		   }
		:: copying[me] = false
		fi;

C4:		AT_ONCE {
#if !defined(M_VERDICT_WITHOUT_REAP)
		enter_and_reap(me, true);
#endif
		atomic {
			reap_leases();
			clean = !ANY_LEASE && copy == me && untouched == me;
			assert(!(clean && overlapped[me]));
#ifdef R_CLEAN
			assert(!clean);
#endif
#ifdef R_OVERLAPPED
			assert(!overlapped[me]);
#endif
			clean = false;
			overlapped[me] = false;
			leave(me)
		} }
		atomic { copy = NONE; goto idle }
	} unless { dead[me] } };
	atomic {
		dead[me] = false;
		overlapped[me] = false;
		clean = false;
		r = NONE;
		i = 0;
#ifdef LIVE
		waits[me] = false;
#endif
		goto idle
	}
end:	skip
}

/* --- what the world does ----------------------------------------------------
 */

/* Who holds nothing leaves nothing behind. */
#define KILLABLE(p) \
	(gate == p || alive[p] || (copy == p && !orphan[p]))

/* The kernel frees what it held, unless rsync holds it too. */
inline killed(p)
{
	d_step {
		faults--;
		dead[p] = true;
		alive[p] = false;
		if
		:: gate == p -> gate = NONE; fresh = NONE
		:: else
		fi;
		if
		:: copying[p] ->
			copying[p] = false;
			orphan[p] = true;
#ifdef M_RSYNC_WITHOUT_LOCK
			copy = NONE
#endif
		:: !copying[p] && !orphan[p] && copy == p -> copy = NONE
		:: else
		fi
	}
}

inline rsync_ends(p)
{
	orphan[p] = false;
	if
	:: copy == p -> copy = NONE
	:: else
	fi
}

/* Locks and processes vanish, files stay. */
inline power_fails()
{
	faults--;
	p = 0;
	do
	:: p < N ->
		if
		:: KILLABLE(p) -> dead[p] = true
		:: else
		fi;
		alive[p] = false;
		copying[p] = false;
		orphan[p] = false;
#ifndef REMOTE
		if
		:: p < NJ ->
			dead[p] = running[p];
			known[p] = false;
			told[p] = false;
			job[p] = false
		:: else
		fi;
#endif
		p++
	:: else -> break
	od;
	p = 0;
	if
	:: fresh != NONE -> ticket_gone(fresh)
	:: true
	fi;
	fresh = NONE;
#ifdef TMPFS
	untouched = NONE;
	do
	:: p < NJ -> lease_gone(p); p++
	:: else -> break
	od;
	p = 0;
#endif
#if defined(M_TICKET_NOT_DURABLE) || defined(TMPFS)
	do
	:: p < N && place[p] -> ticket_gone(p); p++
	:: p < N -> p++
	:: else -> break
	od;
	p = 0;
#endif
	gate = NONE;
	copy = NONE
}

proctype World()
{
	byte p, i;

end_world:
	do
	:: atomic { faults > 0 && KILLABLE(0) -> killed(0) }
	:: atomic { faults > 0 && KILLABLE(1) -> killed(1) }
#if N > 2
	:: atomic { faults > 0 && KILLABLE(2) -> killed(2) }
#endif
#if N > 3
	:: atomic { faults > 0 && KILLABLE(3) -> killed(3) }
#endif
	:: atomic { faults > 0 && !IS_OF_OTHERS(gate) -> power_fails() }
	/* An rsync without its asbackup ends too; only then the lock is free. */
	:: atomic { orphan[NJ] -> rsync_ends(NJ) }
#if NC > 1
	:: atomic { orphan[NJ + 1] -> rsync_ends(NJ + 1) }
#endif
	od
}

init
{
	byte i;

	atomic {
		do
		:: i < NJ -> run Job(i);
#ifdef LATE
			run Late(i);
#endif
			i++
		:: i >= NJ && i < N -> run Copy(i);
			i++
		:: else -> break
		od;
#ifdef CLEAN
		run Clean();
#endif
		run World();
		i = 0
	}
}

#ifdef LIVE
ltl copy_goes_on { [] (waits[NJ] -> <> !waits[NJ]) }
ltl job_goes_on { [] (waits[0] -> <> !waits[0]) }
#endif
