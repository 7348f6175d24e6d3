/* SPDX-License-Identifier: BSD-3-Clause
 * The same hand-over on a ring of sequenced slots with two consumers. A pop takes its position, then empties its slot;
 * until then the slot keeps later pushes out, so the ring counts as full when the reserve has no free slots. A store
 * may wait in the store buffer of its processor and be seen late by others, as on x86; taking a lock and any
 * read-modify-write empty the buffer, and so does a sequentially consistent store.
 *
 * mutant slot_emptied_by_a_release_store: no_lost_wakeup
 *     The store that empties the slot may be seen after the look at the hint. The reader raises the hint, sees no free
 *     slot and parks; the pop has seen no hint; the other consumer has taken the rest, and nobody pops again.
 */
#define READERS 1
#define CAPACITY 1
#define RESERVE 1
#define SLOTS (CAPACITY + RESERVE)
#define HEAPS 4
#define CONSUMERS 2
#include "primitives.pml"

byte head, tail;
byte turn[SLOTS];                  /* p: may be pushed at position p; p + 1: may be popped there */
bit  leaf_lock;
bit  hint;
bit  context_parked;
byte resumptions;
byte popped;

bit  buffered[CONSUMERS];          /* the store that empties a slot, not yet seen by others */
byte buffered_position[CONSUMERS];

#define FULL (tail - head >= CAPACITY || turn[tail % SLOTS] != tail)

inline take_back() {
    must(one_taker, context_parked);
    context_parked = 0;
    hint = 0
}

proctype reader() {
    byte left = HEAPS;
    bit parks;
    do
    :: left == 0 -> break
    :: left > 0 && !FULL ->
        left--;
        atomic { must(push_fits, turn[tail % SLOTS] == tail); turn[tail % SLOTS] = tail + 1 };
        tail++
    :: left > 0 && FULL ->
        atomic { !leaf_lock -> leaf_lock = 1 };
        context_parked = 1;
        hint = 1;
        parks = FULL;
        if
        :: !parks -> take_back()
        :: else
        fi;
        leaf_lock = 0;
        if
        :: parks -> parks = 0; atomic { resumptions > 0 -> resumptions-- }
        :: else
        fi
    od
}

proctype consumer(byte id) {
    byte position;
    bit taken;
    do
    :: atomic {
        !buffered[id] && turn[head % SLOTS] == head + 1 ->
        position = head;
        head++
       };
#ifdef MUTANT_SLOT_EMPTIED_BY_A_RELEASE_STORE
       atomic { buffered[id] = 1; buffered_position[id] = position };
#else
       turn[position % SLOTS] = position + SLOTS;
#endif
       popped++;
       if
       :: hint ->
           atomic { !leaf_lock && !buffered[id] -> leaf_lock = 1 };
           if
           :: context_parked -> take_back(); taken = 1
           :: else
           fi;
           leaf_lock = 0;
           if
           :: taken -> taken = 0; atomic { must(one_taker, resumptions == 0); resumptions++ }
           :: else
           fi
       :: else
       fi
    :: popped == HEAPS -> break
    od
}

#ifdef MUTANT_SLOT_EMPTIED_BY_A_RELEASE_STORE
inline drain(id) {
    turn[buffered_position[id] % SLOTS] = buffered_position[id] + SLOTS;
    buffered[id] = 0
}

proctype memory() {
    do
    :: atomic { buffered[0] -> drain(0) }
    :: atomic { buffered[1] -> drain(1) }
    :: popped == HEAPS && !buffered[0] && !buffered[1] -> break
    od
}
#endif

init {
    byte i;
    atomic {
        i = 0;
        do
        :: i < SLOTS -> turn[i] = i; i++
        :: else -> break
        od;
#ifdef MUTANT_SLOT_EMPTIED_BY_A_RELEASE_STORE
        run memory();
#endif
        run reader(); run consumer(0); run consumer(1)
    };
    timeout;
    d_step {
        must(no_lost_wakeup, FULL || !context_parked);
        must(no_deadlock, popped == HEAPS && !leaf_lock && resumptions == 0)
    }
}
