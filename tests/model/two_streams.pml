/* SPDX-License-Identifier: BSD-3-Clause
 * Two streams whose callbacks stop each other, or themselves, on two io threads. A third thread asks for a snapshot
 * under the lock; a fourth may destroy one of them, which a callback of the other has perhaps marked already.
 *
 * run both_ways: PACKETS=2 LAST_CALLBACKS=1
 * run snapshot: PACKETS=1 REPORTER=1
 * unreached owner in both_ways: t = 1
 * unreached owner in both_ways: marked = (marked|(1<<(1-t)))
 *     Stream 1 is the one it destroys, so it is never on the list of this thread.
 * mutant two_locks in both_ways: lock_order
 *     stop() of another stream from a callback locks it. With the other way round on another thread neither gets on.
 * mutant does_not_look_again in both_ways: mark_never_lost
 *     Nobody looks at the flag after an unlock. It was set after the batch had looked and before the unlock, by a
 *     thread that then could not get the lock.
 * mutant looks_before_unlocking in both_ways: mark_never_lost
 *     The look comes before the unlock, as it may in effect if it is a plain load: the same gap, only smaller.
 * mutant mark_not_counted in both_ways: safe_access
 *     The list of marked streams holds no reference. The stream is destroyed before the thread that marked it gets to
 *     it.
 * mutant stop_does_not_settle in both_ways: mark_never_lost
 *     stop() from outside does not look at what its last callbacks have marked.
 * mutant snapshot_does_not_look_again in snapshot: mark_never_lost
 *     stats() locks and unlocks without a look. A callback of the other stream marked this one and could not get the
 *     lock.
 */
#define STREAMS 2
#define READERS 2
#define READY(r) (packets[r] > 0)
#include "primitives.pml"

byte packets[READERS] = PACKETS;
bit  handle_alive[STREAMS] = 1;    /* a stream is called only while it exists */
bit  in_call;                      /* stats() of stream 1 */

inline callback() {
    must(no_callback_after_stop, !stop_returned[s]);
    if
    :: true -> stop_own()
    :: atomic {
        if
        :: handle_alive[1 - s] -> stop_other(1 - s)
        :: else
        fi
       }
    :: skip
    fi
}

inline batch() {
    do
    :: atomic {
        packets[r] > 0 && !stop_requested[s] ->
        must(safe_access, MAY_WORK(s) && MAY_TOUCH_READER(s, r));
        packets[r]--
       };
       callback()
    :: else -> break
    od;
    rearm()
}

/* The last callbacks: freeing what is dropped, and the sink's stopped(). They run under the lock, also when a stop()
 * from outside causes them, so a stop() in them only marks. */
inline drop_live(s) {
#ifdef LAST_CALLBACKS
    if
    :: handle_alive[1 - s] -> stop_other(1 - s)
    :: true
    fi
#else
    skip
#endif
}

#include "protocol.pml"

bit abandoned, finished;

#ifdef REPORTER
proctype reporter() {
    STOPPER_LOCALS; byte s; bit stopped;
    s = 1;
    if
    :: atomic { handle_alive[s] -> in_call = 1 };
       lock_queue(s);
       unlock_queue(s);
#ifndef MUTANT_SNAPSHOT_DOES_NOT_LOOK_AGAIN
       look_again();
       settle();
#endif
       in_call = 0
    :: skip
    fi
}
#endif

proctype owner() {
    STOPPER_LOCALS;
    if
    :: atomic { !in_call -> handle_alive[1] = 0 };
       destroy(1);
       finished = 1
    :: abandoned = 1
    fi
}

init {
    byte i;
    atomic {
        set_up();
#ifdef REPORTER
        run reporter();
#endif
        run owner()
    };
    timeout;
    d_step {
        must(no_deadlock, queue_mutex[0] == 0 && queue_mutex[1] == 0 && (finished || abandoned));
        must(mark_never_lost, !stop_requested[0] || !linked[0]);
        must(mark_never_lost, !stop_requested[1] || !linked[1]);
        must(nothing_leaks, abandoned || references[1] == 0)
    }
}
