// SPDX-License-Identifier: BSD-3-Clause
#include "support/stream_comparison.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <verbcast/reader.hpp>
#include <verbcast/stream.hpp>

#include "support/comparison.hpp"
#include "support/packet_builder.hpp"
#include "support/reference_decoder.hpp"

namespace verbcast::test {
namespace {

/// The script, byte by byte; zeros behind its end.
class script_reader {
public:
    explicit script_reader(std::span<const std::uint8_t> script) : rest_(script) {}

    bool ended() const { return rest_.empty(); }
    std::uint8_t octet() {
        if (rest_.empty()) return 0;
        const std::uint8_t first = rest_.front();
        rest_ = rest_.subspan(1);
        return first;
    }
    std::uint64_t below(std::uint64_t bound) { return octet() % bound; }
    template <class T>
    T one_of(std::initializer_list<T> choices) {
        return choices.begin()[below(choices.size())];
    }

private:
    std::span<const std::uint8_t> rest_;
};

/// Makes packets from the script. Each looks like those before, so that they meet in heaps.
class traffic {
public:
    explicit traffic(script_reader& script) : script_(script) {}

    bytes next() {
        switch (script_.below(12)) {
        case 0:
        case 1: last_ = fresh(); break;
        case 2:
        case 3:
        case 4: go_on(); break;
        case 5: last_.heap_cnt = script_.below(6); break;
        case 6: last_.payload_offset = script_.below(80); break;
        case 7: last_.items = items(script_.below(5)); break;
        case 8: last_.payload = pattern(script_.below(40), ++seed_); break;
        case 9: set_length(); break;
        case 10: return spoilt();
        case 11: return rare();
        }
        return last_.encode();
    }

private:
    wire_packet fresh() {
        wire_packet out{.address_bits = script_.one_of({48U, 48U, 40U, 8U, 56U}),
                        .heap_cnt = script_.below(6),
                        .payload_offset = script_.one_of<std::uint64_t>({0, 0, 16, 20, 32, 48}),
                        .items = items(script_.below(4)),
                        .payload = pattern(script_.one_of<std::size_t>({16, 16, 32, 20, 1, 0, 64}), ++seed_)};
        last_ = std::move(out);
        set_length();
        return last_;
    }

    /// The next packet of the heap that a sender would send.
    void go_on() {
        last_.payload_offset += last_.payload.size();
        last_.payload = pattern(last_.payload.size(), ++seed_);
    }

    void set_length() {
        switch (script_.below(6)) {
        case 0: last_.heap_length.reset(); break;
        case 1: last_.heap_length = last_.payload.size(); break;
        case 2: last_.heap_length = last_.payload_offset + last_.payload.size(); break;
        case 3: last_.heap_length = script_.octet(); break;
        case 4: last_.heap_length = 64; break;
        case 5: last_.heap_length = std::uint64_t{1} << script_.below(56); break;
        }
    }

    std::vector<wire_item> items(std::size_t count) {
        std::vector<wire_item> out;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint8_t kind = script_.octet();
            const std::uint64_t id = script_.one_of<std::uint64_t>({0x20, 0x21, 0x22, 0, 5, 6, 1, 2, 3, 4, 7, 0x7f});
            std::uint64_t value = script_.below(70);
            if (kind % 16 == 15) value = std::uint64_t{1} << script_.below(56);
            if (kind % 16 == 14) value = 2;  // STREAM_CTRL: stop
            out.push_back({.id = id, .immediate = kind >= 128, .value = value});
        }
        return out;
    }

    bytes spoilt() {
        bytes out = last_.encode();
        out[script_.octet() % out.size()] = static_cast<std::byte>(script_.octet());
        if (script_.below(3) == 0) out.resize(script_.octet() % (out.size() + 2));
        return out;
    }

    bytes rare() {
        switch (script_.below(4)) {
        case 0: return {};
        case 1: return stop_packet(script_.below(6), last_.address_bits).encode();
        case 2: {  // more pointers than one looks through one by one
            const std::uint64_t first = script_.octet();
            for (std::uint64_t i = 0; i < 24; ++i) last_.items.push_back(immediate(0x20, first + i));
            bytes out = last_.encode();
            last_.items.resize(std::min<std::size_t>(last_.items.size(), 26));
            return out;
        }
        default: {  // specials that contradict one another, in any order
            raw_packet raw = last_.raw();
            raw.pointers.push_back(immediate(1 + script_.below(4), script_.below(64)).encode(last_.address_bits));
            std::rotate(raw.pointers.begin(), raw.pointers.begin() + static_cast<std::ptrdiff_t>(script_.below(3)),
                        raw.pointers.end());
            return raw.encode();
        }
        }
    }

    script_reader& script_;
    wire_packet last_{.payload = pattern(16)};
    std::uint64_t seed_ = 1;
};

struct settings {
    stream_config real;
    reference::options expected;
    bool as_datagrams = false;  // or as packets that follow one another in memory
    bool user_stop = false;     // at the end; else the last reader ends

