// SPDX-License-Identifier: BSD-3-Clause
// Receives one heap from memory, through each kind of stream, and says which verbcast did it.
#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>
#include <verbcast/version.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

std::vector<std::byte> one_heap() {
    constexpr std::uint64_t immediate = 1ULL << 63;
    constexpr std::array<std::uint64_t, 7> words{
        0x5304'0206'0000'0005,        // SPEAD-64-48, five item pointers
        immediate | 1ULL << 48 | 42,  // HEAP_CNT
        immediate | 2ULL << 48 | 8,   // HEAP_LENGTH
        immediate | 3ULL << 48,       // PAYLOAD_OFFSET
        immediate | 4ULL << 48 | 8,   // PAYLOAD_LENGTH
        0x1000ULL << 48,              // an item at address 0
        0x7665'7262'6361'7374,        // its bytes
    };
    std::vector<std::byte> bytes;
    for (const std::uint64_t word : words)
        for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::byte>(word >> shift));
    return bytes;
}

std::string text_of(const verbcast::heap& heap) {
    std::string text;
    for (const std::byte each : heap.items().front().bytes) text += static_cast<char>(each);
    return text;
}

class text_sink final : public verbcast::heap_sink {
public:
    explicit text_sink(std::string& text) : text_(text) {}
    void accept(verbcast::heap_ref heap) override { text_ += text_of(*heap); }

private:
    std::string& text_;
};

}  // namespace

int main() {
    const std::vector<std::byte> bytes = one_heap();

    std::string popped;
    verbcast::ring_stream ring{verbcast::thread_pool{}};
    ring.add_reader(verbcast::memory_reader_config{.bytes = bytes});
    for (const verbcast::heap_ref& heap : ring) popped += text_of(*heap);

    std::string sunk;
    boost::asio::io_context context;
    verbcast::stream stream{context, std::make_unique<text_sink>(sunk)};
    stream.add_reader(verbcast::memory_reader_config{.bytes = bytes});
    context.run();

    if (popped != "verbcast" || sunk != popped) {
        std::cerr << "popped '" << popped << "', the sink got '" << sunk << "'\n";
        return 1;
    }
    std::cout << popped << ' ' << verbcast::version() << '\n';
}
