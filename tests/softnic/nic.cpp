// SPDX-License-Identifier: BSD-3-Clause
#include "nic.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace nic_test {
namespace {

void must_be_zero(int error, const char* call) noexcept {
    if (error == 0) return;
    std::fprintf(stderr, "%s: %s\n", call, std::strerror(error));
    std::abort();
}

template <class T>
handle<T> made(T* object, const char* call) {
    if (object == nullptr) throw std::system_error(errno, std::generic_category(), call);
    return handle<T>(object);
}

void append16(bytes& to, std::uint16_t value) {
    to.push_back(static_cast<std::byte>(value >> 8));
    to.push_back(static_cast<std::byte>(value & 0xff));
}

void append(bytes& to, const void* from, std::size_t size) {
    const auto* at = static_cast<const std::byte*>(from);
    to.insert(to.end(), at, at + size);
}

struct address {
    int family;
    std::array<std::uint8_t, 16> raw{};
    std::size_t size() const { return family == AF_INET ? 4 : 16; }
};

address parse(const std::string& text) {
    address result{text.find(':') == std::string::npos ? AF_INET : AF_INET6};
    if (::inet_pton(result.family, text.c_str(), result.raw.data()) != 1) throw std::invalid_argument(text);
    return result;
}

/// The plain definition of the checksum, on purpose not the one under test.
std::uint16_t checksum(const bytes& data) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < data.size(); ++i)
        sum += std::to_integer<std::uint32_t>(data[i]) << (i % 2 == 0 ? 8 : 0);
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

bytes udp_datagram(const frame_options& wanted, const address& source, const address& destination) {
    bytes datagram;
    append16(datagram, wanted.source_port);
    append16(datagram, wanted.destination_port);
    append16(datagram, static_cast<std::uint16_t>(8 + wanted.payload));
    append16(datagram, 0);
    datagram.resize(8 + wanted.payload, std::byte{wanted.fill});
    if (!wanted.checksums) return datagram;
    bytes summed;
    append(summed, source.raw.data(), source.size());
    append(summed, destination.raw.data(), destination.size());
    append16(summed, IPPROTO_UDP);
    append16(summed, static_cast<std::uint16_t>(datagram.size()));
    append(summed, datagram.data(), datagram.size());
    const std::uint16_t sum = checksum(summed);
    datagram[6] = static_cast<std::byte>(sum >> 8);
    datagram[7] = static_cast<std::byte>(sum & 0xff);
    return datagram;
}

bytes ip_header(const frame_options& wanted, const address& source, const address& destination, std::size_t payload) {
    bytes header;
    if (source.family == AF_INET6) {
        header.assign({std::byte{0x60}, std::byte{0}, std::byte{0}, std::byte{0}});
        append16(header, static_cast<std::uint16_t>(payload));
        header.push_back(std::byte{IPPROTO_UDP});
        header.push_back(std::byte{1});
    } else {
        header.assign({std::byte{0x45}, std::byte{0}});
        append16(header, static_cast<std::uint16_t>(20 + payload));
        append16(header, 7);
        append16(header, 0x4000);
        header.push_back(std::byte{1});
        header.push_back(std::byte{IPPROTO_UDP});
        append16(header, 0);
    }
    append(header, source.raw.data(), source.size());
    append(header, destination.raw.data(), destination.size());
    if (source.family == AF_INET && wanted.checksums) {
        const std::uint16_t sum = checksum(header);
        header[10] = static_cast<std::byte>(sum >> 8);
        header[11] = static_cast<std::byte>(sum & 0xff);
    }
    return header;
}

/// What a datagram queue pair needs besides, on its way there.
int datagram_attributes(ibv_qp_state state) {
    if (state == IBV_QPS_INIT) return IBV_QP_PKEY_INDEX | IBV_QP_QKEY;
    return state == IBV_QPS_RTS ? IBV_QP_SQ_PSN : 0;
}

}  // namespace

