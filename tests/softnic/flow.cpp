// SPDX-License-Identifier: BSD-3-Clause
#include "nic.hpp"

#include <catch2/catch.hpp>

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <optional>
#include <random>

using namespace nic_test;

namespace {

/// A sender and any number of receivers with buffers.
struct bench {
    bench() : sender(nic), buffers(nic, 1 << 16) { sender.bring_to(IBV_QPS_RTS); }

    queue& receiver(queue_options options = {}) {
        queue& made = receivers.emplace_back(nic, options);
        made.bring_to(IBV_QPS_RTR);
        for (std::uint64_t id = 0; id < 32; ++id) REQUIRE(made.post_receive(id, {buffers.entry(32768, 4096)}) == 0);
        return made;
    }
    void send(const frame_options& wanted = {}) { send(udp_frame(wanted)); }
    void send(const bytes& frame) {
        std::copy(frame.begin(), frame.end(), buffers.data.begin());
        REQUIRE(sender.post_send(0, {buffers.entry(0, frame.size())}) == 0);
        REQUIRE(sender.completions(1).size() == 1);
    }
    /// True when the frame reaches the receiver, false when it does not.
    bool reaches(queue& receiver, const frame_options& wanted = {}) {
        send(wanted);
        return !receiver.completions(1, std::chrono::milliseconds(50)).empty();
    }

    device nic;
    queue sender;
    memory buffers;
    std::deque<queue> receivers;
};

int errno_of(const rule& wanted, const queue& receiver) {
    errno = 0;
    const auto flow = wanted.create(receiver);
    return flow ? 0 : errno;
}

}  // namespace

TEST_CASE("a queue pair without a rule receives nothing", "[flow]") {
    bench nic;
    CHECK_FALSE(nic.reaches(nic.receiver()));
}

TEST_CASE("a rule for a group and port takes their datagrams, and no others", "[flow]") {
    bench nic;
    queue& receiver = nic.receiver();
    const auto flow = group_rule("239.1.2.3", 5000).create(receiver);
    REQUIRE(flow);
    CHECK(nic.reaches(receiver));
    CHECK_FALSE(nic.reaches(receiver, {.destination_port = 5001}));
    CHECK_FALSE(nic.reaches(receiver, {.destination = "239.1.2.4"}));
    CHECK_FALSE(nic.reaches(receiver, {.destination = "239.129.2.3"}));  // the same MAC
}

TEST_CASE("a rule is its specifications, whatever size its attributes claim", "[flow]") {
    bench nic;
    queue& receiver = nic.receiver();
    for (const std::uint16_t size : {std::uint16_t{0}, std::uint16_t{sizeof(ibv_flow_attr)}, std::uint16_t{9999}}) {
        const auto flow = group_rule().claims(size).create(receiver);
        REQUIRE(flow);
        CHECK(nic.reaches(receiver));
    }
}

TEST_CASE("a datagram whose lengths cannot be true is steered by what it shows, without the flag of good checksums",
          "[flow]") {
    bench nic;
    queue& receiver = nic.receiver();
    const auto flow = group_rule().create(receiver);
    REQUIRE(flow);
    for (const int length : {0, 19, 1500, 65535}) {
        bytes frame = udp_frame();
        frame[16] = static_cast<std::byte>(length >> 8);
        frame[17] = static_cast<std::byte>(length & 0xff);
        nic.send(frame);
        const auto done = receiver.completions(1);
        REQUIRE(done.size() == 1);
        CHECK(done[0].byte_len == frame.size());
        CHECK((done[0].wc_flags & IBV_WC_IP_CSUM_OK) == 0);
    }
}

TEST_CASE("a rule with a source takes that source only", "[flow]") {
    bench nic;
    queue& receiver = nic.receiver();
    const auto flow =
        rule().ethernet(mac_of_group("239.1.2.3")).ipv4("192.0.2.1", "239.1.2.3").udp(5000, 4000).create(receiver);
    REQUIRE(flow);
    CHECK(nic.reaches(receiver));
    CHECK_FALSE(nic.reaches(receiver, {.source = "192.0.2.2"}));
    CHECK_FALSE(nic.reaches(receiver, {.source_port = 4001}));
}

