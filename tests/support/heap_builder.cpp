// SPDX-License-Identifier: BSD-3-Clause
#include "support/heap_builder.hpp"

#include <stdexcept>
#include <utility>

#include <boost/asio/io_context.hpp>

#include <verbcast/readers.hpp>
#include <verbcast/stream.hpp>

namespace verbcast::test {

heap_ref make_heap(const std::vector<bytes>& packets, compatibility mask) {
    const bytes all = join(packets);
    heap_ref made;
    std::size_t heaps = 0;
    boost::asio::io_context context;
    stream from(context,
                [&](heap_ref next) {
                    made = std::move(next);
                    ++heaps;
                },
                {.out_of_order = true, .stop_on_stop_item = false, .compat = mask});
    from.add_reader(memory_reader_config{.bytes = all});
    context.run();
    if (heaps != 1 || made->packets() != packets.size()) throw std::invalid_argument("not the packets of one heap");
    return made;
}

heap_ref make_heap(const wire_heap& source, compatibility mask) { return make_heap(encode(source.split()), mask); }

}  // namespace verbcast::test
