// SPDX-License-Identifier: BSD-3-Clause
#include "device.hpp"

#include "library.hpp"
#include "limits.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>

namespace softnic {
namespace {

constexpr std::chrono::milliseconds publish_interval{10};
constexpr std::chrono::milliseconds truth_interval{200};
constexpr std::uint32_t vendor_id = 0x020000;  // locally administered: nobody's

ibv_mtu mtu_of(std::size_t bytes) noexcept {
    if (bytes >= 4096) return IBV_MTU_4096;
    if (bytes >= 2048) return IBV_MTU_2048;
    if (bytes >= 1024) return IBV_MTU_1024;
    return bytes >= 512 ? IBV_MTU_512 : IBV_MTU_256;
}

std::uint64_t hash_of(std::string_view text) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return hash;
}

}  // namespace

device::device(const device_configuration& configuration, int index, const runtime_folder& runtime,
               const fault_script& faults)
    : configuration_(configuration), index_(index),
      port_(configuration, faults,
            {.counters_changed = [this] { return publish_counters(); }, .event = [this](auto type) { raise(type); }}) {
    const std::array<std::uint8_t, 8> identifier = interface_identifier(mac());
    std::memcpy(&guid_, identifier.data(), sizeof guid_);
    files_ = std::make_unique<device_files>(runtime.path(), *this);
    ibv_device& seen = block_.seen;
    seen.node_type = IBV_NODE_CA;
    seen.transport_type = IBV_TRANSPORT_IB;
    configuration_.name.copy(seen.name, sizeof seen.name - 1);
    ("uverbs" + std::to_string(index)).copy(seen.dev_name, sizeof seen.dev_name - 1);
    files_->verbs_path().native().copy(seen.dev_path, sizeof seen.dev_path - 1);
    files_->device_path().native().copy(seen.ibdev_path, sizeof seen.ibdev_path - 1);
    block_.owner = this;
}

std::array<std::uint8_t, 6> device::mac() const {
    if (configuration_.cable == cable_kind::netdev) return interface().mac;
    const std::uint64_t hash = hash_of(configuration_.name);
    std::array<std::uint8_t, 6> mac;
    std::memcpy(mac.data(), &hash, mac.size());
    mac[0] = static_cast<std::uint8_t>((mac[0] & 0xfc) | 0x02);  // unicast, locally administered
    return mac;
}

void device::query(ibv_device_attr_ex& attributes) const noexcept {
    attributes = {};
    ibv_device_attr& basic = attributes.orig_attr;
    std::strcpy(basic.fw_ver, "softnic");
    basic.node_guid = basic.sys_image_guid = guid_;
    basic.max_mr_size = ~std::uint64_t{0};
    basic.page_size_cap = ~std::uint64_t{0xfff};
    basic.vendor_id = vendor_id;
    basic.vendor_part_id = 1;
    basic.max_qp = limits::queue_pairs_max;
    basic.max_qp_wr = limits::requests_max;
    basic.device_cap_flags = IBV_DEVICE_RAW_IP_CSUM | IBV_DEVICE_MANAGED_FLOW_STEERING | IBV_DEVICE_PORT_ACTIVE_EVENT |
                             IBV_DEVICE_SYS_IMAGE_GUID | IBV_DEVICE_CURR_QP_STATE_MOD;
    basic.max_sge = limits::entries_max;
    basic.max_cq = limits::completion_queues_max;
    basic.max_cqe = limits::completions_max;
    basic.max_mr = limits::regions_max;
    basic.max_pd = limits::domains_max;
    basic.max_raw_ethy_qp = limits::queue_pairs_max;
    basic.max_pkeys = 1;
    basic.phys_port_cnt = 1;
    attributes.phys_port_cnt_ex = 1;
    attributes.completion_timestamp_mask = ~std::uint64_t{0};
    attributes.hca_core_clock = 1'000'000;  // kHz: the clock counts nanoseconds
    attributes.device_cap_flags_ex = basic.device_cap_flags;
    attributes.raw_packet_caps = IBV_RAW_PACKET_CAP_CVLAN_STRIPPING | IBV_RAW_PACKET_CAP_IP_CSUM;
    attributes.tso_caps = {limits::segmentation_bytes_max, 1U << IBV_QPT_RAW_PACKET};
}

int device::query_port(std::uint8_t number, ibv_port_attr& attributes) const {
    if (number != limits::port) return EINVAL;
    const netdev seen = interface();
    const bool wire = configuration_.cable == cable_kind::wire;
    attributes = {};
    const bool up = (wire || seen.up) && port_.up();
    attributes.state = up ? IBV_PORT_ACTIVE : IBV_PORT_DOWN;
    attributes.phys_state = up ? 5 : 3;  // LinkUp, Disabled
    attributes.max_mtu = IBV_MTU_4096;
    attributes.active_mtu = wire ? IBV_MTU_4096 : mtu_of(seen.mtu_bytes);
    attributes.gid_tbl_len = static_cast<int>(std::max<std::size_t>(seen.gids.size(), 1));
    attributes.port_cap_flags = IBV_PORT_IP_BASED_GIDS;
    attributes.max_msg_sz = 1U << 30;
    attributes.pkey_tbl_len = 1;
    attributes.max_vl_num = 1;
    attributes.active_width = 2;   // 4X
    attributes.active_speed = 32;  // EDR: 100 Gb/s in all
    attributes.link_layer = IBV_LINK_LAYER_ETHERNET;
    return 0;
}

void device::opened(device_context& by) {
    const std::scoped_lock lock(contexts_mutex_);
    contexts_.push_back(&by);
}

void device::closed(device_context& by) noexcept {
    {
        const std::scoped_lock lock(contexts_mutex_);
        std::erase(contexts_, &by);
    }
    library::instance().write_truth();
}

void device::raise(ibv_event_type type) {
    if (type == IBV_EVENT_DEVICE_FATAL) gone_.store(true, std::memory_order_release);
    if (type == IBV_EVENT_PORT_ERR || type == IBV_EVENT_PORT_ACTIVE) files_->show_state(*this);
    ibv_async_event event{};
    event.event_type = type;
    event.element.port_num = limits::port;
    const std::scoped_lock lock(contexts_mutex_);
    for (device_context* each : contexts_) each->async_events.push(event);
}

bool device::publish_counters() {
    const auto now = std::chrono::steady_clock::now();
    if (now - published_ < publish_interval) return false;
    published_ = now;
    truth_is_old_ = files_->update_counters(port_) || truth_is_old_;
    if (truth_is_old_ && now - truth_written_ >= truth_interval) {
        library::instance().write_truth();
        truth_written_ = now;
        truth_is_old_ = false;
    }
    return !truth_is_old_;
}

void device::shut_down() noexcept {
    port_.shut_down();
    files_.reset();
}

}  // namespace softnic
