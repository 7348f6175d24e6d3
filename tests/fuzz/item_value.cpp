// SPDX-License-Identifier: BSD-3-Clause
/// Any descriptor over any value: nothing is read beyond it, and what is read has the size that the shape says.
///
/// Input: a byte of options (1 numpy header, 2 immediate, 4 swapped byte order), the length of the descriptor, the
/// descriptor, and the value. Without a numpy header a descriptor is records of a character, a width in bits and a
/// size, where 0 as character makes it a dimension.
#include <verbcast/item_value.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "support/heap_builder.hpp"

using namespace verbcast;

namespace {

struct input {
    unsigned options = 0;
    std::span<const std::uint8_t> description;
    std::span<const std::uint8_t> value;
};

descriptor described_by(const input& from) {
    descriptor out{.id = 0x1000};
    if (from.options & 1) {
        out.numpy_header.assign(from.description.begin(), from.description.end());
        return out;
    }
    for (auto rest = from.description; rest.size() >= 3; rest = rest.subspan(3)) {
        // 255 stands for a variable dimension, 254 for a hostile one.
        const std::int64_t size = rest[2] == 254 ? std::int64_t{1} << 60 : static_cast<std::int8_t>(rest[2]);
        if (rest[0] == 0)
            out.shape.push_back(size);
        else
            out.format.push_back({static_cast<char>(rest[0]), rest[1]});
    }
    return out;
}

void require(bool condition) {
    if (!condition) std::abort();
}

template <class T>
void read_as(const item_value& value) {
    const auto all = value.as<T>();
    require(static_cast<bool>(all) == (all.problem() == value_problem::none));
    for (std::size_t i = 0; i <= value.type().fields.size(); ++i) {
        const auto field = value.as<T>(i);
        if (field) require(field->size() == value.size() * value.type().fields[i].count);
    }
    if (value.size() > 0) static_cast<void>(value.get<T>(value.size() - 1));
    require(!value.get<T>(value.size()));
}

void read(const item_value& value) {
    if (value.problem() == value_problem::none) {
        std::uint64_t product = 1;
        for (const std::uint64_t size : value.shape()) product *= size;
        const bool empty = std::count(value.shape().begin(), value.shape().end(), std::uint64_t{0}) > 0;
        require(value.size() == (empty ? 0 : product));
        require(value.size() <= value.bytes().size() * 8);
    }
    read_as<bool>(value);
    read_as<std::int8_t>(value);
    read_as<std::uint64_t>(value);
    read_as<float>(value);
    read_as<std::complex<double>>(value);
    read_as<std::string>(value);
    static_cast<void>(value.text());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t described = std::min<std::size_t>(data[1], size - 2);
    const input from{data[0], {data + 2, described}, {data + 2 + described, size - 2 - described}};
    static const heap_ref heap = test::make_heap({.values = {{0x1000, test::zeros(1)}}});

    // A block of just this size: the sanitizer sees any read beyond it.
    const auto exact = std::make_unique<std::byte[]>(from.value.size());
    std::transform(from.value.begin(), from.value.end(), exact.get(),
                   [](std::uint8_t each) { return std::byte{each}; });
    item raw{.id = 0x1000, .bytes = {exact.get(), from.value.size()}, .length = from.value.size()};
    if (from.options & 2) {
        raw = {.id = 0x1000, .immediate = true, .bytes = {}, .length = from.value.size() % 7 + 1};
        for (const std::uint8_t each : from.value) raw.value = raw.value << 8 | each;
    }
    const auto mask = from.options & 4 ? compatibility::swap_endian : compatibility::none;
    const item_value value(std::make_shared<const item_type>(described_by(from), mask), raw, heap);
    read(value);
    read(value.detached());
    return 0;
}