void destroy::operator()(ibv_context* each) const noexcept { must_be_zero(ibv_close_device(each), "ibv_close_device"); }
void destroy::operator()(ibv_pd* each) const noexcept { must_be_zero(ibv_dealloc_pd(each), "ibv_dealloc_pd"); }
void destroy::operator()(ibv_mr* each) const noexcept { must_be_zero(ibv_dereg_mr(each), "ibv_dereg_mr"); }
void destroy::operator()(ibv_comp_channel* each) const noexcept {
    must_be_zero(ibv_destroy_comp_channel(each), "ibv_destroy_comp_channel");
}
void destroy::operator()(ibv_cq* each) const noexcept { must_be_zero(ibv_destroy_cq(each), "ibv_destroy_cq"); }
void destroy::operator()(ibv_qp* each) const noexcept { must_be_zero(ibv_destroy_qp(each), "ibv_destroy_qp"); }
void destroy::operator()(ibv_flow* each) const noexcept { must_be_zero(ibv_destroy_flow(each), "ibv_destroy_flow"); }
void destroy::operator()(ibv_counters* each) const noexcept {
    must_be_zero(ibv_destroy_counters(each), "ibv_destroy_counters");
}

bool on_hardware() { return std::getenv("VERBCAST_CONFORMANCE_DEVICE") != nullptr; }

bool on_datagrams() { return std::getenv("VERBCAST_CONFORMANCE_DATAGRAMS") != nullptr; }

handle<ibv_context> open_device(const std::string& name) {
    const char* hardware = std::getenv("VERBCAST_CONFORMANCE_DEVICE");
    if (hardware == nullptr) {
        // A wire of its own, so that tests can run beside one another; what a test has set stays.
        ::setenv("VERBCAST_SOFTNIC_DEVICES", ("softnic0=wire:test-" + std::to_string(::getpid())).c_str(), 0);
    }
    const std::string wanted = hardware != nullptr ? hardware : name;
    int number = 0;
    ibv_device** list = ibv_get_device_list(&number);
    if (list == nullptr) throw std::system_error(errno, std::generic_category(), "ibv_get_device_list");
    handle<ibv_context> opened;
    for (int i = 0; i < number && !opened; ++i) {
        if (wanted.empty() || wanted == ibv_get_device_name(list[i])) opened.reset(ibv_open_device(list[i]));
    }
    ibv_free_device_list(list);
    if (!opened) throw std::runtime_error("cannot open the device " + wanted + ", of " + std::to_string(number));
    return opened;
}

memory::memory(device& nic, std::size_t size, int access)
    : data(size), region(made(ibv_reg_mr(nic.domain.get(), data.data(), size, access), "ibv_reg_mr")) {}

ibv_sge memory::entry(std::size_t offset, std::size_t length) const {
    return {.addr = reinterpret_cast<std::uintptr_t>(data.data()) + offset,
            .length = static_cast<std::uint32_t>(length),
            .lkey = region->lkey};
}

queue::queue(device& owner, queue_options wanted) : nic(owner), options(wanted) {
    ibv_context* context = nic.context.get();
    if (options.events) channel = made(ibv_create_comp_channel(context), "ibv_create_comp_channel");
    if (options.wc_flags != 0 || options.cq_flags != 0) {
        ibv_cq_init_attr_ex initial{};
        initial.cqe = static_cast<std::uint32_t>(options.completions);
        initial.channel = channel.get();
        initial.wc_flags = options.wc_flags;
        initial.comp_mask = options.cq_flags != 0 ? std::uint32_t{IBV_CQ_INIT_ATTR_MASK_FLAGS} : 0U;
        initial.flags = options.cq_flags;
        ibv_cq_ex* extended = ibv_create_cq_ex(context, &initial);
        cq = made(extended == nullptr ? nullptr : ibv_cq_ex_to_cq(extended), "ibv_create_cq_ex");
    } else {
        cq = made(ibv_create_cq(context, options.completions, this, channel.get(), 0), "ibv_create_cq");
    }
    ibv_qp_init_attr_ex initial{};
    initial.send_cq = initial.recv_cq = cq.get();
    initial.cap = {options.requests, options.requests, options.entries, options.entries, options.inline_bytes};
    initial.qp_type = on_datagrams() ? IBV_QPT_UD : IBV_QPT_RAW_PACKET;
    initial.sq_sig_all = options.signal_all ? 1 : 0;
    initial.comp_mask = IBV_QP_INIT_ATTR_PD;
    initial.pd = nic.domain.get();
    if (options.create_flags != 0) initial.comp_mask |= IBV_QP_INIT_ATTR_CREATE_FLAGS;
    initial.create_flags = options.create_flags;
    if (options.send_operations != 0) initial.comp_mask |= IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
    initial.send_ops_flags = options.send_operations;
    pair = made(ibv_create_qp_ex(context, &initial), "ibv_create_qp_ex");
}

