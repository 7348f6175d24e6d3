/* SPDX-License-Identifier: BSD-3-Clause
 * The network ends the stream: a stop packet, or the last of two readers, which end one by one (a closed file, a dead
 * device); a stop() may come at the same time. What is live is handed over, then the ring closes, and who sees the
 * end, in the ring or by wait_released(), sees the final account. A callback that throws ends the stream too; then
 * what is live is dropped, and the callback is not tried again.
 *
 * mutant closes_before_the_flush: heaps_exactly_once
 *     The ring closes, then live heaps are handed over. They reach nobody and nobody counts them.
 * mutant account_merged_late: account_final
 *     The batch is merged after the release jobs are posted. They run at once, and wait_released() returns before it
 *     is.
 * mutant last_reader_not_counted: last_reader_stops
 *     Readers leave, the last one too, and the stream waits for ever.
 * mutant stop_closes_the_ring_itself: ring_closes_once
 *     stop() closes the ring, whether or not the pointer says that somebody has stopped the stream.
 */
#define READERS 2
#define NETWORK_STOPS
#define READERS_LEAVE
#define RINGS
#define CAPACITY 8                 /* never full here */
#define RESERVE 0
#define READY(r) (packets[r] > 0)
#define NO_PARKING
#include "primitives.pml"
#include "ring.pml"

byte packets[READERS] = 2;
byte live;
byte owed;                         /* heaps begun that have reached nobody and are not counted as dropped */
byte unmerged;                     /* packets received that are not in the account */
byte readers_left = READERS;
bit  ended;                        /* the reader of this batch has; under queue_mutex */
bit  reader_left[READERS];
bit  failed;                       /* a callback has thrown */
#define FAILED failed

/* A packet begins a heap or completes one, is a stop packet or the last of its reader, or a callback throws at it. */
inline add_packet() {
    must(safe_access, MAY_WORK(s) && MAY_TOUCH_READER(s, r));
    packets[r]--;
    unmerged++;
    if
    :: live++; owed++
    :: live > 0 -> live--; push()
    :: ends = 1
    :: packets[r] = 0; ended = 1
    :: failed = 1
    fi
}

inline batch() {
    do
    :: atomic { packets[r] > 0 && !ends && !failed -> add_packet() }
    :: else -> break
    od;
    if
    :: ended ->
        atomic {
            ended = 0;
            readers_left--;
#ifndef MUTANT_LAST_READER_NOT_COUNTED
            if
            :: readers_left == 0 -> ends = 1
            :: else
            fi;
#endif
            if
            :: !ends && !failed -> leave()
            :: else
            fi
        }
    :: else -> rearm()
    fi
}

/* Before the stream does: under reader_mutex. */
inline leave() {
    must(readers_stop_once, reader_open[r]);
    reader_open[r] = 0;
    reader_left[r] = 1;
    post_release(s, r)
}

inline hand_over_live(s) {
    do
    :: live > 0 -> atomic { live--; push() }
    :: live > 0 -> failed = 1; break
    :: else -> break
    od
}

inline drop_live(s) {
    owed = owed - live;
    live = 0
}

inline merge_account(s) { unmerged = 0 }

#include "protocol.pml"

bit finished, consumer_left;

proctype consumer() {
    bit got;
    do
    :: pop();
       if
       :: got
       :: else -> break
       fi
    od;
    must(account_final, unmerged == 0);
    consumer_left = 1
}

/* Who calls wait_released(), after a stop() of its own or without one. */
proctype waiter() {
    STOPPER_LOCALS;
    if
    :: stop_outside(0)
    :: skip
    fi;
    !linked[0] && ticket[0] == done && ticket[1] == done;
    must(account_final, unmerged == 0);
    finished = 1
}

init {
    byte i;
    atomic {
        packets[1] = 1;
        set_up();
        run consumer(); run waiter()
    };
    timeout;
    d_step {
        must(last_reader_stops, readers_left > 0 || !linked[0]);
        must(no_deadlock, queue_mutex[0] == 0 && (finished || linked[0]));
        must(no_deadlock, consumer_left == ring_closed);
        must(heaps_exactly_once, owed == live && in_ring == 0);
        must(nothing_leaks, linked[0] || references[0] == 1 + READERS)
    }
}
