// SPDX-License-Identifier: BSD-3-Clause
/// What was read of a host, as it was read. All that `topo` and `doctor` say is worked out from this, so that it can be
/// said elsewhere, later, and by a test.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/json_output.hpp"

namespace verbcast::tools {

/// The answer to one question: a text, that there is no such thing, or why it could not be had.
struct reading {
    enum class outcome : std::uint8_t { read, absent, refused };
    outcome what = outcome::read;
    std::string text = {};  ///< what was read; why it was refused
};

/// Readings by key: the path of a file; the path of a folder with a slash behind it, for the names in it; or KIND:NAME
/// for what is not in a file (see the constants).
class host_snapshot {
public:
    static constexpr const char* hwloc_key = "hwloc:xml";
    static constexpr const char* interfaces_key = "system:interfaces";  ///< JSON: read_interfaces()
    static constexpr const char* firewall_key = "system:nft";           ///< JSON of nft(8)
    static constexpr const char* irqbalance_key =
        "process:irqbalance";  ///< its process id; absent when it does not run
    static constexpr const char* command_line_key =
        "system:command-line";                                        ///< what it has of cores, IOMMU and the like
    static constexpr const char* container_key = "system:container";  ///< its kind; absent outside of one
    static constexpr const char* devices_key = "verbs:devices";       ///< JSON: what libibverbs says
    static std::string querier_key(std::string_view interface) { return "querier:" + std::string(interface); }

    void put(const std::string& key, reading each) { readings_[key] = std::move(each); }
    void put_text(const std::string& key, std::string text) { put(key, {reading::outcome::read, std::move(text)}); }
    void forget(const std::string& key) { readings_.erase(key); }

    /// What is absent below a folder was not looked for: `why`.
    void refuse_absent(std::string_view folder, const std::string& why);

    /// Without white space at its ends; none when it was not read.
    std::optional<std::string> text(const std::string& key) const;
    /// The first number in it.
    std::optional<std::int64_t> number(const std::string& key) const;
    /// The names in a folder; none when it was not read.
    std::vector<std::string> names(const std::string& folder) const;
    /// It was asked for, and there is no such thing.
    bool absent(const std::string& key) const;
    /// Why there is no text.
    std::string why_not(const std::string& key) const;

    /// For `--bundle`, and back. from_text() takes hwloc's XML too. Throws std::runtime_error.
    json to_json() const;
    static host_snapshot from_text(std::string_view text);

private:
    static host_snapshot from_json(const json& bundle);

    std::map<std::string, reading> readings_;
};

/// "0-2,5" as the kernel writes it; what is no number ends it.
std::vector<int> numbers_in(std::string_view list);
/// And back.
std::string list_of(const std::vector<int>& numbers);

/// `key` of lines such as "Cpus_allowed_list:\t0-1".
std::optional<std::string> field_of(std::string_view text, std::string_view key);

std::vector<std::string> lines_of(std::string_view text);
std::vector<std::string> words_of(std::string_view text);

}  // namespace verbcast::tools
