// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/item_group.hpp>

#include <cassert>
#include <string>
#include <utility>

#include <verbcast/error.hpp>
#include <verbcast/packet.hpp>

namespace verbcast {
namespace {

/// Of values whose descriptor has not come.
std::shared_ptr<const item_type> no_type() {
    static const auto type = std::make_shared<const item_type>(descriptor{});
    return type;
}

std::uint64_t bytes_of(const item_type& type) {
    std::uint64_t bytes = sizeof type + type.source.name.size() + type.source.description.size() +
                          type.source.numpy_header.size() + type.source.format.size() * sizeof(format_field) +
                          (type.source.shape.size() + type.shape.size()) * sizeof(std::int64_t);
    for (const element_field& each : type.fields) bytes += sizeof each + each.name.size();
    return bytes;
}

}  // namespace

void item_group_config::validate() const {
    if (items_max == 0) throw config_error("items_max", "0", "at least 1");
    if (bytes_max == 0) throw config_error("bytes_max", "0", "at least 1");
}

item_group::item_group(const item_group_config& config) : config_(config) { config_.validate(); }

void item_group::update(const heap_ref& updated) {
    assert(updated && "update() with an empty reference");
    for (descriptor& each : updated->descriptors()) add_descriptor(std::move(each), updated->compat());
    for (const item& each : updated->items())
        if (each.id != item_id::descriptor && each.id != item_id::stream_control) add_value(each, updated);
    detach_from_other_heaps(*updated);
}

void item_group::add_descriptor(descriptor described, compatibility mask) {
    const auto known = entries_.find(described.id);
    const bool known_type = known != entries_.end() && known->second.type;
    if (known_type && known->second.type->source == described) return;
    const auto same_name = ids_.find(described.name);
    if (same_name != ids_.end() && same_name->second != described.id) erase(entries_.find(same_name->second));
    if (known_type) erase(known);

    auto type = std::make_shared<const item_type>(std::move(described), mask);
    const std::uint64_t needed = bytes_of(*type);
    entry* const added = fits(needed) ? find_or_add(type->source.id) : nullptr;
    if (!added) {
        ++dropped_;
        return;
    }
    held_bytes_ += added->type_bytes = needed;
    if (!type->source.name.empty()) ids_[type->source.name] = type->source.id;
    if (added->value) added->value = added->value->described_by(type);
    added->type = std::move(type);
}

void item_group::add_value(const item& raw, const heap_ref& from) {
    entry* const of = find_or_add(raw.id);
    if (!of) {
        ++dropped_;
        return;
    }
    held_bytes_ -= std::exchange(of->value_bytes, 0);
    of->value.emplace(of->type ? of->type : no_type(), raw, from);
}

void item_group::detach_from_other_heaps(const heap& current) {
    for (auto at = entries_.begin(); at != entries_.end();) {
        const auto next = std::next(at);
        entry& each = at->second;
        if (each.value && each.value->owner() && each.value->owner() != &current) {
            const std::uint64_t needed = each.value->bytes().size();
            if (fits(needed)) {
                each.value = each.value->detached();
                held_bytes_ += each.value_bytes = needed;
            } else {
                ++dropped_;
                each.value.reset();
                if (!each.type) erase(at);
            }
        }
        at = next;
    }
}

void item_group::erase(entry_map::iterator at) {
    const entry& gone = at->second;
    held_bytes_ -= gone.type_bytes + gone.value_bytes;
    if (gone.type) ids_.erase(gone.type->source.name);
    entries_.erase(at);
}

/// Null when there are too many.
item_group::entry* item_group::find_or_add(std::uint64_t id) {
    const auto found = entries_.find(id);
    if (found != entries_.end()) return &found->second;
    return entries_.size() < config_.items_max ? &entries_[id] : nullptr;
}

const item_value* item_group::find(std::uint64_t id) const noexcept {
    const auto found = entries_.find(id);
    if (found == entries_.end() || !found->second.type || !found->second.value) return nullptr;
    return &*found->second.value;
}

const item_value* item_group::find(std::string_view name) const noexcept {
    const auto found = ids_.find(name);
    return found == ids_.end() ? nullptr : find(found->second);
}

const item_type* item_group::find_type(std::uint64_t id) const noexcept {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : found->second.type.get();
}

const item_type* item_group::find_type(std::string_view name) const noexcept {
    const auto found = ids_.find(name);
    return found == ids_.end() ? nullptr : find_type(found->second);
}

std::vector<const item_value*> item_group::values() const {
    std::vector<const item_value*> all;
    for (const auto& [id, each] : entries_)
        if (each.type && each.value) all.push_back(&*each.value);
    return all;
}

}  // namespace verbcast
