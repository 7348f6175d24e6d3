// SPDX-License-Identifier: BSD-3-Clause
#include <memory>
#include <utility>

#include <unistd.h>

#include "commands.hpp"
#include "option_values.hpp"
#include "recv_session.hpp"
#include "stream_options.hpp"

namespace verbcast::tools {
namespace {

void set_placement(placement& target, const std::string& text) {
    if (text == "auto")
        target.how = placement::mode::automatic;
    else if (text == "none")
        target.how = placement::mode::none;
    else
        target = placement::on(parse_cores(text, static_cast<int>(::sysconf(_SC_NPROCESSORS_CONF))));
}

option_section where_options(recv_options& target) {
    return {
        "Where packets come from",
        {
            {.name = "--interface",
             .value = "IF",
             .help =
                 "Join multicast groups on this network interface; also the name of an RDMA device that owns one "
                 "(mlx5_0), or an address of this host. Without it the kernel's routes decide, which is seldom what "
                 "you want on a host with several networks.",
             .set = into_text(target.interface),
             .field = "interface"},
            {.name = "--reader",
             .value = "auto|udp|ibv",
             .help =
                 "How packets are received: udp is sockets of the kernel, ibv a queue of the NIC, past the kernel, "
                 "which "
                 "needs CAP_NET_RAW and locked memory. auto (default) takes ibv where it can be had, and says why not.",
             .set = into_choice<reader_wish, reader_wish>(
                 target.reader,
                 {{"auto", reader_wish::automatic}, {"udp", reader_wish::udp}, {"ibv", reader_wish::ibv}})},
            {.name = "--buffer",
             .value = "BYTES",
             .help = "What may arrive while no thread has time: the receive buffer of each socket (default 32MiB; the "
                     "kernel "
                     "grants what net.core.rmem_max says, and you are told when that is less), or of the NIC's queue "
                     "(default "
                     "64MiB of locked memory).",
             .set =
                 [&target](const std::string& text) {
                     target.readers.udp.buffer_bytes = target.readers.ibv.buffer_bytes =
                         parse_bytes(text, 1, std::uint64_t{1} << 40);
                 },
             .field = "buffer_bytes"},
            {.name = "--no-gro",
             .help =
                 "Do not let the kernel join datagrams. A third of the rate at 1472 bytes, but an exact count of what "
                 "the kernel lost.",
             .set = into_flag(target.readers.udp.gro, false)},
            {.name = "--threads",
             .value = "N",
             .help = "Threads that receive (default 1). One stream uses one at a time; more helps when it shares them.",
             .set = into_count(target.threads.threads, 1, 1024),
             .field = "threads"},
            {.name = "--placement",
             .value = "auto|none|CORES",
             .help =
                 "Where these threads run and memory lies: auto is beside the NIC of --interface; CORES, such as 2 or "
                 "0,2-3, are for the threads in turn; none (default) is where the kernel likes. See verbcast topo.",
             .set = [&target](const std::string& text) { set_placement(target.threads.place, text); },
             .field = "cores"},
        },
    };
}

option_section queue_options(ibv_reader_config& target) {
    return {
        "The NIC's queue",
        {
            {.name = "--transport",
             .value = "raw|ud",
             .help = "What the queue receives: raw (default) is what sockets send, ud the datagrams of RoCE v2 that UD "
                     "queue "
                     "pairs send, through soft-RoCE too. The port of a GROUP then tells nothing.",
             .set = into_choice<ibv_reader_config::queue_transport, ibv_reader_config::queue_transport>(
                 target.transport,
                 {{"raw", ibv_reader_config::queue_transport::raw}, {"ud", ibv_reader_config::queue_transport::ud}}),
             .field = "transport"},
            {.name = "--queue-key",
             .value = "N",
             .help = "With --transport ud: the queue key of the senders (default 0x11111111).",
             .set = into_count(target.queue_key, 0, 0xffffffff),
             .field = "queue_key"},
            {.name = "--packet-max",
             .value = "BYTES",
             .help = "The largest packet (default 9200; with --transport ud what the network carries). Each frame in "
                     "the buffer takes as much, so that with small "
                     "packets "
                     "a smaller one makes more of it.",
             .set = into_bytes(target.packet_bytes_max, 1),
             .field = "packet_bytes_max"},
            {.name = "--vlan",
             .value = "ID",
             .help =
                 "Packets with this VLAN tag only; sockets cannot choose by it. Without it that of the interface, or "
                 "whatever tag they have.",
             .set = into_count(target.vlan, 1, 4094),
             .field = "vlan"},
            {.name = "--polling",
             .help =
                 "Look at the queue all the time rather than wait for the NIC's interrupt: the lowest latency, and a "
                 "core that is always busy.",
             .set = into_flag(target.polling)},
            {.name = "--completion-vector",
             .value = "N",
             .help = "Which of the NIC's interrupts wakes the receiver (default 0).",
             .set = into_count(target.completion_vector, 0, 4095),
             .field = "completion_vector"},
            {.name = "--poll-rounds",
             .value = "N",
             .help =
                 "Looks at the queue before other work of the thread has its turn (default 16), up to 64 packets each.",
             .set = into_count(target.poll_rounds_max, 1, 1 << 20),
             .field = "poll_rounds_max"},
            {.name = "--steering-priority",
             .value = "N",
             .help = "Priority of the NIC's rules (default 0, the first).",
             .set = into_count(target.steering_priority, 0, 65535),
             .field = "steering_priority"},
        },
    };
}

option_section ring_options(recv_options& target) {
    return {
        "Heaps on their way to you",
        {
            {.name = "--ring",
             .value = "N",
             .help = "Complete heaps that may wait (default 16): how long saving or checking may stall. Each costs a "
                     "heap's "
                     "memory.",
             .set = into_count(target.ring.heaps, 1, 1 << 20),
             .field = "heaps"},
            {.name = "--when-full",
             .value = "wait|drop-newest|drop-oldest",
             .help = "When that many wait: wait (default), while the kernel's buffer takes what comes; or drop the "
                     "newest or "
                     "the oldest heap, which is counted. Dropping is better when heaps are taken too slowly for long: "
                     "whole heaps are lost, rather than packets of all of them.",
             .set = into_choice<std::optional<full_policy>, full_policy>(target.ring.when_full,
                                                                         {{"wait", full_policy::wait},
                                                                          {"drop-newest", full_policy::drop_newest},
                                                                          {"drop-oldest", full_policy::drop_oldest}}),
             .field = "when_full"},
            {.name = "--incomplete",
             .help = "Take incomplete heaps too, rather than drop them.",
             .set = [&target](const std::string&) { target.ring.incomplete = incomplete_policy::deliver; }},
            {.name = "--heap-age",
             .value = "SECONDS",
             .help = "Give up a heap for which no packet came for so long. Without it only newer heaps push it out.",
             .set = into_seconds(target.heap_age),
             .field = "heap_age_max"},
            {.name = "--idle-after",
             .value = "SECONDS",
             .help = "Report a group from which nothing came for so long.",
             .set = into_seconds(target.idle_after),
             .field = "idle_after"},
        },
    };
}

option_section end_options(recv_options& target) {
    return {
        "When it ends (besides a stop item, Ctrl-C and SIGTERM)",
        {
            {.name = "--heaps", .value = "N", .help = "After N heaps.", .set = into_count(target.heaps, 1)},
            {.name = "--seconds",
             .value = "S",
             .help = "After S seconds, counted from when all groups are joined.",
             .set = into_seconds(target.time)},
        },
    };
}

option_section result_options(recv_options& target) {
    return {
        "What is done with heaps",
        {
            {.name = "--verify",
             .help =
                 "Check each byte against what send --verify writes; exit code 1 when one is wrong. A good part of a "
                 "core at 10 Gb/s.",
             .set = into_flag(target.verify)},
            {.name = "--save",
             .value = "DIR",
             .help = "Write each heap to DIR/heap-CNT/0xID.bin, and a line of JSON about it to DIR/heaps.jsonl. DIR "
                     "must be "
                     "new or empty. Disks are slower than networks: watch the ring.",
             .set = into_text(target.save)},
            {.name = "--fail-on-loss",
             .help =
                 "Exit code 1 when anything was lost: by the kernel or the NIC, from the ring, of a heap, or rejected "
                 "other than as repeated. A heap that was under way when reception began counts too.",
             .set = into_flag(target.fail_on_loss)},
            {.name = "--json",
             .help =
                 "Events as JSON, one object a line: ready when all groups are joined, rate each second, event, and "
                 "final with the whole account.",
             .set = into_flag(target.json)},
        },
    };
}

constexpr const char* description = "Receives SPEAD heaps from UDP multicast groups (or unicast ports of this host), "
                                    "shows the rate each second, and says at "
                                    "the end where every packet went. GROUP is [SOURCE@]ADDRESS:PORT, an IPv6 address "
                                    "in brackets; with SOURCE only what "
                                    "that host sends is received.";

constexpr const char* epilogue =
    R"(Examples:
  verbcast recv 239.2.1.150:7148 --interface eth0
      rates and losses until the sender stops, or Ctrl-C
  verbcast recv 239.2.1.150:7148 239.2.1.151:7148 --interface eth0 --save run17 --heaps 100
      a hundred heaps of two groups as files
  verbcast recv 10.0.0.7@232.1.1.1:7148 --interface eth0 --json --fail-on-loss --seconds 60
      a source-specific group, watched by a program
  verbcast recv 239.1.1.1:7148 --interface lo --verify &
  verbcast send 239.1.1.1:7148 --interface lo --verify --seconds 10
      both ends on one host, every byte checked

Exit codes:
  0  ended by a stop item, by --heaps or --seconds, or by a signal
  1  cannot receive; a wrong byte under --verify; a loss under --fail-on-loss; a disk that is full under --save
  2  usage
)";

}  // namespace

command recv_command() {
    const auto options = std::make_shared<recv_options>();
    options->threads.name = "verbcast-recv";
    // A heap may be one packet: a ring that drops loses many of those before the thread that takes them has woken. The
    // kernel's buffer is as large for small heaps as for large ones.
    options->ring.when_full = full_policy::wait;
    const auto set_groups = [options](const std::vector<std::string>& texts) { options->groups = texts; };
    return {
        .name = "recv",
        .summary = "Receive heaps from multicast groups.",
        .description = description,
        .positionals =
            {{.name = "GROUP", .help = "What to receive: [SOURCE@]ADDRESS:PORT.", .set = set_groups, .several = true}},
        .sections = {where_options(*options), queue_options(options->readers.ibv), heap_options(options->ring),
                     ring_options(*options), end_options(*options), result_options(*options)},
        .epilogue = epilogue,
        .run = [options] { return recv_session(*options).run(); },
    };
}

}  // namespace verbcast::tools
