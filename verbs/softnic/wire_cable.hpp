// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "cable.hpp"
#include "wire_memory.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace softnic {

/// A port on a wire. Every frame goes to every port that listens, this one included, as multicast on a host does.
/// The wire loses nothing while its ports run: a sender waits for the slowest listener. A port that is gone is skipped,
/// and one that stands still for `stall_limit` is put aside until it runs again.
class wire_cable final : public cable {
public:
    static constexpr std::chrono::milliseconds stall_limit{250};

    /// Throws std::system_error.
    explicit wire_cable(const std::string& name);
    ~wire_cable() override;

    std::size_t frame_bytes_max() const noexcept override { return wire_layout::frame_bytes_max; }
    std::size_t transmit(std::span<const outgoing_frame> frames) noexcept override;
    void wait_for_room() noexcept override;

    void listen(bool promiscuous) override;
    void deafen() noexcept override;
    arrivals poll() noexcept override;
    void release(std::size_t frames_taken) noexcept override;
    bool prepare_to_wait() noexcept override;
    void wait_for_arrivals(std::chrono::milliseconds limit) noexcept override;
    void wake() noexcept override;
    std::uint64_t frames_lost() noexcept override;

    int service_descriptor() const noexcept override { return memory_->listener(); }
    void serve() noexcept override { memory_->answer(); }
    bool link_up() const noexcept override { return true; }

private:
    /// What a sender knows of a listener that is in its way.
    struct watched {
        std::uint64_t position = 0;
        std::chrono::steady_clock::time_point since;
    };

    bool has_room(std::size_t bytes) noexcept;
    void write_frame(const outgoing_frame& frame) noexcept;
    void publish() noexcept;
    void ring_doorbells() noexcept;
    void put_aside_dead_and_stalled() noexcept;
    void put_aside(unsigned port, std::uint64_t listening, enum wire_layout::listening state) noexcept;
    void start_at_the_heads() noexcept;
    void resume() noexcept;
    void expect(unsigned sender, std::uint64_t sequence) noexcept;
    bool anything_to_read() const noexcept;
    wire_layout::port_slot& own() const noexcept { return memory_->header().ports[port_]; }

    std::shared_ptr<wire_memory> memory_;
    unsigned port_;

    // The sending side.
    std::byte* ring_;
    std::uint64_t head_;
    std::uint64_t sequence_;
    std::uint64_t limit_ = 0;  ///< the head may go up to here without another look at the listeners
    std::array<watched, wire_layout::ports_max> watched_{};

    // The receiving side.
    std::uint64_t listening_ = 0;
    std::int64_t frames_lost_ = 0;
    std::array<std::uint64_t, wire_layout::ports_max> expected_{};  ///< the number of each sender's next frame
    std::uint64_t unconfirmed_ = 0;  ///< a bit for each sender of whom that was read beside traffic and may be off
    std::array<std::byte*, wire_layout::ports_max> rings_{};
    std::array<std::uint64_t, wire_layout::ports_max> read_{};
    unsigned next_sender_ = 0;
    unsigned batch_sender_ = 0;
    std::uint64_t batch_end_ = 0;
    std::uint64_t batch_first_ = 0;
    std::uint64_t batch_last_ = 0;
    std::uint32_t rung_ = 0;  ///< the doorbell when the wait was prepared
    std::vector<arrival> batch_;
};

}  // namespace softnic
