/* SPDX-License-Identifier: BSD-3-Clause
 * A reader is added while the stream runs, is stopped by a user, or stops because the only reader it had has ended.
 * Then the stream is destroyed, and its io_context.
 *
 * mutant link_unchecked: readers_stop_once
 *     The reader is linked without a look at whether the stream has stopped. Nobody stops it any more.
 * mutant start_not_posted: safe_access
 *     add_reader() starts the reader after linking it, on its own thread. A stop has closed the sockets it arms.
 */
#define READERS 2                  /* reader 1 is the one that is added */
#define ADD_READER
#define NETWORK_STOPS
#define READY(r) (packets[r] > 0)
#include "primitives.pml"

byte packets[READERS] = 2;
byte readers_left = 1;             /* under reader_mutex, as are these */
bit  reader_linked[READERS];
bit  readers_closed;

/* The first handler of a reader is its start; any packet may be the last thing it has, or a stop packet. */
inline batch() {
    if
    :: packets[r] > 0 ->
        atomic {
            must(safe_access, MAY_WORK(s) && MAY_TOUCH_READER(s, r));
            must(no_callback_after_stop, !stop_returned[0]);
            packets[r]--
        }
    :: else
    fi;
    if
    :: atomic {
        readers_left--;
        if
        :: readers_left == 0 -> ends = 1
        :: else
        fi
       }
    :: rearm()
    :: rearm(); ends = 1
    fi
}

inline drop_live(s) { skip }
inline hand_over_live(s) { skip }
inline merge_account(s) { skip }

#include "protocol.pml"

bit refused, added, returned, finished;

/* It opens without locks, links under reader_mutex, and posts the start: once linked, the reader belongs to whoever
 * holds queue_mutex. */
proctype adder() {
    atomic { reader_alive[1] = 1; reader_open[1] = 1; retain(0); work++ };
    atomic {
#ifndef MUTANT_LINK_UNCHECKED
        if
        :: readers_closed -> refused = 1
        :: else
        fi;
#endif
        if
        :: !refused -> reader_linked[1] = 1; readers_left++
        :: else
        fi
    };
    if
    :: !refused ->
#ifndef MUTANT_START_NOT_POSTED
        atomic { retain(0); post_handler(1) }
#else
        atomic { must(safe_access, reader_alive[1] && reader_open[1]); retain(0); armed[1] = 1; work++ }
#endif
    :: else -> atomic { reader_open[1] = 0; reader_alive[1] = 0; drop(0); work-- }
    fi;
    added = 1
}

proctype stopper() {
    STOPPER_LOCALS;
    if
    :: stop_outside(0)
    :: skip
    fi;
    returned = 1
}

proctype owner() {
    STOPPER_LOCALS;
    added && returned;
    destroy(0);
    destroy_io_context();
    finished = 1
}

init {
    byte i;
    atomic {
        packets[0] = 1;
        set_up();
        run adder(); run stopper(); run owner()
    };
    timeout;
    d_step {
        must(no_deadlock, finished);
        must(readers_stop_once, !reader_open[0] && !reader_open[1]);
        must(one_release, released[0] && released[1] == reader_linked[1]);
        must(nothing_leaks, references[0] == 0)
    }
}
