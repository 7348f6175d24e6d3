// SPDX-License-Identifier: BSD-3-Clause
#include <iostream>
#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>

int main() {
    verbcast::thread_pool pool;
    verbcast::ring_stream stream(pool, {.heaps = 32});
    stream.add_reader(verbcast::udp_reader_config{
        .groups = {{"239.2.1.150", 7148}},
        .interface = "eth0",
    });
    for (const verbcast::heap_ref& heap : stream)
        std::cout << "heap " << heap->cnt() << ": " << heap->payload().size() << " bytes\n";
    const verbcast::packet_account account = stream.stats().account;
    std::cout << account.received << " packets, " << account.rejected.total() << " rejected\n";
}
