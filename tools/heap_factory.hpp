// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "flavour.hpp"
#include "heap_encoder.hpp"

namespace verbcast::tools {

struct heap_factory_config {
    flavour kind;
    std::uint64_t heap_bytes = 1 << 20;  ///< of the data item
    std::size_t groups = 1;
    bool verify = false;  ///< data that recv --verify can check; else each heap has the same
};

/// The heaps that `send` makes: a data item, its position in the stream as an immediate, and in the first heap of each
/// group a stream start and the descriptors of both items.
class heap_factory {
public:
    /// Throws usage_error when the flavour cannot hold such heaps.
    explicit heap_factory(const heap_factory_config& config);

    /// Heaps go to the groups in turn.
    std::size_t group_of(std::uint64_t index) const noexcept { return index % config_.groups; }
    /// Cnts begin at 1 and wrap at the width of a heap address.
    std::uint64_t cnt_of(std::uint64_t index) const noexcept { return (index + 1) & config_.kind.address_max(); }

    /// Heap `index`, from 0, whose payload is put into `storage`. Storage that held a heap of this factory may be given
    /// again when that heap has been sent.
    outgoing_heap make(std::uint64_t index, std::vector<std::byte>& storage) const;

    /// False when the flavour has no room for descriptors.
    bool describes() const noexcept { return !descriptors_.empty(); }

private:
    bool introduces(std::uint64_t index) const noexcept { return index < config_.groups; }

    heap_factory_config config_;
    std::vector<std::vector<std::byte>> descriptors_;
    std::uint64_t descriptor_bytes_ = 0;
};

}  // namespace verbcast::tools
