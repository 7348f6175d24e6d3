/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The stop protocol: the frame that runs a handler, stop_locked, stop, destroy, release.
 *
 * A model defines before it includes this file, and after primitives.pml:
 *   READY(r)         the wait of reader r is over: there is something to read
 *   batch()          what a handler does on its stream `s` for its reader `r`; it moves the context on with rearm(),
 *                    or keeps it to be dropped; sets `ends` for a network stop
 *   drop_live(s)     gives up the live heaps, counted
 * and, if it has them:
 *   hand_over_live(s), merge_account(s), FAILED        with NETWORK_STOPS: a callback of this batch has thrown
 *   close_ring(s), wait_for_resumptions(s)             with RINGS
 *   (nothing more)                                     with LAST_CALLBACKS: drop_live(s) marks other streams
 *   reader_left[]                                      with READERS_LEAVE
 *   reader_linked[], readers_closed                    with ADD_READER: only reader 0 is linked from the start
 */
#ifndef IO_THREADS
#define IO_THREADS 2
#endif
#ifndef FAILED
#define FAILED false
#endif
#define PER_STREAM (READERS / STREAMS)

#ifdef ADD_READER
#define EACH_READER(s, r, step) \
    r = 0; \
    do \
    :: r < READERS && reader_linked[r] -> step; r++ \
    :: else -> break \
    od
#else
#define EACH_READER(s, r, step) \
    r = (s) * PER_STREAM; \
    do \
    :: r < ((s) + 1) * PER_STREAM -> step; r++ \
    :: else -> break \
    od
#endif

/* With READERS_LEAVE a reader that has ended is stopped and released at once, before the stream. */
#ifdef READERS_LEAVE
#define UNLESS_IT_LEFT(r, step) \
    if \
    :: !reader_left[r] -> step \
    :: else \
    fi
#else
#define UNLESS_IT_LEFT(r, step) step
#endif

mtype = { unclaimed, by_job, by_owner, done };        /* a release_ticket; it outlives its reader */
mtype = { none, handler, release };                    /* what an io thread runs */

mtype ticket[READERS] = unclaimed;
bit   released[READERS];
bit   stop_returned[STREAMS];                         /* some stop() from outside callbacks has returned */

/* What the processes that stop streams need besides their own locals. */
#if STREAMS == 1
#define STOPPER_LOCALS byte holds; byte i; bit works
#else
#define STOPPER_LOCALS byte holds; byte i; bit works; byte t; byte marked; bit locked
#endif

#ifdef MUTANT_CALL_ONCE
bit once_running;
#endif

/* Only what other threads can see without queue_mutex is a step of its own: the waits cancelled, the release jobs
 * posted, the ring closed. The account is merged before anyone can see the end: a caller of wait_released() by the
 * jobs, a consumer by the closed ring. */
inline stop_locked(s) {
    atomic {
        must(safe_access, MAY_WORK(s));
        drop_live(s);
#if defined(NETWORK_STOPS) && !defined(MUTANT_ACCOUNT_MERGED_LATE)
        merge_account(s);
#endif
        linked[s] = 0;
        stop_readers(s)
    };
    post_releases(s);
#ifdef MUTANT_ACCOUNT_MERGED_LATE
    merge_account(s);
#endif
#if defined(RINGS) && !defined(MUTANT_CLOSES_BEFORE_THE_FLUSH)
    close_ring(s)
#endif
}

/* Under reader_mutex; nothing else is done under it but this and the linking of a reader, so each is one step. */
inline stop_readers(s) {
    EACH_READER(s, i, UNLESS_IT_LEFT(i, stop_reader(s, i)));
#ifdef ADD_READER
    readers_closed = 1;
#endif
    i = 0
}

/* reader::stop(): a wait that is cancelled still runs its handler. */
inline stop_reader(s, r) {
    must(safe_access, MAY_TOUCH_READER(s, r));
    must(readers_stop_once, reader_open[r]);
    reader_open[r] = 0;
#ifdef MUTANT_READERS_DESTROYED_BY_THE_STOP
    reader_alive[r] = 0;
#endif
    if
    :: armed[r] -> armed[r] = 0; posted[r]++
    :: else
    fi
}

/* A job with a reference to shared_state. */
inline post_release(s, r) {
    release_posted[r] = 1;
    retain(s);
    work++
}

inline post_releases(s) {
    d_step {
        must(safe_access, io_alive);
        EACH_READER(s, i, UNLESS_IT_LEFT(i, post_release(s, i)));
        i = 0
    }
}

