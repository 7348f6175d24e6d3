// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <infiniband/verbs.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// Verbs for tests: objects that destroy themselves, frames, rules. Works on the software NIC and on hardware.
namespace nic_test {

using bytes = std::vector<std::byte>;

/// Ends the process when destroying fails: a test that left something in use has to be seen.
struct destroy {
    void operator()(ibv_context* each) const noexcept;
    void operator()(ibv_pd* each) const noexcept;
    void operator()(ibv_mr* each) const noexcept;
    void operator()(ibv_comp_channel* each) const noexcept;
    void operator()(ibv_cq* each) const noexcept;
    void operator()(ibv_qp* each) const noexcept;
    void operator()(ibv_flow* each) const noexcept;
    void operator()(ibv_counters* each) const noexcept;
};
template <class T>
using handle = std::unique_ptr<T, destroy>;

/// The device that VERBCAST_CONFORMANCE_DEVICE names, or the software NIC on a wire of this process alone.
bool on_hardware();
/// Whether that device has datagram queue pairs only (VERBCAST_CONFORMANCE_DATAGRAMS is set): the rules that any queue
/// pair keeps are then tried with one of those.
bool on_datagrams();
/// With a name: that device of this process.
handle<ibv_context> open_device(const std::string& name = {});

struct device {
    explicit device(const std::string& name = {}) : context(open_device(name)) {}

    handle<ibv_context> context;
    handle<ibv_pd> domain{ibv_alloc_pd(context.get())};
};

struct memory {
    memory(device& nic, std::size_t size, int access = IBV_ACCESS_LOCAL_WRITE);
    ibv_sge entry(std::size_t offset, std::size_t length) const;

    bytes data;
    handle<ibv_mr> region;
};

struct queue_options {
    int completions = 256;
    std::uint32_t requests = 64;
    std::uint32_t entries = 4;
    std::uint32_t inline_bytes = 0;
    bool signal_all = false;
    bool events = false;
    std::uint32_t create_flags = 0;
    std::uint64_t send_operations = 0;
    std::uint64_t wc_flags = 0;  ///< not 0: an extended completion queue
    std::uint32_t cq_flags = 0;
};

/// A queue pair with one completion queue for both directions.
struct queue {
    explicit queue(device& owner, queue_options wanted = {});

    /// Takes the queue pair through the states up to this one.
    void bring_to(ibv_qp_state state) const;
    int modify(ibv_qp_state state, int mask = IBV_QP_STATE) const;
    ibv_qp_state state() const;

    int post_receive(std::uint64_t id, std::vector<ibv_sge> entries) const;
    /// Posts `number` requests of `length` bytes each, with ids from 0.
    void post_receives(const memory& buffers, std::uint64_t number, std::size_t length) const;
    int post_send(std::uint64_t id, std::vector<ibv_sge> entries, unsigned flags = IBV_SEND_SIGNALED) const;

    /// Completions as they come, until there are that many or the time is over.
    std::vector<ibv_wc> completions(std::size_t wanted,
                                    std::chrono::milliseconds limit = std::chrono::seconds(5)) const;
    /// True when none comes for a while in which one would have.
    bool stays_empty() const;

    device& nic;
    const queue_options options;
    handle<ibv_comp_channel> channel;
    handle<ibv_cq> cq;
    handle<ibv_qp> pair;
};

struct frame_options {
    std::string source = "192.0.2.1";
    std::string destination = "239.1.2.3";
    std::uint16_t source_port = 4000;
    std::uint16_t destination_port = 5000;
    std::size_t payload = 100;
    std::uint8_t fill = 0xa5;
    std::optional<std::uint16_t> vlan = std::nullopt;
    bool checksums = true;
};

/// A UDP datagram over IPv4 or IPv6 in an Ethernet frame, to the multicast address's MAC where it has one.
bytes udp_frame(const frame_options& wanted = {});

/// A rule being put together; `create` gives it to the device.
class rule {
public:
    rule& ethernet(const bytes& destination_mac, std::optional<std::uint16_t> vlan = {});
    rule& ipv4(const std::string& source, const std::string& destination);
    rule& ipv6(const std::string& destination);
    rule& udp(std::uint16_t destination_port, std::uint16_t source_port = 0);
    rule& tag(std::uint32_t id);
    rule& drop();
    rule& count(ibv_counters* counters);
    rule& priority(std::uint16_t value);
    rule& type(ibv_flow_attr_type value);
    rule& flags(std::uint32_t value);
    rule& port(std::uint8_t value);
    /// The size that the attributes say they have; the true one otherwise.
    rule& claims(std::uint16_t size);
    /// A specification as it stands.
    template <class Spec>
    rule& add(const Spec& spec) {
        const auto* at = reinterpret_cast<const std::byte*>(&spec);
        specifications_.insert(specifications_.end(), at, at + spec.size);
        ++head_.num_of_specs;
        return *this;
    }

    handle<ibv_flow> create(const queue& receiver) const;

private:
    ibv_flow_attr head_{.comp_mask = 0,
                        .type = IBV_FLOW_ATTR_NORMAL,
                        .size = 0,
                        .priority = 0,
                        .num_of_specs = 0,
                        .port = 1,
                        .flags = 0};
    bytes specifications_;
    std::optional<std::uint16_t> claimed_;
};

/// The rule for one multicast group and port, as a receiver would make it.
rule group_rule(const std::string& group = "239.1.2.3", std::uint16_t port = 5000);

bytes mac_of_group(const std::string& group);

}  // namespace nic_test