int queue::modify(ibv_qp_state state, int mask) const {
    ibv_qp_attr attributes{};
    attributes.qp_state = state;
    attributes.port_num = 1;
    if (on_datagrams()) mask |= datagram_attributes(state);
    return ibv_modify_qp(pair.get(), &attributes, mask);
}

void queue::bring_to(ibv_qp_state state) const {
    for (const ibv_qp_state next : {IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS}) {
        const int mask = next == IBV_QPS_INIT ? IBV_QP_STATE | IBV_QP_PORT : static_cast<int>(IBV_QP_STATE);
        if (const int error = modify(next, mask); error != 0) {
            throw std::system_error(error, std::generic_category(), "ibv_modify_qp");
        }
        if (next == state) return;
    }
}

ibv_qp_state queue::state() const {
    ibv_qp_attr attributes{};
    ibv_qp_init_attr initial{};
    if (const int error = ibv_query_qp(pair.get(), &attributes, IBV_QP_STATE, &initial); error != 0) {
        throw std::system_error(error, std::generic_category(), "ibv_query_qp");
    }
    return attributes.qp_state;
}

int queue::post_receive(std::uint64_t id, std::vector<ibv_sge> entries) const {
    ibv_recv_wr request{};
    request.wr_id = id;
    request.sg_list = entries.data();
    request.num_sge = static_cast<int>(entries.size());
    ibv_recv_wr* bad = nullptr;
    return ibv_post_recv(pair.get(), &request, &bad);
}

void queue::post_receives(const memory& buffers, std::uint64_t number, std::size_t length) const {
    for (std::uint64_t i = 0; i < number; ++i) {
        if (const int error = post_receive(i, {buffers.entry(i * length, length)}); error != 0) {
            throw std::system_error(error, std::generic_category(), "ibv_post_recv");
        }
    }
}

int queue::post_send(std::uint64_t id, std::vector<ibv_sge> entries, unsigned flags) const {
    ibv_send_wr request{};
    request.wr_id = id;
    request.sg_list = entries.data();
    request.num_sge = static_cast<int>(entries.size());
    request.opcode = IBV_WR_SEND;
    request.send_flags = flags;
    ibv_send_wr* bad = nullptr;
    return ibv_post_send(pair.get(), &request, &bad);
}

std::vector<ibv_wc> queue::completions(std::size_t wanted, std::chrono::milliseconds limit) const {
    std::vector<ibv_wc> done;
    const auto until = std::chrono::steady_clock::now() + limit;
    while (done.size() < wanted && std::chrono::steady_clock::now() < until) {
        ibv_wc entry{};
        const int polled = ibv_poll_cq(cq.get(), 1, &entry);
        if (polled < 0) throw std::runtime_error("ibv_poll_cq");
        if (polled == 1) done.push_back(entry);
    }
    return done;
}

bool queue::stays_empty() const { return completions(1, std::chrono::milliseconds(50)).empty(); }

bytes mac_of_group(const std::string& group) {
    const address parsed = parse(group);
    const std::uint8_t* raw = parsed.raw.data();
    bytes mac;
    if (parsed.family == AF_INET) {
        mac = {std::byte{1},      std::byte{0},     std::byte{0x5e}, std::byte(raw[1] & 0x7f),
               std::byte{raw[2]}, std::byte{raw[3]}};
    } else {
        mac = {std::byte{0x33},    std::byte{0x33},    std::byte{raw[12]},
               std::byte{raw[13]}, std::byte{raw[14]}, std::byte{raw[15]}};
    }
    return mac;
}

bytes udp_frame(const frame_options& wanted) {
    const address source = parse(wanted.source);
    const address destination = parse(wanted.destination);
    bytes frame = mac_of_group(wanted.destination);
    append(frame, "\x02\0\0\0\0\x01", 6);
    if (wanted.vlan) {
        append16(frame, 0x8100);
        append16(frame, *wanted.vlan);
    }
    append16(frame, source.family == AF_INET ? 0x0800 : 0x86dd);
    const bytes datagram = udp_datagram(wanted, source, destination);
    const bytes header = ip_header(wanted, source, destination, datagram.size());
    frame.insert(frame.end(), header.begin(), header.end());
    frame.insert(frame.end(), datagram.begin(), datagram.end());
    return frame;
}