TEST_CASE("a rule for IPv6 takes datagrams over IPv6", "[flow]") {
    bench nic;
    queue& receiver = nic.receiver();
    const auto flow = rule().ethernet(mac_of_group("ff3e::1234")).ipv6("ff3e::1234").udp(5000).create(receiver);
    REQUIRE(flow);
    CHECK(nic.reaches(receiver, {.source = "2001:db8::1", .destination = "ff3e::1234"}));
    CHECK_FALSE(nic.reaches(receiver, {.source = "2001:db8::1", .destination = "ff3e::1235"}));
    CHECK_FALSE(nic.reaches(receiver));
}

TEST_CASE("a rule with a VLAN takes frames with that tag only, and one without takes both", "[flow]") {
    bench nic;
    queue& tagged = nic.receiver();
    const auto flow = rule().ethernet(mac_of_group("239.1.2.3"), 5).ipv4("", "239.1.2.3").udp(5000).create(tagged);
    REQUIRE(flow);
    CHECK(nic.reaches(tagged, {.vlan = 5}));
    CHECK(nic.reaches(tagged, {.vlan = 0xe005}));  // the priority bits are not in the mask
    CHECK_FALSE(nic.reaches(tagged, {.vlan = 6}));
    CHECK_FALSE(nic.reaches(tagged));
    queue& any = nic.receiver();
    const auto plain = group_rule("239.1.2.3", 5001).create(any);
    CHECK(nic.reaches(any, {.destination_port = 5001, .vlan = 6}));
    CHECK(nic.reaches(any, {.destination_port = 5001}));
}

TEST_CASE("bits outside the mask do not matter", "[flow]") {
    bench nic;
    queue& receiver = nic.receiver();
    ibv_flow_spec_ipv4 network{};
    network.type = IBV_FLOW_SPEC_IPV4;
    network.size = sizeof network;
    network.val.dst_ip = htonl(0xef010299);
    network.mask.dst_ip = htonl(0xffffff00);
    const auto flow = rule().add(network).create(receiver);
    REQUIRE(flow);
    CHECK(nic.reaches(receiver, {.destination = "239.1.2.3"}));
    CHECK(nic.reaches(receiver, {.destination = "239.1.2.200"}));
    CHECK_FALSE(nic.reaches(receiver, {.destination = "239.1.3.3"}));
}

TEST_CASE("of rules that match, the one with the lower priority number gets the frame", "[flow]") {
    bench nic;
    queue& first = nic.receiver();
    queue& second = nic.receiver();
    const auto low = rule(group_rule()).priority(1).create(second);
    CHECK(nic.reaches(second));
    {
        const auto high = rule(group_rule()).priority(0).create(first);
        CHECK(nic.reaches(first));
        CHECK(second.stays_empty());
    }
    CHECK(nic.reaches(second));
}

TEST_CASE("a rule that does not trap lets the frame go on to rules of lower priority", "[flow]") {
    bench nic;
    queue& first = nic.receiver();
    queue& second = nic.receiver();
    const auto sees = rule(group_rule()).priority(0).flags(IBV_FLOW_ATTR_FLAGS_DONT_TRAP).create(first);
    const auto takes = rule(group_rule()).priority(1).create(second);
    REQUIRE(sees);
    REQUIRE(takes);
    nic.send();
    CHECK(first.completions(1).size() == 1);
    CHECK(second.completions(1).size() == 1);
}

TEST_CASE("equal rules of two queue pairs give each a copy", "[flow]") {
    bench nic;
    queue& first = nic.receiver();
    queue& second = nic.receiver();
    const auto one = group_rule().create(first);
    const auto other = group_rule().create(second);
    REQUIRE(other);
    nic.send();
    CHECK(first.completions(1).size() == 1);
    CHECK(second.completions(1).size() == 1);
}

TEST_CASE("equal rules of one queue pair give it one copy", "[flow]") {
    bench nic;
    queue& receiver = nic.receiver();
    const auto one = group_rule().create(receiver);
    const auto same = group_rule().create(receiver);
    REQUIRE(same);
    CHECK(nic.reaches(receiver));
    CHECK(receiver.stays_empty());
}

TEST_CASE("an equal rule with another tag is EEXIST", "[flow]") {
    bench nic;
    queue& first = nic.receiver();
    queue& second = nic.receiver();
    const auto tagged = rule(group_rule()).tag(7).create(first);
    REQUIRE(tagged);
    CHECK(errno_of(rule(group_rule()).tag(8), second) == EEXIST);
    CHECK(errno_of(rule(group_rule()).tag(7), second) == 0);
    CHECK(errno_of(rule(group_rule("239.1.2.3", 5001)).tag(8), second) == 0);
}

