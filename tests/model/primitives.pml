/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What every model stands on: named properties, counted references, queue_mutex, the executor.
 *
 * A model defines before it includes this file:
 *   STREAMS   how many streams (1 or 2)
 *   READERS   how many readers in all, spread evenly over the streams
 */
#ifndef STREAMS
#define STREAMS 1
#endif
#define STREAM_OF(reader) ((reader) * STREAMS / READERS)

/* A property is an assertion with a name. The verifier prints the text of the one that fails, so the name is read
 * from there; the variables are never set. */
#define must(property, condition) assert((condition) || property)
bit safe_access;
bit lock_order;
bit no_callback_after_stop;
bit stands_back;
bit heaps_exactly_once;
bit ring_closes_once;
bit push_fits;
bit one_taker;
bit one_release;
bit mark_never_lost;
bit no_lost_wakeup;
bit last_reader_stops;
bit account_final;
bit readers_stop_once;
bit nothing_leaks;
bit no_deadlock;

/* Process ids begin at 0, which stands for "nobody" here. */
#define me (_pid + 1)

/* shared_state */
byte references[STREAMS];          /* freed when it falls to 0 */
byte queue_mutex[STREAMS];         /* its owner */
bit  linked[STREAMS];              /* the pointer to the core is not null */
bit  stop_requested[STREAMS];

/* What the streams own */
bit  core_alive[STREAMS];
bit  reader_alive[READERS];
bit  reader_open[READERS];         /* its Asio objects are open */

#define STATE_ALIVE(s) (references[s] > 0)

/* One more reference, made by somebody who holds one. */
inline retain(state) {
    must(safe_access, STATE_ALIVE(state));
    references[state]++
}

inline drop(state) {
    must(safe_access, STATE_ALIVE(state));
    references[state]--;
    must(safe_access, STATE_ALIVE(state) || queue_mutex[state] == 0)
}

/* Locals of every process that locks: `holds`, how many queue_mutexes it has, and `works`, that the pointer it read
 * under the lock was not null. */
inline lock_queue(state) {
    atomic {
        queue_mutex[state] == 0 || holds > 0;
        must(lock_order, holds == 0);
        must(safe_access, STATE_ALIVE(state));
        queue_mutex[state] = me;
        holds = 1;
        works = linked[state]
    }
}

/* Sets `locked`. */
inline try_lock_queue(state) {
    must(lock_order, holds == 0);
    must(safe_access, STATE_ALIVE(state));
    if
    :: queue_mutex[state] == 0 -> queue_mutex[state] = me; holds = 1; works = linked[state]; locked = 1
    :: else -> locked = 0
    fi
}

/* A mutex is touched once more after it is free, to wake who waits: its memory must outlive that. The caller makes
 * the second touch with its next step on shared_state, or with `wake_next`. */
inline unlock_queue(state) {
    atomic {
        must(safe_access, STATE_ALIVE(state));
        must(lock_order, queue_mutex[state] == me);
        queue_mutex[state] = 0;
        holds = 0;
        works = 0
    }
}

inline wake_next(state) {
    must(safe_access, STATE_ALIVE(state))
}

/* The core and its readers are worked on by the owner of queue_mutex, and only until the stream has stopped. */
#define MAY_WORK(s) (queue_mutex[s] == me && linked[s] && core_alive[s])
#define MAY_TOUCH_READER(s, r) (queue_mutex[s] == me && reader_alive[r])

/* The io_context. Work is what keeps run() from returning: waiting operations, posted handlers, running ones. */
byte work;
bit  io_alive = 1;
bit  io_stopped;                   /* io_context::stop() */
byte io_returned;                  /* threads that have come back from run() */
bit  armed[READERS];               /* an asynchronous wait that holds the reader's context */
byte posted[READERS];              /* handlers that may run */
bit  release_posted[READERS];

inline post_handler(r) {
    must(safe_access, io_alive);
    posted[r]++;
    work++
}
