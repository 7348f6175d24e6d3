/* SPDX-License-Identifier: BSD-3-Clause
 * stop() from within callbacks of the stream itself, on two io threads, and from outside at the same time.
 *
 * mutant call_once: no_deadlock
 *     A std::call_once around the stop. A stop() from outside is in it and waits for the lock; a callback that holds
 *     the lock calls stop() and waits for the first to be done.
 * mutant stop_not_deferred: safe_access
 *     stop() from a callback stops at once. The batch goes on with a stopped stream and arms a closed reader.
 */
#define READERS 2
#define READY(r) (packets[r] > 0)
#include "primitives.pml"

byte packets[READERS] = 2;

inline callback() {
    must(no_callback_after_stop, !stop_returned[0]);
    if
    :: true -> stop_own()
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

inline drop_live(s) { skip }

#include "protocol.pml"

bit abandoned, finished;

proctype owner() {
    STOPPER_LOCALS;
    if
    :: destroy(0); finished = 1
    :: abandoned = 1
    fi
}

init {
    byte i;
    atomic {
        set_up();
        run owner()
    };
    timeout;
    d_step {
        must(no_deadlock, queue_mutex[0] == 0 && (finished || abandoned));
        must(mark_never_lost, !stop_requested[0] || !linked[0]);
        must(nothing_leaks, abandoned || references[0] == 0)
    }
}
