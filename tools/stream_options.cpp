// SPDX-License-Identifier: BSD-3-Clause
#include "stream_options.hpp"

#include "option_values.hpp"

namespace verbcast::tools {

option_section heap_options(ring_stream_config& target) {
    stream_config& stream = target.stream;
    return {
        "How packets become heaps",
        {
            {.name = "--max-heaps",
             .value = "N",
             .help =
                 "Heaps under way at the same time, in each substream (default 4). One that is unfinished when N newer "
                 "ones have begun is given up. More takes the memory of a heap each, and shows losses later.",
             .set = into_count(stream.heaps_live_max, 1, 1 << 20),
             .field = "heaps_live_max"},
            {.name = "--substreams",
             .value = "N",
             .help =
                 "Divide heaps by cnt modulo N, each part with --max-heaps of its own (default 1): for several senders "
                 "into one group.",
             .set = into_count(stream.substreams, 1, 1 << 20),
             .field = "substreams"},
            {.name = "--out-of-order",
             .help =
                 "Take the packets of a heap in any order. Without it each must continue where the one before ended, "
                 "and a heap whose first packet is lost is lost as a whole.",
             .set = into_flag(stream.out_of_order),
             .field = "out_of_order"},
            {.name = "--no-stop-item",
             .help = "Go on when a sender says that the stream ends.",
             .set = into_flag(stream.stop_on_stop_item, false),
             .field = "stop_on_stop_item"},
            {.name = "--no-unsized",
             .help = "Reject heaps that do not say how long they are.",
             .set = into_flag(stream.allow_unsized, false),
             .field = "allow_unsized"},
            {.name = "--compat",
             .value = "MASK",
             .help = "What descriptors of old PySPEAD senders do differently, as a sum: 1 widths, 2 flag of a variable "
                     "shape, 4 byte order of numpy types; 7 is all (default 0).",
             .set =
                 [&stream](const std::string& text) {
                     stream.compat = static_cast<compatibility>(parse_count(text, 0, 7));
                 },
             .field = "compat"},
            {.name = "--heap-bytes-max",
             .value = "BYTES",
             .help =
                 "Reject packets of a heap that claims to be longer (default 1GiB): what one bad packet can make us "
                 "allocate.",
             .set = into_bytes(stream.heap_bytes_max, 1),
             .field = "heap_bytes_max"},
        },
    };
}

}  // namespace verbcast::tools
