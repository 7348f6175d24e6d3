// SPDX-License-Identifier: BSD-3-Clause
#include "rate_meter.hpp"

namespace verbcast::tools {
namespace {

using seconds = std::chrono::duration<double>;

traffic_rates rates_between(const traffic_counts& from, const traffic_counts& to, seconds length) {
    traffic_rates rates;
    if (length.count() <= 0) return rates;
    const auto per_second = [&](std::uint64_t first, std::uint64_t last) {
        return static_cast<double>(last - first) / length.count();
    };
    rates.gbps = per_second(from.bytes, to.bytes) * 8 / 1e9;
    rates.packets_per_second = per_second(from.packets, to.packets);
    rates.heaps_per_second = per_second(from.heaps, to.heaps);
    return rates;
}

}  // namespace

traffic_rates rate_meter::since_last(const traffic_counts& counts, clock::time_point now) noexcept {
    traffic_rates rates = rates_between(last_counts_, counts, now - last_);
    rates.seconds = seconds(now - start_).count();
    last_ = now;
    last_counts_ = counts;
    return rates;
}

traffic_rates rate_meter::overall(const traffic_counts& counts, clock::time_point now) const noexcept {
    traffic_rates rates = rates_between({}, counts, now - start_);
    rates.seconds = seconds(now - start_).count();
    return rates;
}

}  // namespace verbcast::tools
