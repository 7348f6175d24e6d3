// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <verbcast/readers.hpp>

namespace verbcast::nic_faults {

/// How a trial's stream ends.
enum class ending : std::uint8_t { stop_item, user_stop, destroyed };

/// What one seed asks for.
struct scenario {
    std::uint64_t seed = 0;
    std::vector<std::string> faults;  ///< lines for the software NIC
    ibv_reader_config reader;
    bool ring = false;  ///< a ring that waits, else a sink
    bool out_of_order = true;
    unsigned heaps = 0;             ///< sent, of 1 to 4 packets
    std::size_t payload_bytes = 0;  ///< of a packet; above the reader's packet_bytes_max for some
    ending end = ending::stop_item;
    std::uint64_t stop_after_packets = 0;  ///< for the endings that are the user's

    /// The fault that is in a line: "drop", "ibv_reg_mr".
    static std::string kind(const std::string& fault);
    bool has(const std::string& wanted) const;
};

/// The same for the same seed.
scenario make_scenario(std::uint64_t seed);

/// Every verb that the reader calls, but for those that destroy: what cannot be destroyed is leaked, whoever is asked.
std::vector<std::string> all_verbs();
/// Twenty heaps of which all arrive, but that this call of the verb fails.
scenario scenario_with_failure(const std::string& verb, unsigned call);

/// All kinds that scenarios have, for the table at the end.
std::vector<std::string> all_kinds();

}  // namespace verbcast::nic_faults