/* stop() from outside callbacks. */
inline stop_outside(s) {
#ifdef MUTANT_CALL_ONCE
    atomic { !once_running -> once_running = 1 };
#endif
#ifdef MUTANT_RETURNS_WHEN_FLAGGED
    if
    :: atomic { stop_requested[s] -> stop_returned[s] = 1 }
    :: else ->
#endif
#ifndef MUTANT_FLAG_SET_AFTER_LOCKING
    stop_requested[s] = 1;
#endif
    lock_queue(s);
#ifdef MUTANT_FLAG_SET_AFTER_LOCKING
    stop_requested[s] = 1;
#endif
#ifdef MUTANT_STOP_CLOSES_THE_RING_ITSELF
    close_ring(s);
#endif
    if
    :: works -> stop_locked(s)
    :: else
    fi;
    unlock_queue(s);
#ifdef MUTANT_CALL_ONCE
    once_running = 0;
#endif
    atomic { wake_next(s); stop_returned[s] = 1 };
#if defined(LAST_CALLBACKS) && !defined(MUTANT_STOP_DOES_NOT_SETTLE)
    settle()
#endif
#ifdef MUTANT_RETURNS_WHEN_FLAGGED
    fi
#endif
}

#ifndef MUTANT_MARK_NOT_COUNTED
#define retain_marked(s) retain(s)
#define drop_marked(s) drop(s)
#else
#define retain_marked(s) skip
#define drop_marked(s) wake_next(s)
#endif

/* stop() from within a callback of stream `s`. Of its own stream: the end of this batch sees the flag. */
inline stop_own() {
#ifdef MUTANT_CALL_ONCE
    !once_running;
#endif
#ifdef MUTANT_STOP_NOT_DEFERRED
    if
    :: linked[s] -> stop_locked(s)
    :: else
    fi;
#endif
    stop_requested[s] = 1
}

/* Of another: who sets the flag sees to the stop, when this thread holds no lock any more. The node of a shared_state
 * is in one list only, for the flag is set once. */
inline stop_other(other) {
    atomic {
        if
        :: !stop_requested[other] -> retain_marked(other); marked = marked | (1 << other)
        :: else
        fi;
        stop_requested[other] = 1
    };
#ifdef MUTANT_TWO_LOCKS
    lock_queue(other);
    unlock_queue(other)
#endif
}

/* reader::release(), by its job or by the destructor: two steps, so that somebody may come between. It ends the
 * work that the reader has kept on its executor since it was linked; without it run() could return before the job
 * is posted, and between the parking of a context and its resumption. */
inline release_reader(r) {
    atomic { must(one_release, !released[r]); must(safe_access, reader_alive[r]); released[r] = 1 };
#ifndef MUTANT_READERS_KEEP_NO_WORK
    atomic { must(safe_access, reader_alive[r] && io_alive); work-- }
#else
    must(safe_access, reader_alive[r])
#endif
}

/* ~stream_base. */
inline destroy(s) {
    stop_outside(s);
    EACH_READER(s, i, claim_release(i));
#ifdef RINGS
    wait_for_resumptions(s);
#endif
    destroy_readers(s);
    atomic { core_alive[s] = 0; drop(s) }
}

inline claim_release(r) {
    atomic {
        if
        :: ticket[r] == unclaimed -> ticket[r] = by_owner
        :: else
        fi
    };
    if
    :: ticket[r] == by_owner -> release_reader(r)
#ifndef MUTANT_RELEASE_NOT_AWAITED
    :: else -> ticket[r] == done
#else
    :: else
#endif
    fi
}

/* With their references. */
inline destroy_readers(s) {
    atomic {
        EACH_READER(s, i, reader_alive[i] = 0; drop(s));
        i = 0
    }
}

/* The wrapped function of reader::bind_handler. The frame has a reference of its own from the start. */
inline run_handler() {
    if
    :: stop_requested[s]
    :: else ->
#ifdef MUTANT_POINTER_READ_OUTSIDE_THE_LOCK
        was_linked = linked[s];
#endif
        lock_queue(s);
#ifdef MUTANT_POINTER_READ_OUTSIDE_THE_LOCK
        works = was_linked;
#endif
        if
        :: works ->
            batch();
            end_batch();
#ifdef MUTANT_LOOKS_BEFORE_UNLOCKING
            look_again();
#endif
            unlock_queue(s);
#ifndef MUTANT_LOOKS_BEFORE_UNLOCKING
            look_again()
#endif
        :: else -> unlock_queue(s)
        fi
    fi;
    settle()
}

/* ~add_packet_handler, still under the lock. A network stop hands over what is live, a user stop drops it. */
inline end_batch() {
    if
#ifdef NETWORK_STOPS
#ifndef MUTANT_CLOSES_BEFORE_THE_FLUSH
    :: ends -> ends = 0; stopped = 1; hand_over_live(s); stop_locked(s)
#else
    :: ends -> ends = 0; stopped = 1; merge_account(s); close_ring(s); hand_over_live(s); stop_locked(s)
#endif
    :: !ends && (FAILED || stop_requested[s]) -> stopped = 1; stop_locked(s)
#else
    :: stop_requested[s] -> stopped = 1; stop_locked(s)
#endif
    :: else
    fi
}

