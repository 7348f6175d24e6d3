/* SPDX-License-Identifier: BSD-3-Clause
 * The consumers' end of a ring: a pop that blocks, and an asynchronous one that may be cancelled, while heaps are pushed
 * and the ring closes. A push takes no lock unless somebody has announced that he waits. The queue outlives the
 * stream, so what a consumer touches is always there.
 *
 * mutant announced_late: no_lost_wakeup
 *     A pop looks at the ring, then announces itself and sleeps. The push between the two tells nobody.
 * mutant close_tells_nobody: no_lost_wakeup
 *     The ring closes without waking who sleeps. No push comes any more.
 * mutant closed_read_after_the_ring: heaps_exactly_once
 *     A pop finds the ring empty, then sees that it is closed, and ends. The last heap was pushed between the two.
 * mutant cancelled_without_a_claim: one_taker
 *     A cancellation completes the waiting pop that it has found without taking it. A push completes it too.
 */
#define READERS 1
#define HEAPS 2
#include "primitives.pml"

byte in_ring;
bit  closed;
byte announced;                    /* consumers that wait */
bit  leaf_lock;
bit  sleeps;                       /* the blocking pop waits on the condition, and has not been told */
bit  waits;                        /* the asynchronous pop is kept by the ring */
bit  pending;                      /* it has been begun and has not completed */
byte delivered;

inline lock_leaf() { atomic { !leaf_lock -> leaf_lock = 1 } }
inline unlock_leaf() { leaf_lock = 0 }

/* pop_waiter::complete: posted with nothing locked. */
inline complete() { atomic { must(one_taker, pending); pending = 0 } }

/* heap_ring::try_pop. Sets `got`. */
inline take() {
    atomic {
        if
        :: in_ring > 0 -> in_ring--; delivered++; got = 1
        :: else -> got = 0
        fi
    }
}

/* The stream: heap_queue::push, then heap_queue::close unless it goes on. */
proctype pusher() {
    byte left = HEAPS;
    bit got, served;
    do
    :: left > 0 ->
        left--;
        in_ring++;
        if
        :: announced > 0 ->
            lock_leaf();
            if
            :: waits ->
                take();
                if
                :: got -> atomic { waits = 0; announced--; served = 1; got = 0 }
                :: else
                fi
            :: else
            fi;
            atomic { sleeps = 0; leaf_lock = 0 };
            if
            :: served -> served = 0; complete()
            :: else
            fi
        :: else
        fi
    :: left == 0 -> break
    :: left == 0 -> goto goes_on
    od;
    lock_leaf();
    atomic {
        must(ring_closes_once, !closed);
        closed = 1;
        if
        :: waits -> waits = 0; announced--; served = 1
        :: else
        fi
    };
#ifdef MUTANT_CLOSE_TELLS_NOBODY
    leaf_lock = 0;
#else
    atomic { sleeps = 0; leaf_lock = 0 };
#endif
    if
    :: served -> complete()
    :: else
    fi;
goes_on:
    skip
}

bit blocking_left;

/* heap_queue::pop, again and again until the end. */
proctype blocking_pop() {
    bit got, was_closed;
    do
    ::
#ifndef MUTANT_CLOSED_READ_AFTER_THE_RING
       was_closed = closed;
       take();
#else
       take();
       was_closed = closed;
#endif
       if
       :: got -> got = 0; was_closed = 0
       :: !got && was_closed -> break
       :: else ->
           lock_leaf();
#ifndef MUTANT_ANNOUNCED_LATE
           announced++;
#endif
           do
           :: in_ring > 0 || closed -> break
           :: else ->
#ifdef MUTANT_ANNOUNCED_LATE
               announced++;
#endif
               atomic { sleeps = 1; leaf_lock = 0 };
               atomic { !sleeps && !leaf_lock -> leaf_lock = 1 }
#ifdef MUTANT_ANNOUNCED_LATE
               announced--;
#endif
           od;
#ifndef MUTANT_ANNOUNCED_LATE
           announced--;
#endif
           unlock_leaf()
       fi
    od;
    blocking_left = 1
}

/* heap_queue::start_wait and heap_queue::cancel_wait, once. The second look at the ring comes after the announcement. */
proctype asynchronous_pop() {
    bit got, was_closed, found;
    pending = 1;
    lock_leaf();
    announced++;
    was_closed = closed;
    take();
    if
    :: !got && !was_closed -> waits = 1; unlock_leaf()
    :: else -> announced--; unlock_leaf(); complete()
    fi;
    if
    :: lock_leaf();
       found = waits;
#ifndef MUTANT_CANCELLED_WITHOUT_A_CLAIM
       if
       :: found -> atomic { waits = 0; announced-- }
       :: else
       fi;
#endif
       unlock_leaf();
       if
       :: found -> complete()
       :: else
       fi
    :: skip
    fi
}

init {
    atomic { run pusher(); run blocking_pop(); run asynchronous_pop() };
    timeout;
    d_step {
        must(no_lost_wakeup, !sleeps || in_ring == 0 && !closed);
        must(no_lost_wakeup, !pending || waits && in_ring == 0 && !closed);
        must(no_deadlock, blocking_left == closed && !leaf_lock);
        must(heaps_exactly_once, delivered == HEAPS && in_ring == 0);
        must(nothing_leaks, announced == sleeps + waits)
    }
}
