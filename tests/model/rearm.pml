/* SPDX-License-Identifier: BSD-3-Clause
 * A reader over a completion queue whose notifications are edge-triggered and one-shot: an armed queue raises one
 * event at the next completion, none for those already in it. It polls a few rounds, arms before the last, and waits
 * only if that one came back empty. The stream may be destroyed at any time.
 *
 * mutant waits_although_not_empty: no_lost_wakeup
 *     The reader waits after any last poll. What that poll left behind came before the queue was armed: no event.
 * mutant armed_after_the_last_poll: no_lost_wakeup
 *     The queue is armed after the last poll. A completion between the two raises no event.
 * mutant events_consumed_late: no_lost_wakeup
 *     Events are consumed after the last poll. The event of a completion that came after it goes with them.
 */
#define READERS 1
#define READY(r) (events > 0)
#define COMPLETIONS 4
#define POLL_MAX 1                 /* completions a poll */
#define POLL_ROUNDS_MAX 2
#include "primitives.pml"

byte completions, events;
bit  queue_armed;

inline poll() {
    atomic {
        must(safe_access, MAY_WORK(s) && MAY_TOUCH_READER(s, r));
        must(no_callback_after_stop, !stop_returned[0]);
        if
        :: completions > POLL_MAX -> polled = POLL_MAX
        :: else -> polled = completions
        fi;
        completions = completions - polled
    }
}

inline consume_events() { events = 0 }
inline arm() { queue_armed = 1 }

byte polled;                       /* under queue_mutex, as is the next */
byte rounds;

inline batch() {
#ifndef MUTANT_EVENTS_CONSUMED_LATE
    consume_events();
#endif
    do
    :: rounds < POLL_ROUNDS_MAX - 1 -> rounds++; poll()
    :: else -> break
    od;
    rounds = 0;
#ifdef MUTANT_ARMED_AFTER_THE_LAST_POLL
    poll();
    arm();
#else
    arm();
    poll();
#endif
#ifdef MUTANT_EVENTS_CONSUMED_LATE
    consume_events();
#endif
    if
#ifndef MUTANT_WAITS_ALTHOUGH_NOT_EMPTY
    :: polled > 0 -> polled = 0; repost()
#endif
    :: else -> polled = 0; rearm()
    fi
}

/* The context goes into a handler that runs without waiting for the descriptor. */
inline repost() {
    atomic {
        must(safe_access, has_context);
        post_handler(r);
        has_context = 0
    }
}

inline drop_live(s) { skip }

#include "protocol.pml"

bit finished;

/* The NIC. The wait that the reader begins before any packet has come needs an armed queue. */
proctype nic() {
    byte left = COMPLETIONS;
    do
    :: left > 0 ->
        atomic {
            left--;
            completions++;
            if
            :: queue_armed -> queue_armed = 0; events++
            :: else
            fi
        }
    :: else -> break
    od
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
        queue_armed = 1;
        set_up();
        run nic(); run owner()
    };
    timeout;
    d_step {
        must(no_lost_wakeup, !linked[0] || completions == 0);
        must(no_deadlock, queue_mutex[0] == 0 && (finished || core_alive[0]));
        must(nothing_leaks, !finished || references[0] == 0)
    }
}
