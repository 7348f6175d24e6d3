/* SPDX-License-Identifier: BSD-3-Clause
 * Two stops from outside callbacks at once, against the handlers of two readers on two io threads. Heaps go to a sink.
 *
 * mutant returns_when_flagged: no_callback_after_stop
 *     A stop() that finds the flag set returns at once. The other stop() still waits for a batch, whose callbacks run.
 * mutant pointer_read_outside_the_lock: safe_access
 *     A handler reads the pointer, then locks. Between the two a stop() ends the stream that the handler then works on.
 * mutant does_not_stand_back: stands_back
 *     A batch does not look at the flag. It adds all its packets while a stop() waits.
 */
#define READERS 2
#include "primitives.pml"

#define PACKETS 2
#define LOOK 1
#define READY(r) (packets[r] > 0)

#ifndef MUTANT_DOES_NOT_STAND_BACK
#define STANDS_BACK (n > 0 && n % LOOK == 0 && stop_requested[s])
#else
#define STANDS_BACK false
#endif

byte packets[READERS] = PACKETS;
byte live;
byte owed;                         /* heaps begun that have reached nobody and are not counted as dropped */
byte after_flag;

inline callback() {
    must(no_callback_after_stop, !stop_returned[0])
}

inline add_packet() {
    must(safe_access, MAY_WORK(s) && MAY_TOUCH_READER(s, r));
    packets[r]--;
    n++;
    if
    :: stop_requested[s] -> after_flag++; must(stands_back, after_flag <= LOOK)
    :: else
    fi;
    if
    :: live == 0 -> live++; owed++
    :: live > 0 -> live--; owed--; callback()
    :: true -> callback()          /* a heap of one packet */
    fi
}

inline batch() {
    do
    :: atomic { packets[r] > 0 && !STANDS_BACK -> add_packet() }
    :: else -> break
    od;
    rearm()
}

inline drop_live(s) {
    owed = owed - live;
    live = 0
}

#include "protocol.pml"

byte returned;

proctype stopper() {
    STOPPER_LOCALS;
    stop_outside(0);
    returned++
}

init {
    byte i;
    atomic {
        set_up();
        run stopper(); run stopper()
    };
    timeout;
    d_step {
        must(no_deadlock, returned == 2 && work == 0 && io_returned == IO_THREADS);
        must(heaps_exactly_once, owed == 0 && live == 0);
        must(nothing_leaks, references[0] == 1 + READERS)
    }
}