/* The flag may have been set after the batch looked, by somebody who could not get the lock: whoever unlocks looks
 * again. */
inline look_again() {
    atomic {
        wake_next(s);
#ifndef MUTANT_DOES_NOT_LOOK_AGAIN
        if
        :: !stopped && stop_requested[s] -> retain_marked(s); marked = marked | (1 << s)
        :: else
        fi;
#endif
        stopped = 0
    }
}

/* With no lock held: the streams that callbacks of this thread have marked, and the one just unlocked. Who fails to
 * get the lock leaves the stop to who has it. */
inline settle() {
    do
    :: marked != 0 ->
        atomic {
#if STREAMS > 1
            if
            :: marked & 1 -> t = 0
            :: else -> t = 1
            fi;
#endif
            marked = marked & ~(1 << t);
            try_lock_queue(t)
        };
        if
        :: locked ->
            if
            :: works -> stop_locked(t)
            :: else
            fi;
            unlock_queue(t)
        :: else
        fi;
        d_step {
            drop_marked(t);
            t = 0;
            locked = 0
        }
    :: else -> break
    od
}

/* The job that stop_locked posted. */
inline run_release() {
    atomic {
#ifdef MUTANT_RELEASE_WITHOUT_A_CLAIM
        mine = 1
#else
        if
        :: ticket[r] == unclaimed -> ticket[r] = by_job; mine = 1
        :: else
        fi
#endif
    };
    if
    :: mine -> release_reader(r); d_step { ticket[r] = done; mine = 0 }
    :: else
    fi
}

inline rearm() {
    atomic {
        must(safe_access, MAY_TOUCH_READER(s, r) && reader_open[r] && has_context);
        armed[r] = 1;
        work++;
        has_context = 0
    }
}

#define TAKE(k) \
    :: posted[k] > 0 -> posted[k]--; r = k; task = handler; has_context = 1 \
    :: armed[k] && READY(k) -> armed[k] = 0; r = k; task = handler; has_context = 1 \
    :: release_posted[k] -> release_posted[k] = 0; r = k; task = release

proctype io_thread() {
    byte r; byte s; byte i; byte t;
    byte n;                                           /* packets of this batch */
    byte holds; bit locked; bit works; bit has_context; bit stopped; bit mine;
#ifdef MUTANT_POINTER_READ_OUTSIDE_THE_LOCK
    bit was_linked;
#endif
#ifdef NETWORK_STOPS
    bit ends;                                         /* the batch is marked: the stream stops at its end */
#endif
    byte marked;                                      /* streams to try, a bit each */
    mtype task = none;
    do
    :: atomic {
        if
        TAKE(0)
#if READERS > 1
        TAKE(1)
#endif
        :: work == 0 || io_stopped -> break
        fi;
        s = STREAM_OF(r);
        if
#ifndef MUTANT_FRAME_WITHOUT_A_REFERENCE
        :: task == handler -> retain(s)
#endif
        :: else
        fi
      };
      if
      :: task == handler -> run_handler()
      :: else -> run_release()
      fi;
      /* The frame's reference, and the context's or the job's unless it has moved on. */
      atomic {
        if
#ifndef MUTANT_FRAME_WITHOUT_A_REFERENCE
        :: task == handler -> drop(s)
#else
        :: task == handler
#endif
        :: else -> has_context = 1
        fi;
        if
        :: has_context -> drop(s); has_context = 0
        :: else
        fi;
        task = none; r = 0; s = 0; n = 0;
        work--
      }
    od;
    io_returned++
}

/* What a user may do right after the stream is gone: stop the io_context, join its threads, destroy it with the
 * handlers that have not run. */
inline destroy_io_context() {
    io_stopped = 1;
    atomic {
        io_returned == IO_THREADS;
        io_alive = 0;
        i = 0;
        do
        :: i < READERS ->
            references[STREAM_OF(i)] = references[STREAM_OF(i)] - posted[i] - armed[i] - release_posted[i];
            i++
        :: else -> break
        od
    }
}

/* Streams that run: every reader waits, and keeps work on its executor. For `init`, which needs a local `i`. */
inline set_up() {
    i = 0;
    do
    :: i < STREAMS ->
        linked[i] = 1;
        core_alive[i] = 1;
        references[i] = 1;
        i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < READERS ->
        reader_alive[i] = 1;
        reader_open[i] = 1;
        armed[i] = 1;
        references[STREAM_OF(i)] = references[STREAM_OF(i)] + 2;
#ifndef MUTANT_READERS_KEEP_NO_WORK
        work = work + 2;
#else
        work++;
#endif
#ifdef ADD_READER
        reader_linked[i] = 1;
        break
#else
        i++
#endif
    :: else -> break
    od;
    run io_thread();
#if IO_THREADS > 1
    run io_thread();
#endif
    i = 0
}