TEST_CASE("the tag of the rule is in the completion", "[flow]") {
    bench nic;
    queue& receiver = nic.receiver({.wc_flags = IBV_WC_EX_WITH_FLOW_TAG});
    const auto flow = rule(group_rule()).tag(0xabcde).create(receiver);
    REQUIRE(flow);
    nic.send();
    auto* cq = reinterpret_cast<ibv_cq_ex*>(receiver.cq.get());
    ibv_poll_cq_attr attributes{};
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    int error = ENOENT;
    while (error != 0 && std::chrono::steady_clock::now() < until) error = ibv_start_poll(cq, &attributes);
    REQUIRE(error == 0);
    CHECK(ibv_wc_read_flow_tag(cq) == 0xabcde);
    ibv_end_poll(cq);
}

TEST_CASE("a rule that drops takes frames away from rules of lower priority", "[flow]") {
    bench nic;
    queue& receiver = nic.receiver();
    const auto wants = rule(group_rule()).priority(1).create(receiver);
    const auto drops = rule(group_rule()).priority(0).drop().create(receiver);
    REQUIRE(drops);
    CHECK_FALSE(nic.reaches(receiver));
}

TEST_CASE("once a rule is destroyed, no frame comes by it", "[flow]") {
    bench nic;
    queue& receiver = nic.receiver();
    auto flow = group_rule().create(receiver);
    CHECK(nic.reaches(receiver));
    flow.reset();
    CHECK_FALSE(nic.reaches(receiver));
}

TEST_CASE("the default rule gets what no other rule took, and the multicast default the multicast of it", "[flow]") {
    bench nic;
    queue& specific = nic.receiver();
    queue& rest = nic.receiver();
    const auto group = group_rule().create(specific);
    const auto all = rule().type(IBV_FLOW_ATTR_ALL_DEFAULT).create(rest);
    REQUIRE(all);
    CHECK(nic.reaches(specific));
    CHECK(rest.stays_empty());
    CHECK(nic.reaches(rest, {.destination = "239.9.9.9"}));
    bytes unicast = udp_frame();
    unicast[0] = std::byte{2};
    queue& multicast = nic.receiver();
    const auto other = rule().type(IBV_FLOW_ATTR_MC_DEFAULT).create(multicast);
    REQUIRE(other);
    nic.send(unicast);
    CHECK(rest.completions(1).size() == 1);
    CHECK(multicast.stays_empty());
}

TEST_CASE("a sniffer gets a copy of everything", "[flow]") {
    bench nic;
    queue& specific = nic.receiver();
    queue& sniffer = nic.receiver();
    const auto group = group_rule().create(specific);
    const auto all = rule().type(IBV_FLOW_ATTR_SNIFFER).create(sniffer);
    REQUIRE(all);
    nic.send();
    CHECK(specific.completions(1).size() == 1);
    CHECK(sniffer.completions(1).size() == 1);
    CHECK(nic.reaches(sniffer, {.destination = "239.9.9.9"}));
}

TEST_CASE("frames of any bytes reach a sniffer as they were sent", "[flow]") {
    bench nic;
    queue& sniffer = nic.receiver();
    const auto everything = rule().type(IBV_FLOW_ATTR_SNIFFER).create(sniffer);
    REQUIRE(everything);
    // A rule that has the headers of each frame read.
    const auto flow = rule().ipv6("ff02::1").udp(5000).create(nic.receiver());
    REQUIRE(flow);
    std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same frames in each run
    const auto below = [&](std::size_t limit) { return random() % limit; };
    for (int i = 0; i < 3000; ++i) {
        bytes frame = udp_frame({.source = i % 3 == 0 ? "2001:db8::1" : "192.0.2.1",
                                 .destination = i % 3 == 0 ? "ff02::1" : "239.1.2.3",
                                 .payload = below(60),
                                 .vlan = i % 5 == 0 ? std::optional<std::uint16_t>(7) : std::nullopt});
        for (std::size_t changes = below(4); changes > 0; --changes) {
            frame[below(std::min<std::size_t>(frame.size(), 64))] = static_cast<std::byte>(random());
        }
        frame.resize(14 + below(frame.size() - 13));
        nic.send(frame);
        const auto done = sniffer.completions(1);
        REQUIRE(done.size() == 1);
        // A real network pads short frames.
        REQUIRE(done[0].byte_len == (on_hardware() ? std::max<std::size_t>(frame.size(), 60) : frame.size()));
        REQUIRE(std::equal(frame.begin(), frame.end(), nic.buffers.data.begin() + 32768));
        REQUIRE(sniffer.post_receive(done[0].wr_id, {nic.buffers.entry(32768, 4096)}) == 0);
    }
}

