// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/port_counters.hpp"

#include <array>
#include <charconv>
#include <filesystem>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace verbcast::verbs {
namespace {

/// More than any device has; each costs a descriptor.
constexpr std::size_t counters_max = 128;
constexpr const char* no_buffer = "out_of_buffer";

std::optional<std::uint64_t> read_number(int file) noexcept {
    std::array<char, 32> text;
    const ssize_t length = file < 0 ? -1 : ::pread(file, text.data(), text.size(), 0);
    std::uint64_t number = 0;
    if (length <= 0 || std::from_chars(text.data(), text.data() + length, number).ec != std::errc{}) return {};
    return number;
}

}  // namespace

port_counters::port_counters(const device& owner) {
    const std::string folder = owner.sysfs_path() + "/ports/" + std::to_string(owner.port()) + "/hw_counters";
    std::set<std::string> names{no_buffer};
    std::error_code none;
    for (std::filesystem::directory_iterator each(folder, none), end; !none && each != end; each.increment(none)) {
        const std::string name = each->path().filename();
        if (name != "lifespan" && names.size() < counters_max) names.insert(name);  // lifespan is an age, not a count
    }
    for (const std::string& each : names) add(folder, each);
    read();
}

void port_counters::add(const std::string& folder, const std::string& name) {
    source from;
    from.file = file_descriptor(::open((folder + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
    from.at_first = read_number(from.file.get()).value_or(0);
    sources_.push_back(std::move(from));
    values_.push_back({name, {}});
}

const std::vector<port_counters::value>& port_counters::read() {
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        const auto now = read_number(sources_[i].file.get());
        values_[i].count = now ? std::optional(*now - sources_[i].at_first) : std::nullopt;
    }
    return values_;
}

}  // namespace verbcast::verbs