// --- rules ---

rule& rule::ethernet(const bytes& destination_mac, std::optional<std::uint16_t> vlan) {
    ibv_flow_spec_eth spec{};
    spec.type = IBV_FLOW_SPEC_ETH;
    spec.size = sizeof spec;
    std::memcpy(spec.val.dst_mac, destination_mac.data(), 6);
    std::memset(spec.mask.dst_mac, 0xff, 6);
    if (vlan) {
        spec.val.vlan_tag = htons(*vlan);
        spec.mask.vlan_tag = htons(0x0fff);
    }
    return add(spec);
}

rule& rule::ipv4(const std::string& source, const std::string& destination) {
    ibv_flow_spec_ipv4 spec{};
    spec.type = IBV_FLOW_SPEC_IPV4;
    spec.size = sizeof spec;
    if (!source.empty()) {
        std::memcpy(&spec.val.src_ip, parse(source).raw.data(), 4);
        spec.mask.src_ip = ~0U;
    }
    if (!destination.empty()) {
        std::memcpy(&spec.val.dst_ip, parse(destination).raw.data(), 4);
        spec.mask.dst_ip = ~0U;
    }
    return add(spec);
}

rule& rule::ipv6(const std::string& destination) {
    ibv_flow_spec_ipv6 spec{};
    spec.type = IBV_FLOW_SPEC_IPV6;
    spec.size = sizeof spec;
    std::memcpy(spec.val.dst_ip, parse(destination).raw.data(), 16);
    std::memset(spec.mask.dst_ip, 0xff, 16);
    return add(spec);
}

rule& rule::udp(std::uint16_t destination_port, std::uint16_t source_port) {
    ibv_flow_spec_tcp_udp spec{};
    spec.type = IBV_FLOW_SPEC_UDP;
    spec.size = sizeof spec;
    spec.val.dst_port = htons(destination_port);
    spec.mask.dst_port = 0xffff;
    if (source_port != 0) {
        spec.val.src_port = htons(source_port);
        spec.mask.src_port = 0xffff;
    }
    return add(spec);
}

rule& rule::tag(std::uint32_t id) {
    return add(ibv_flow_spec_action_tag{IBV_FLOW_SPEC_ACTION_TAG, sizeof(ibv_flow_spec_action_tag), id});
}
rule& rule::drop() {
    return add(ibv_flow_spec_action_drop{IBV_FLOW_SPEC_ACTION_DROP, sizeof(ibv_flow_spec_action_drop)});
}
rule& rule::count(ibv_counters* counters) {
    return add(
        ibv_flow_spec_counter_action{IBV_FLOW_SPEC_ACTION_COUNT, sizeof(ibv_flow_spec_counter_action), counters});
}
rule& rule::priority(std::uint16_t value) {
    head_.priority = value;
    return *this;
}
rule& rule::type(ibv_flow_attr_type value) {
    head_.type = value;
    return *this;
}
rule& rule::flags(std::uint32_t value) {
    head_.flags = value;
    return *this;
}
rule& rule::port(std::uint8_t value) {
    head_.port = value;
    return *this;
}

rule& rule::claims(std::uint16_t size) {
    claimed_ = size;
    return *this;
}

handle<ibv_flow> rule::create(const queue& receiver) const {
    ibv_flow_attr head = head_;
    head.size = claimed_.value_or(static_cast<std::uint16_t>(sizeof head + specifications_.size()));
    bytes whole(sizeof head);
    std::memcpy(whole.data(), &head, sizeof head);
    append(whole, specifications_.data(), specifications_.size());
    return handle<ibv_flow>(ibv_create_flow(receiver.pair.get(), reinterpret_cast<ibv_flow_attr*>(whole.data())));
}

rule group_rule(const std::string& group, std::uint16_t port) {
    return rule().ethernet(mac_of_group(group)).ipv4("", group).udp(port);
}

}  // namespace nic_test