TEST_CASE("the port of a fragment is not there to be matched", "[flow]") {
    bench nic;
    queue& by_port = nic.receiver();
    const auto flow = group_rule().create(by_port);
    bytes fragment = udp_frame();
    fragment[20] = std::byte{0x20};  // more fragments
    nic.send(fragment);
    CHECK(by_port.stays_empty());
}

TEST_CASE("what a rule cannot mean is EINVAL", "[flow]") {
    bench nic;
    const queue& receiver = nic.receiver();
    CHECK(errno_of(rule(group_rule()).port(9), receiver) == EINVAL);
    CHECK(errno_of(rule(group_rule()).flags(1U << 20), receiver) == EINVAL);
    CHECK(errno_of(rule().type(IBV_FLOW_ATTR_SNIFFER).flags(IBV_FLOW_ATTR_FLAGS_DONT_TRAP), receiver) == EINVAL);
    ibv_flow_spec_eth not_ip{};
    not_ip.type = IBV_FLOW_SPEC_ETH;
    not_ip.size = sizeof not_ip;
    not_ip.val.ether_type = htons(0x0806);
    not_ip.mask.ether_type = 0xffff;
    CHECK(errno_of(rule().add(not_ip).ipv4("", "239.1.2.3"), receiver) == EINVAL);
    ibv_flow_spec_eth wrong_size = not_ip;
    wrong_size.size = 8;
    CHECK(errno_of(rule().add(wrong_size), receiver) == EINVAL);
}

TEST_CASE("flow counters count the frames and bytes that match, also those without a buffer", "[flow]") {
    bench nic;
    queue& receiver = nic.receiver();
    ibv_counters_init_attr initial{};
    const handle<ibv_counters> counters(ibv_create_counters(nic.nic.context.get(), &initial));
    REQUIRE(counters);
    ibv_counter_attach_attr frames{.counter_desc = IBV_COUNTER_PACKETS, .index = 1, .comp_mask = 0};
    ibv_counter_attach_attr all_bytes{.counter_desc = IBV_COUNTER_BYTES, .index = 0, .comp_mask = 0};
    REQUIRE(ibv_attach_counters_point_flow(counters.get(), &frames, nullptr) == 0);
    REQUIRE(ibv_attach_counters_point_flow(counters.get(), &all_bytes, nullptr) == 0);
    const auto flow = rule(group_rule()).count(counters.get()).create(receiver);
    REQUIRE(flow);
    CHECK(ibv_destroy_counters(counters.get()) == EBUSY);
    CHECK(ibv_attach_counters_point_flow(counters.get(), &frames, nullptr) == EBUSY);
    constexpr std::uint64_t number = 40;  // the receiver has 32 buffers
    for (std::uint64_t i = 0; i < number; ++i) nic.send();
    nic.send({.destination = "239.9.9.9"});
    CHECK(receiver.completions(number, std::chrono::milliseconds(300)).size() == 32);
    std::uint64_t values[2] = {};
    REQUIRE(ibv_read_counters(counters.get(), values, 2, 0) == 0);
    CHECK(values[1] == number);
    CHECK(values[0] == number * udp_frame().size());
}

TEST_CASE("many groups are told apart", "[flow]") {
    bench nic;
    queue& receiver = nic.receiver();
    queue& other = nic.receiver();
    std::vector<handle<ibv_flow>> flows;
    for (int i = 0; i < 500; ++i) {
        const std::string group = "239.5." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1);
        flows.push_back(group_rule(group).create(i % 2 == 0 ? receiver : other));
        REQUIRE(flows.back());
    }
    CHECK(nic.reaches(receiver, {.destination = "239.5.1.1"}));
    CHECK(nic.reaches(other, {.destination = "239.5.1.2"}));
    CHECK_FALSE(nic.reaches(receiver, {.destination = "239.5.2.1"}));
}
