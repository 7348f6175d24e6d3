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

/// What a script makes break.
struct breakage {
    bool queue_pairs = false;
    bool completion_queues = false;
    bool device = false;
    std::uint64_t port_frames = 0;  ///< the port goes down, and is up again when so many frames have been lost

    explicit operator bool() const noexcept { return queue_pairs || completion_queues || device || port_frames != 0; }
};

/// What a script wants done to one frame.
struct frame_verdict {
    bool drop = false;
    bool corrupt = false;
    breakage broken;  ///< queue pairs and completion queues: those the frame is for
    std::uint64_t extra_copies = 0;
    std::uint64_t delay_frames = 0;  ///< this many later frames overtake it
    std::uint64_t random = 0;        ///< where to corrupt it
};

/// A seeded script of faults. What happens to the n-th frame of a device, or to the n-th call of a verb, depends on the
/// script and on n alone, so that each run is the same. Immutable but for the counts of calls; any thread.
class fault_script {
public:
    fault_script() = default;
    /// Fills an empty script from its lines, which the README describes. `devices` are the names that rules may give.
    /// Throws std::invalid_argument, with the rule that is wrong.
    void read(std::string_view text, const std::vector<std::string>& devices);

    bool concerns_calls() const noexcept { return !verbs_.empty(); }
    bool concerns_frames() const noexcept { return !frame_rules_.empty(); }
    frame_verdict judge(std::string_view device, std::uint64_t frame) const noexcept;

    /// Counts a call of a verb, and gives the errno it has to fail with, or 0. `carry_out(breakage, device)` does what
    /// else the script has for the call; an empty name stands for every device.
    template <class CarryOut>
    int judge_call(std::string_view verb, CarryOut&& carry_out) {
        int error = 0;
        for (const call_rule* rule : count_call(verb)) {
            if (error == 0) error = rule->error;
            if (rule->broken) carry_out(rule->broken, rule->device);
        }
        return error;
    }

    /// Calls `visit(verb, calls)` for each verb of the script: how many of its calls a rule was for.
    template <class Visitor>
    void for_each_failed(Visitor visit) const {
        for (const auto& [verb, rules] : verbs_) visit(verb, rules.failed.load(std::memory_order_relaxed));
    }

private:
    enum class action : std::uint8_t {
        drop,
        repeat,
        reorder,
        corrupt,
        break_queue_pairs,
        break_completion_queues,
        fail_device,
        fail_port
    };

    /// Which frames or calls, numbered from 1.
    struct selection {
        std::optional<double> rate;
        std::vector<std::uint64_t> numbers;
        std::uint64_t every = 0;
        std::uint64_t first = 1;
        std::uint64_t last = ~std::uint64_t{0};
    };
    struct frame_rule {
        selection which;
        std::string device;  ///< empty: each
        action what = action::drop;
        std::uint64_t amount = 1;
    };
    struct call_rule {
        selection which;
        std::string device;  ///< empty: each
        breakage broken;
        int error = 0;
    };
    struct verb_rules {
        std::vector<call_rule> rules;
        std::atomic<std::uint64_t> calls{0};
        std::atomic<std::uint64_t> failed{0};  ///< calls that met a rule
    };

    friend class fault_reader;
    /// True for the verbs that can fail or that a script can count.
    static bool is_verb(std::string_view name) noexcept;
    bool selects(const selection& which, std::uint64_t rule, std::uint64_t number) const noexcept;
    static void apply(action what, std::uint64_t amount, breakage& broken) noexcept;
    static void apply(const frame_rule& rule, frame_verdict& verdict) noexcept;
    /// Counts a call, and gives the rules that it meets.
    std::vector<const call_rule*> count_call(std::string_view verb);

    std::uint64_t seed_ = 0;
    std::vector<frame_rule> frame_rules_;
    std::map<std::string, verb_rules, std::less<>> verbs_;
};

}  // namespace softnic