    explicit settings(script_reader& script) {
        const std::uint8_t flags = script.octet();
        const std::uint8_t bounds = script.octet();
        expected.out_of_order = flags & 1;
        expected.allow_unsized = !(flags & 2);
        expected.stop_on_stop_item = !(flags & 4);
        as_datagrams = flags & 8;
        user_stop = flags & 16;
        expected.substreams = 1 + flags / 32 % 3;
        expected.max_heaps = 1 + script.below(4);
        expected.heap_bytes_max = bounds & 1 ? 100'000 : 100;
        expected.heap_pointers_max = bounds & 2 ? 65536 : 5;
        expected.heap_ranges_max = bounds & 4 ? 65536 : 2;

        real.stop_on_first_end = true;  // the readers of earlier batches are still there
        real.heaps_live_max = expected.max_heaps;
        real.substreams = static_cast<std::size_t>(expected.substreams);
        real.out_of_order = expected.out_of_order;
        real.allow_unsized = expected.allow_unsized;
        real.stop_on_stop_item = expected.stop_on_stop_item;
        real.heap_bytes_max = expected.heap_bytes_max;
        real.heap_pointers_max = expected.heap_pointers_max;
        real.heap_ranges_max = expected.heap_ranges_max;
    }
};

/// Adds one batch when it starts, and stays until the stream ends or `ends` is set.
class batch_reader final : public reader {
public:
    batch_reader(std::vector<bytes> batch, bool as_datagrams, bool ends)
        : batch_(std::move(batch)), as_datagrams_(as_datagrams), ends_(ends) {}

    std::string description() const override { return "test"; }
    bool lossless() const noexcept override { return true; }
    void start(handler_context, stream_base::add_packet_handler& batch) override {
        if (as_datagrams_)
            add_datagrams(batch);
        else
            add_packets(batch);
        if (ends_) batch.end_reader(*this, {.what = stop_reason::kind::readers_ended, .message = "end of test"});
    }
    void stop() noexcept override {}

private:
    void add_datagrams(stream_base::add_packet_handler& batch) {
        std::vector<datagram> all;
        for (const bytes& each : batch_)
            all.push_back({.data = each.data(), .size = static_cast<std::uint32_t>(each.size())});
        batch.add_packets(all);
    }
    void add_packets(stream_base::add_packet_handler& batch) {
        const bytes all = join(batch_);
        for (std::span<const std::byte> rest = all; !rest.empty();) {
            const std::size_t taken = batch.add_packet(rest, 0);
            if (taken == 0) break;
            rest = rest.subspan(taken);
        }
    }

    const std::vector<bytes> batch_;
    const bool as_datagrams_;
    const bool ends_;
};

class stream_pair {
public:
    explicit stream_pair(const settings& both)
        : settings_(both), expected_(both.expected),
          real_(
              context_, [this](heap_ref heap) { delivered_.push_back(std::move(heap)); }, both.real) {}

    void feed(std::vector<bytes> batch, bool last) {
        const reference::octets all = to_octets(join(batch));
        for (const bytes& each : batch)
            if (settings_.as_datagrams) expected_.add_datagram(to_octets(each));
        for (std::size_t at = 0; !settings_.as_datagrams && at < all.size() && !expected_.stopping();)
            at += expected_.add_packet({all.begin() + static_cast<std::ptrdiff_t>(at), all.end()});
        expected_.end_batch();
        if (last) expected_.flush();
        real_.add_reader(std::make_unique<batch_reader>(std::move(batch), settings_.as_datagrams, last));
        context_.restart();
        context_.poll();
    }

    void stop() {
        expected_.drop();
        real_.stop();
    }

    bool stopped() const { return expected_.stopping(); }

    std::string first_difference() {
        for (; compared_ < std::min(expected_.delivered.size(), delivered_.size()); ++compared_) {
            const std::string found = difference(expected_.delivered[compared_], *delivered_[compared_]);
            if (!found.empty()) return "heap " + std::to_string(compared_) + ": " + found;
        }
        return difference(expected_, real_.stats());
    }

private:
    const settings settings_;
    reference::stream expected_;
    boost::asio::io_context context_;
    std::vector<heap_ref> delivered_;
    std::size_t compared_ = 0;
    stream real_;
};

}  // namespace

std::string compare_streams(std::span<const std::uint8_t> script) {
    script_reader source(script);
    const settings both(source);
    stream_pair streams(both);
    traffic packets(source);
    while (!source.ended() && !streams.stopped()) {
        std::vector<bytes> batch;
        for (std::uint64_t count = source.below(16); count > 0 && !source.ended(); --count)
            batch.push_back(packets.next());
        streams.feed(std::move(batch), false);
        if (std::string found = streams.first_difference(); !found.empty()) return found;
    }
    if (both.user_stop || streams.stopped())
        streams.stop();
    else
        streams.feed({}, true);
    return streams.first_difference();
}

}  // namespace verbcast::test
