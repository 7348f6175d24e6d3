/* SPDX-License-Identifier: BSD-3-Clause
 * A full ring under the policy `wait`: two readers park, a consumer that may stop reading at any time resumes them,
 * and the stream is stopped by the network or destroyed; its io_context goes right after it.
 *
 * run two_threads: READERS=1 IO_THREADS=2
 * run two_readers: READERS=2 IO_THREADS=1
 * mutant no_reserve in two_threads: push_fits
 *     The ring has the configured places and no more. A packet hands over two heaps when there is room for one.
 * mutant blocking_push in two_threads: no_deadlock
 *     push() waits for room, under queue_mutex. The consumer has left; a stop() waits for the lock for ever.
 * mutant park_unchecked in two_threads: no_lost_wakeup
 *     A reader parks without looking again. The pop between its first look and that was the last one.
 * mutant resume_one in two_readers: no_lost_wakeup
 *     A pop resumes one reader. That one has nothing to hand over and waits for packets; the ring is empty, the
 *     consumer waits for heaps, and the other reader is never resumed.
 * mutant resume_without_claim in two_threads: one_taker
 *     A pop posts the context that it saw, and takes it only then. A stop has dropped it meanwhile.
 * mutant resumption_not_awaited in two_threads: safe_access
 *     The destructor does not wait for a pop that has taken a context. The io_context is gone when it posts.
 * mutant readers_keep_no_work in two_threads: no_lost_wakeup
 *     A reader that is parked keeps no work on its executor. run() returns for want of work, and the resumption is
 *     posted to threads that have gone home.
 * mutant close_leaves_parked in two_threads: nothing_leaks
 *     The ring closes and keeps what is parked in it. Whoever holds a heap_source keeps the stream's state for ever.
 */
#ifndef READERS
#define READERS 2
#endif
#define NETWORK_STOPS
#define RINGS
#define CAPACITY 1
#define LIVE_MAX 1
#ifndef MUTANT_NO_RESERVE
#define RESERVE (LIVE_MAX + 1)
#else
#define RESERVE 0
#endif
#define READY(r) (packets[r] > 0)
#include "primitives.pml"
#include "ring.pml"

byte packets[READERS] = 2;
byte live;
byte owed;                         /* heaps begun that have reached nobody and are not counted as dropped */

/* One packet begins a heap, completes one, or is a heap of its own; the oldest heap is given up when the window is
 * full. So it may hand over two heaps. */
inline begin_heap() {
    if
    :: live == LIVE_MAX -> push()
    :: else -> live++
    fi;
    owed++
}

inline complete_heap() {
    live--;
    push()
}

inline add_packet() {
    atomic {
        must(safe_access, MAY_WORK(s) && MAY_TOUCH_READER(s, r));
        packets[r]--;
        if
        :: true -> begin_heap()
        :: live > 0 -> complete_heap()
        :: true -> begin_heap(); complete_heap()
        :: ends = 1
        fi
    }
}

inline batch() {
    do
    :: FULL ->
        park();
        if
        :: !has_context -> break
        :: else
        fi
    :: else ->
        if
        :: packets[r] > 0 && !ends -> add_packet()
        :: else -> rearm(); break
        fi
    od
}

inline hand_over_live(s) {
    do
    :: live > 0 -> atomic { must(safe_access, MAY_WORK(s)); live--; push() }
    :: else -> break
    od
}

inline drop_live(s) {
    owed = owed - live;
    live = 0
}

inline merge_account(s) { skip }

#include "protocol.pml"

bit abandoned, finished, consumer_left;

proctype consumer() {
    byte taken; bit got;
    do
    :: pop();
       if
       :: got
       :: else -> break
       fi
    :: break
    od;
    consumer_left = 1
}

proctype owner() {
    STOPPER_LOCALS;
    if
    :: destroy(0); destroy_io_context(); finished = 1
    :: abandoned = 1
    fi
}

init {
    byte i;
    atomic {
        set_up();
        run consumer(); run owner()
    };
    timeout;
    d_step {
        must(no_lost_wakeup, FULL || !ANY_PARKED);
        must(no_lost_wakeup, !linked[0] || !ANY_POSTED);
        must(no_deadlock, finished || abandoned);
        must(no_deadlock, consumer_left || !ring_closed && in_ring == 0);
        must(no_deadlock, queue_mutex[0] == 0);
        must(heaps_exactly_once, owed == in_ring + live);
        must(nothing_leaks, abandoned || references[0] == 0)
    }
}
