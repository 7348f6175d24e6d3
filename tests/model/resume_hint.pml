/* SPDX-License-Identifier: BSD-3-Clause
 * The hand-over of a parked context when push and pop take no lock: a hint says that a context is parked, so that a
 * pop need not lock to find out. The reader raises the hint and then looks at the ring once more; the pop takes the
 * heap and then looks at the hint. Either order of the two finds the other. Nothing else of the protocol is here; the
 * reader's and the consumer's turns are sequentially consistent, which the code must ask for (seq_cst on the index
 * and the hint).
 *
 * mutant hint_raised_late: no_lost_wakeup
 *     The reader looks at the ring, then raises the hint. A pop between the two sees no hint.
 */
#define READERS 1
#define CAPACITY 1
#define HEAPS 4
#include "primitives.pml"

byte in_ring;
bit  leaf_lock;
bit  hint;
bit  context_parked;
byte resumptions;

#define FULL (in_ring >= CAPACITY)

inline lock_leaf() { atomic { !leaf_lock -> leaf_lock = 1 } }
inline unlock_leaf() { leaf_lock = 0 }

/* Whoever takes the context clears the hint, under the leaf lock. */
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
    :: left > 0 && !FULL -> left--; in_ring++
    :: left > 0 && FULL ->
        lock_leaf();
#ifdef MUTANT_HINT_RAISED_LATE
        parks = FULL;
        if
        :: parks -> context_parked = 1; hint = 1
        :: else
        fi;
#else
        context_parked = 1;
        hint = 1;
        parks = FULL;
        if
        :: !parks -> take_back()
        :: else
        fi;
#endif
        unlock_leaf();
        if
        :: parks -> parks = 0; atomic { resumptions > 0 -> resumptions-- }
        :: else
        fi
    od
}

proctype consumer() {
    byte left = HEAPS;
    bit taken;
    do
    :: left == 0 -> break
    :: left > 0 && in_ring > 0 ->
        left--;
        in_ring--;
        if
        :: hint ->
            lock_leaf();
            if
            :: context_parked && !FULL -> take_back(); taken = 1
            :: else
            fi;
            unlock_leaf();
            if
            :: taken -> taken = 0; atomic { must(one_taker, resumptions == 0); resumptions++ }
            :: else
            fi
        :: else
        fi
    od
}

init {
    atomic { run reader(); run consumer() };
    timeout;
    d_step {
        must(no_lost_wakeup, FULL || !context_parked);
        must(no_deadlock, in_ring == 0 && !leaf_lock && resumptions == 0)
    }
}
