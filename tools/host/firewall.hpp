// SPDX-License-Identifier: BSD-3-Clause
/// What the rules of nft(8) do to one datagram, as far as that can be told from outside. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/host/ip_route.hpp"
#include "tools/json_output.hpp"

namespace verbcast::tools {

/// A UDP datagram that comes. What is not set may be anything.
struct coming_datagram {
    std::string interface = {};
    ip_bytes destination = {};
    std::optional<std::uint16_t> port = {};
    std::optional<ip_bytes> source = {};
};

class firewall {
public:
    enum class verdict : std::uint8_t { passes, dropped, unsure };
    struct decision {
        verdict what = verdict::passes;
        std::string chain = {};  ///< "inet filter input": whose it is
    };

    /// From `nft --json list ruleset`. Throws json::exception.
    explicit firewall(const json& ruleset);

    /// The first chain that drops it, else the first that may.
    decision decide(const coming_datagram& what) const;
    /// Connections are followed, and this datagram is not exempt from it.
    bool tracks(const coming_datagram& what) const;

private:
    enum class matching : std::uint8_t { yes, no, maybe };
    struct chain {
        std::string family, table, name, type, hook, policy;
        int priority = 0;
        std::vector<json> rules;
    };
    struct walk {
        bool may_pass = false;
        bool may_drop = false;
    };

    const chain* find(const chain& from, const std::string& name) const;
    std::optional<verdict> run(const chain& each, const coming_datagram& what, walk& state, int depth) const;
    static matching matches(const json& rule, const coming_datagram& what);
    static matching match(const json& condition, const coming_datagram& what);

    std::vector<chain> chains_;
    bool follows_connections_ = false;
};

}  // namespace verbcast::tools
