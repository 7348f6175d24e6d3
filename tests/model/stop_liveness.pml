/* SPDX-License-Identifier: BSD-3-Clause
 * A stop() ends although packets never do: handlers on two io threads unlock and lock again for ever, and the mutex is
 * not fair. Checked with weak fairness between threads, which lets a thread that waits for a lock starve if others take
 * it again and again.
 *
 * mutant flag_set_after_locking: stop_terminates
 *     stop() locks, then sets the flag. The handlers never stand back, and it never gets the lock.
 */
#define READERS 2
#define READY(r) true
#include "primitives.pml"

inline batch() {
    must(safe_access, MAY_WORK(s) && MAY_TOUCH_READER(s, r));
    rearm()
}

inline drop_live(s) { skip }

#include "protocol.pml"

bit stop_called;

proctype stopper() {
    STOPPER_LOCALS;
    stop_called = 1;
    stop_outside(0)
}

init {
    byte i;
    atomic {
        set_up();
        run stopper()
    }
}

ltl stop_terminates { [] (stop_called -> <> stop_returned[0]) }
