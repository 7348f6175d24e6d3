// SPDX-License-Identifier: BSD-3-Clause
/// Results for people. Pure but for what heap_printer remembers.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <verbcast/account.hpp>
#include <verbcast/heap.hpp>

namespace verbcast::tools {

/// Heaps, a few lines each. Remembers the names that descriptors give to items.
class heap_printer {
public:
    std::string text_of(const heap& each);

private:
    void learn(const descriptor& about);
    std::string name_of(std::uint64_t id) const;

    // Names come from the network: no more than this many are kept.
    static constexpr std::size_t names_max = 4096;
    std::map<std::uint64_t, std::string> names_;
};

/// Where every packet went: each term that is not zero, with each reason in words.
std::string account_text(const stream_stats& stats);

/// What was lost, in one line: "none", or "kernel 12 buffers, ring full 30 packets, ...".
std::string losses_text(const stream_stats& stats);

/// True when something that was meant for the stream did not reach its user, but for what a stop cut off. Duplicates
/// are no loss.
bool has_losses(const stream_stats& stats) noexcept;

}  // namespace verbcast::tools
