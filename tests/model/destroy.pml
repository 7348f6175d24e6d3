/* SPDX-License-Identifier: BSD-3-Clause
 * A stream is destroyed under load without a stop(), while handlers of its two readers run and wait on two io threads;
 * its io_context goes right after it, with the handlers and release jobs that have not run.
 *
 * mutant frame_without_a_reference: safe_access
 *     The frame relies on its context, which it has passed on to the next wait. The stream is destroyed as soon as the
 *     mutex is free, the cancelled wait drops the last reference, and the unlock wakes the next waiter in freed memory.
 * mutant readers_destroyed_by_the_stop: safe_access
 *     Readers go with the stop and not with the stream. The release jobs just posted find them dead.
 * mutant release_without_a_claim: one_release
 *     The job does not claim the ticket. It releases a reader that the destructor has released.
 * mutant release_not_awaited: safe_access
 *     The destructor passes over a reader whose job has begun, and destroys it under that job.
 */
#define READERS 2
#define READY(r) (packets[r] > 0)
#include "primitives.pml"

byte packets[READERS] = 1;

inline batch() {
    do
    :: atomic {
            packets[r] > 0 && !stop_requested[s] ->
            must(safe_access, MAY_WORK(s) && MAY_TOUCH_READER(s, r));
            must(no_callback_after_stop, !stop_returned[0]);
            packets[r]--
        }
    :: else -> break
    od;
    rearm()
}

inline drop_live(s) { skip }

#include "protocol.pml"

bit finished;

proctype owner() {
    STOPPER_LOCALS;
    destroy(0);
    destroy_io_context();
    finished = 1
}

init {
    byte i;
    atomic {
        set_up();
        run owner()
    };
    timeout;
    d_step {
        must(no_deadlock, finished);
        must(one_release, released[0] && released[1]);
        must(nothing_leaks, references[0] == 0)
    }
}
