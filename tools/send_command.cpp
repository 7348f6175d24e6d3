// SPDX-License-Identifier: BSD-3-Clause
#include <memory>
#include <utility>

#include "commands.hpp"
#include "option_values.hpp"
#include "send_session.hpp"

namespace verbcast::tools {
namespace {

constexpr std::uint64_t packet_bytes_max = 65507;  // of UDP over IPv4

option_section heap_shape_options(send_options& target) {
    return {
        "What is sent",
        {
            {.name = "--heap-size",
             .value = "BYTES",
             .help = "Data in each heap (default 1MiB). The first heap of each group has descriptors besides.",
             .set = into_bytes(target.heap_bytes, 1, std::uint64_t{1} << 40)},
            {.name = "--packet",
             .value = "BYTES",
             .help =
                 "UDP payload of a packet, SPEAD header included (default 1472, or 1448 with IPv6, which fit "
                 "Ethernet's 1500; 8968 with "
                 "jumbo frames of 9000). Packets are multiples of 8 bytes, so 9172 sends 9168. Larger costs less of "
                 "both hosts.",
             .set = into_bytes(target.packet_bytes, packet_bytes_min, packet_bytes_max)},
            {.name = "--flavour",
             .value = "64-XX",
             .help = "SPEAD-64-8 to SPEAD-64-56: bits of a heap address (default 64-48). Fewer bits hold smaller "
                     "heaps, and "
                     "cnts wrap sooner.",
             .set = [&target](const std::string& text) { target.kind = flavour::parse(text); }},
            {.name = "--interleave",
             .value = "N",
             .help =
                 "Heaps that are sent at the same time, a packet of each in turn (default 1). A receiver needs as many "
                 "--max-heaps. Each costs a heap's memory.",
             .set = into_count(target.interleave, 1, 1 << 16)},
            {.name = "--verify",
             .help = "Data that recv --verify can check, byte for byte; without it each heap has the same. A good part "
                     "of a "
                     "core at 20 Gb/s.",
             .set = into_flag(target.verify)},
        },
    };
}

option_section pace_options(send_options& target) {
    return {
        "How fast, and how long",
        {
            {.name = "--rate",
             .value = "GBPS",
             .help = "Gb/s of UDP payload, all groups together (default 1); 0 is as fast as this host can. After a "
                     "delay the "
                     "rate is exceeded to catch up, for at most 10 ms of traffic.",
             .set = [&target](const std::string& text) { target.gbps = parse_number(text, 0, 10'000); }},
            {.name = "--burst",
             .value = "BYTES",
             .help =
                 "How much leaves at a time (default 200 us of traffic, 1MiB at most). Less is smoother and costs more "
                 "system calls; never less than a packet.",
             .set = into_bytes(target.burst_bytes, 1, 1 << 26)},
            {.name = "--heaps",
             .value = "N",
             .help = "End after N heaps. Without this and --seconds: on Ctrl-C.",
             .set = into_count(target.heaps, 1)},
            {.name = "--seconds",
             .value = "S",
             .help = "Begin no heap after S seconds.",
             .set = into_seconds(target.time)},
            {.name = "--no-stop",
             .help = "Do not send the heap that tells receivers that the stream ends.",
             .set = into_flag(target.stop, false)},
            {.name = "--stop-heaps",
             .value = "N",
             .help = "How often it is sent to each group, 100 ms apart (default 1). It can be lost like any packet; "
                     "receivers ignore what follows the first.",
             .set = into_count(target.stop_heaps, 1, 100)},
        },
    };
}

option_section way_options(send_options& target) {
    return {
        "Which way",
        {
            {.name = "--interface",
             .value = "IF",
             .help =
                 "Send through this network interface; also the name of an RDMA device that owns one, or an address of "
                 "this host. Multicast to receivers on this host needs it: lo.",
             .set = into_text(target.interface)},
            {.name = "--source",
             .value = "ADDRESS",
             .help = "Send from this address of this host: what source-specific receivers ask for.",
             .set = into_text(target.source)},
            {.name = "--ttl",
             .value = "N",
             .help = "Networks that multicast may cross: 1 (default) is this one, each router takes one off.",
             .set = into_count(target.hops, 0, 255)},
            {.name = "--transport",
             .value = "udp|raw",
             .help = "udp is sockets of the kernel; raw is a queue of the NIC, past the kernel: multicast only, needs "
                     "--interface and CAP_NET_RAW.",
             .set = into_choice<transport, transport>(target.how, {{"udp", transport::udp}, {"raw", transport::raw}})},
            {.name = "--no-gso",
             .help = "Hand packets to the kernel one by one. A fifth of the rate at 1472 bytes; for interfaces whose "
                     "segmentation is broken.",
             .set = into_flag(target.gso, false)},
        },
    };
}

constexpr const char* description =
    "Sends SPEAD heaps to UDP multicast groups or unicast addresses: to try a network, a receiver, a machine. GROUP is "
    "[SOURCE@]ADDRESS:PORT as for recv, an IPv6 address in brackets; SOURCE is the address to send from. Several "
    "groups get "
    "heaps in turn. Each heap has its data as one item and its position in the stream as another; the first heap of "
    "each "
    "group has a stream start and descriptors, so that any SPEAD receiver can read it.";

constexpr const char* epilogue =
    R"(Examples:
  verbcast send 239.1.1.1:7148 --interface lo --verify --rate 5 --packet 8192 --seconds 10
      to `verbcast recv 239.1.1.1:7148 --interface lo --verify` on the same host
  verbcast send 239.2.1.150:7148 --interface eth0 --rate 40 --packet 8972 --heap-size 4MiB
      load for a 40 Gb/s network with jumbo frames, until Ctrl-C
  verbcast send 239.2.1.150:7148 239.2.1.151:7148 --interface eth0 --interleave 2 --heaps 1000 --json
      two groups at once; the last line counts packets and heaps

Exit codes:
  0  all was sent, or a signal ended it
  1  cannot send
  2  usage
)";

}  // namespace

command send_command() {
    const auto options = std::make_shared<send_options>();
    const auto set_groups = [options](const std::vector<std::string>& texts) { options->groups = texts; };
    option_section output{"What is shown",
                          {{.name = "--json",
                            .help = "Rates and the final counts as JSON, one object a line.",
                            .set = into_flag(options->json)}}};
    return {
        .name = "send",
        .summary = "Send heaps to multicast groups.",
        .description = description,
        .positionals =
            {{.name = "GROUP", .help = "Where to send: [SOURCE@]ADDRESS:PORT.", .set = set_groups, .several = true}},
        .sections = {heap_shape_options(*options), pace_options(*options), way_options(*options), std::move(output)},
        .epilogue = epilogue,
        .run = [options] { return send_session(*options).run(); },
    };
}

}  // namespace verbcast::tools
