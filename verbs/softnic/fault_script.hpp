// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace softnic {

/// What a script wants done to one frame.
struct frame_verdict {
    bool drop = false;
    bool corrupt = false;
    bool break_queues = false;  ///< the queue pairs it is for break down
    bool fail_device = false;
    bool fail_port = false;  ///< a port error is reported, and at once that the port is active again
    unsigned extra_copies = 0;
    unsigned delay_frames = 0;  ///< this many later frames overtake it
    std::uint64_t random = 0;   ///< where to corrupt it
};

/// A seeded script of faults. What happens to the n-th frame of a device, or to the n-th call of a verb, depends on the
/// script and on n alone, so that each run is the same. Immutable but for the counts of calls; any thread.
class fault_script {
public:
    fault_script() = default;
    /// Fills an empty script from its lines, which the README describes. Throws std::invalid_argument, naming the line.
    void read(std::string_view text);

    bool concerns_frames() const noexcept { return !frame_rules_.empty(); }
    frame_verdict judge(std::string_view device, std::uint64_t frame) const noexcept;

    /// Counts a call of a verb, and gives the errno it has to fail with, or 0.
    int judge_call(std::string_view verb) noexcept;

private:
    enum class action : std::uint8_t { drop, repeat, reorder, corrupt, break_queue, fail_device, fail_port };

    /// Which frames or calls, numbered from 1.
    struct selection {
        double rate = 0;
        std::vector<std::uint64_t> numbers;
        std::uint64_t every = 0;
        std::uint64_t first = 1;
        std::uint64_t last = ~std::uint64_t{0};
        bool ranged = false;
    };
    struct frame_rule {
        selection which;
        std::string device;  ///< empty: each
        action what = action::drop;
        unsigned amount = 1;
    };
    struct call_rule {
        selection which;
        int error = 0;
    };
    struct verb_rules {
        std::vector<call_rule> rules;
        std::atomic<std::uint64_t> calls{0};
    };

    friend struct fault_reader;
    bool selects(const selection& which, std::uint64_t rule, std::uint64_t number) const noexcept;
    static void apply(const frame_rule& rule, frame_verdict& verdict) noexcept;

    std::uint64_t seed_ = 0;
    std::vector<frame_rule> frame_rules_;
    std::map<std::string, verb_rules, std::less<>> verbs_;
};

}  // namespace softnic
