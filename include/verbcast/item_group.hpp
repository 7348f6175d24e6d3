// SPDX-License-Identifier: BSD-3-Clause
/// The items of a stream by their names: what its descriptors say, and the latest value of each.
///
///     verbcast::item_group group;
///     for (verbcast::heap_ref heap : stream) {
///         group.update(heap);
///         if (const verbcast::item_value* gains = group.find("gains"))
///             if (const auto numbers = gains->as<float>()) apply(*numbers);
///     }
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <verbcast/api.hpp>
#include <verbcast/heap.hpp>
#include <verbcast/item_type.hpp>
#include <verbcast/item_value.hpp>
#include <verbcast/units.hpp>

namespace verbcast {

/// Bounds on what the network can make a group hold. What is beyond them is dropped and counted.
struct item_group_config {
    std::size_t items_max = 4096;
    /// Descriptors, and the values of heaps before the last one.
    std::uint64_t bytes_max = 16_MiB;

    /// Throws config_error.
    VERBCAST_API void validate() const;
};

/// Used by one thread at a time. Keeps the heap of the last update() alive, and copies of those values before it that
/// were not replaced.
class VERBCAST_API item_group {
public:
    explicit item_group(const item_group_config& config = {});

    /// Takes the heap's descriptors, then its values. `updated` must not be empty.
    ///
    /// A descriptor that was there before changes nothing; one with a known name or id and anything else changed
    /// replaces that item, whose value is forgotten. A value without a descriptor waits for one.
    void update(const heap_ref& updated);

    /// The item, when it has both a descriptor and a value; else null. Valid until the next update().
    const item_value* find(std::string_view name) const noexcept;
    const item_value* find(std::uint64_t id) const noexcept;
    /// All of them, by id.
    std::vector<const item_value*> values() const;
    /// What a descriptor said of an item, with or without a value; null when none did. Valid until the next update().
    const item_type* find_type(std::string_view name) const noexcept;
    const item_type* find_type(std::uint64_t id) const noexcept;

    /// Descriptors and values that were beyond a bound.
    std::uint64_t dropped() const noexcept { return dropped_; }

private:
    struct entry {
        std::shared_ptr<const item_type> type;  // null before its descriptor has come
        std::optional<item_value> value;
        std::uint64_t type_bytes = 0;
        std::uint64_t value_bytes = 0;  // of a value that was detached from its heap
    };
    using entry_map = std::map<std::uint64_t, entry>;

    void add_descriptor(descriptor described, compatibility mask);
    void add_value(const item& raw, const heap_ref& from);
    void detach_from_other_heaps(const heap& current);
    bool fits(std::uint64_t bytes) const noexcept { return bytes <= config_.bytes_max - held_bytes_; }
    void erase(entry_map::iterator at);
    entry* find_or_add(std::uint64_t id);

    item_group_config config_;
    entry_map entries_;
    std::map<std::string, std::uint64_t, std::less<>> ids_;  // by name; unnamed items have none
    std::uint64_t held_bytes_ = 0;
    std::uint64_t dropped_ = 0;
};

}  // namespace verbcast
