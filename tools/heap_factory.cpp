// SPDX-License-Identifier: BSD-3-Clause
#include "heap_factory.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "command.hpp"
#include "verify_pattern.hpp"

namespace verbcast::tools {

heap_factory::heap_factory(const heap_factory_config& config) : config_(config) {
    const flavour kind = config.kind;
    if (config.heap_bytes > kind.address_max())
        throw usage_error(fmt::format("--heap-size {} does not fit --flavour {}, whose heaps hold up to {} bytes",
                                      config.heap_bytes, kind.name(), kind.address_max()));
    const descriptor data{
        .id = kind.data_id(),
        .name = "data",
        .description = "Test data",
        .numpy_header = fmt::format("{{'shape': ({},), 'fortran_order': False, 'descr': '|u1'}}", config.heap_bytes),
    };
    const descriptor position{
        .id = kind.position_id(),
        .name = "position",
        .description = "Bytes of data in the heaps before this one",
        .format = {{'u', kind.address_bits}},
    };
    for (const descriptor& each : {data, position}) {
        descriptors_.push_back(encode_descriptor(kind, each));
        descriptor_bytes_ += descriptors_.back().size();
        if (descriptors_.back().empty()) descriptor_bytes_ = kind.address_max();
    }
    if (descriptor_bytes_ > kind.address_max() - config.heap_bytes) {
        descriptors_.clear();
        descriptor_bytes_ = 0;
    }
}

outgoing_heap heap_factory::make(std::uint64_t index, std::vector<std::byte>& storage) const {
    const flavour kind = config_.kind;
    const std::uint64_t data_at = introduces(index) ? descriptor_bytes_ : 0;
    outgoing_heap heap{.cnt = cnt_of(index), .pointers = {}, .payload = {}};
    const bool used_before = storage.size() == data_at + config_.heap_bytes;
    storage.resize(data_at + config_.heap_bytes);
    if (introduces(index)) {
        const auto start = static_cast<std::uint64_t>(stream_control::start);
        heap.pointers.push_back(immediate_pointer(kind, item_id::stream_control, start));
        std::uint64_t address = 0;
        for (const std::vector<std::byte>& each : descriptors_) {
            heap.pointers.push_back(addressed_pointer(kind, item_id::descriptor, address));
            std::copy(each.begin(), each.end(), storage.begin() + static_cast<std::ptrdiff_t>(address));
            address += each.size();
        }
    }
    heap.pointers.push_back(addressed_pointer(kind, kind.data_id(), data_at));
    heap.pointers.push_back(
        immediate_pointer(kind, kind.position_id(), (index * config_.heap_bytes) & kind.address_max()));
    // Without --verify all data is alike, so that storage need not be written again.
    if (config_.verify || !used_before)
        fill_pattern(config_.verify ? heap.cnt : 0, std::span(storage).subspan(data_at));
    heap.payload = storage;
    return heap;
}

}  // namespace verbcast::tools
