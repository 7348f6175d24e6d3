/* SPDX-License-Identifier: BSD-3-Clause
 *
 * heap_source: a ring of CAPACITY heaps with RESERVE places more, and the contexts of readers that wait for room
 * (without NO_PARKING). What happens under its leaf lock is one step. Consumers hold it by a count of its own, so it
 * outlives the stream.
 */
byte in_ring;
bit  ring_closed;
bit  parked[READERS];
byte resuming;                     /* pops that are between taking a context and having posted it */

#define FULL (in_ring >= CAPACITY)

#if READERS > 1
#define ANY_PARKED (parked[0] || parked[1])
#define ANY_POSTED (posted[0] || posted[1])
#else
#define ANY_PARKED parked[0]
#define ANY_POSTED posted[0]
#endif

/* heap_source::push: under queue_mutex, so it never waits. */
inline push() {
#ifdef MUTANT_BLOCKING_PUSH
    !FULL;
#endif
    must(push_fits, in_ring < CAPACITY + RESERVE);
    must(heaps_exactly_once, !ring_closed);
    in_ring++
}

/* heap_source::pop. Sets `got`; it is 0 when the ring is closed and empty. */
inline pop() {
    atomic {
        in_ring > 0 || ring_closed;
        got = (in_ring > 0);
        if
        :: got -> in_ring--; owed--
        :: else
        fi;
#ifndef NO_PARKING
        claim_parked()
#endif
    };
#ifndef NO_PARKING
    resume_claimed()
#endif
}

/* heap_source::park: sets has_context to 0 if the context is left here. The ring is not closed, for who closes it
 * holds queue_mutex and the pointer is null after that. */
inline park() {
    atomic {
        must(no_lost_wakeup, !ring_closed);
        must(one_taker, has_context && !parked[r]);
        if
#ifndef MUTANT_PARK_UNCHECKED
        :: !FULL
#endif
        :: else -> parked[r] = 1; has_context = 0
        fi
    }
}

/* Whoever makes room takes every context, not only one: the reader it resumes may have nothing more to hand over, and
 * nobody else would be left to resume the next. `taken` is a local, a bit a reader. */
inline claim_parked() {
    if
    :: !FULL && ANY_PARKED ->
        claim(0);
#if READERS > 1
#ifdef MUTANT_RESUME_ONE
        if
        :: !taken -> claim(1)
        :: else
        fi;
#else
        claim(1);
#endif
#endif
        resuming++
    :: else
    fi
}

inline claim(k) {
    if
    :: parked[k] ->
        taken = taken | (1 << k);
#ifndef MUTANT_RESUME_WITHOUT_CLAIM
        parked[k] = 0
#endif
    :: else
    fi
}

/* With no lock held. */
inline resume_claimed() {
    if
    :: taken ->
        resume(0);
#if READERS > 1
        resume(1);
#endif
        resuming--
    :: else
    fi
}

inline resume(k) {
    if
    :: taken & (1 << k) ->
        atomic {
#ifdef MUTANT_RESUME_WITHOUT_CLAIM
            must(one_taker, parked[k]);
            parked[k] = 0;
#endif
            taken = taken & ~(1 << k);
            post_handler(k)
        }
    :: else
    fi
}

/* heap_source::close, by stop_locked: it takes the contexts that are left and drops them. */
inline close_ring(s) {
    d_step {
        must(ring_closes_once, !ring_closed);
        ring_closed = 1;
#if !defined(NO_PARKING) && !defined(MUTANT_CLOSE_LEAVES_PARKED)
        discard(s, 0);
#if READERS > 1
        discard(s, 1)
#endif
#endif
    }
}

#ifndef NO_PARKING
inline discard(s, k) {
    if
    :: parked[k] -> parked[k] = 0; drop(s)
    :: else
    fi
}

inline wait_for_resumptions(s) {
#ifndef MUTANT_RESUMPTION_NOT_AWAITED
    resuming == 0
#else
    skip
#endif
}
#endif
