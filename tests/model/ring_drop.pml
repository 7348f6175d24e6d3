/* SPDX-License-Identifier: BSD-3-Clause
 * A full ring under the policies that lose heaps, one reader and two consumers: what is handed over is popped or
 * counted as dropped, once. The flush of a network stop goes to the reserve. Every heap has a number.
 *
 * run newest:
 * run oldest: DROP_OLDEST=1
 * mutant no_reserve in newest: push_fits
 *     The ring has the configured places and no more. The flush of a network stop finds it full.
 * mutant oldest_not_taken in oldest: heaps_exactly_once
 *     The oldest heap is looked at, counted as dropped, and taken only then. A consumer has popped it.
 */
#define READERS 1
#define IO_THREADS 1
#define NETWORK_STOPS
#define RINGS
#define NO_PARKING
#define CAPACITY 1
#define LIVE_MAX 1
#ifdef MUTANT_NO_RESERVE
#define RESERVE 0
#else
#define RESERVE (LIVE_MAX + 1)
#endif
#define HEAPS 4
#define READY(r) (packets[r] > 0)
#include "primitives.pml"

chan places = [CAPACITY + RESERVE] of { byte };
bit  ring_closed;

mtype = { unborn, waiting, delivered, dropped };
mtype fate[HEAPS + 1] = unborn;
byte  pushed;                      /* the number of the last heap */

byte packets[READERS] = HEAPS;
byte live;

#define FULL (len(places) >= CAPACITY)

inline store() {
    must(push_fits, len(places) < CAPACITY + RESERVE);
    must(heaps_exactly_once, !ring_closed && fate[pushed] == unborn);
    fate[pushed] = waiting;
    places ! pushed
}

/* heap_source::push. Between its steps consumers may pop: the oldest heap is taken as a consumer takes it. */
inline push() {
    pushed++;
#ifdef DROP_OLDEST
    if
    :: FULL ->
#ifndef MUTANT_OLDEST_NOT_TAKEN
        atomic {
            if
            :: places ? oldest -> drop_heap(oldest)
            :: empty(places)
            fi;
            oldest = 0
        }
#else
        if
        :: atomic { places ? <oldest> };
           atomic { drop_heap(oldest); if :: places ? oldest :: empty(places) fi }
        :: empty(places)
        fi
#endif
    :: else
    fi;
    atomic { store() }
#else
    atomic {
        if
        :: FULL -> fate[pushed] = dropped
        :: else -> store()
        fi
    }
#endif
}

inline drop_heap(heap) {
    must(heaps_exactly_once, fate[heap] == waiting);
    fate[heap] = dropped
}

byte oldest;

/* A packet begins a heap, or completes it, or is a stop packet. */
inline batch() {
    do
    :: packets[r] > 0 && !ends ->
        atomic { must(safe_access, MAY_WORK(s) && MAY_TOUCH_READER(s, r)); packets[r]-- };
        if
        :: live < LIVE_MAX -> live++
        :: live > 0 -> live--; push()
        :: true -> push()
        :: ends = 1
        fi
    :: else -> break
    od;
    rearm()
}

inline hand_over_live(s) {
    do
    :: live > 0 -> atomic { live--; pushed++; store() }
    :: else -> break
    od
}

inline drop_live(s) { live = 0 }
inline merge_account(s) { skip }
inline close_ring(s) { atomic { must(ring_closes_once, !ring_closed); ring_closed = 1 } }
inline wait_for_resumptions(s) { skip }

#include "protocol.pml"

bit  finished;
byte consumers_left;

proctype consumer() {
    byte heap;
    do
    :: atomic {
        if
        :: places ? heap ->
            must(heaps_exactly_once, fate[heap] == waiting);
            fate[heap] = delivered
        :: empty(places) && ring_closed -> break
        fi
       }
    :: break
    od;
    consumers_left++
}

proctype owner() {
    STOPPER_LOCALS;
    if
    :: destroy(0); finished = 1
    :: skip
    fi
}

init {
    byte i;
    atomic {
        set_up();
        run consumer(); run consumer(); run owner()
    };
    timeout;
    d_step {
        must(no_deadlock, queue_mutex[0] == 0 && (finished || core_alive[0]));
        must(no_deadlock, consumers_left == 2 || !ring_closed);
        i = 1;
        do
        :: i <= pushed ->
            must(heaps_exactly_once, fate[i] != unborn);
            must(heaps_exactly_once, fate[i] != waiting || len(places) > 0);
            i++
        :: else -> break
        od
    }
}
