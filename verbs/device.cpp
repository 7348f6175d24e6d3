// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/device.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include <net/if.h>

#include "verbs/os_error.hpp"
#include "verbs/verbs_error.hpp"

namespace verbcast::verbs {
namespace {

struct device_list {
    device_list() : devices(ibv_get_device_list(&count)) {
        if (devices == nullptr)
            throw os_error(errno, "ibv_get_device_list()", "no RDMA devices here (rdma link lists them)");
    }
    ~device_list() { ibv_free_device_list(devices); }
    device_list(const device_list&) = delete;
    device_list& operator=(const device_list&) = delete;

    int count = 0;
    ibv_device** devices;
};

/// A port of a device and an interface that belongs to it.
struct port_interface {
    std::uint8_t port;
    unsigned index;
};

void add(std::vector<port_interface>& to, port_interface found) {
    const auto same = [&](const port_interface& each) { return each.port == found.port && each.index == found.index; };
    if (found.index != 0 && std::none_of(to.begin(), to.end(), same)) to.push_back(found);
}

/// The GID table names the interface of each address, those of VLANs and bonds too.
void add_from_gids(ibv_context* context, const ibv_device_attr& attributes, std::vector<port_interface>& to) {
    std::size_t entries_max = 0;
    for (std::uint8_t port = 1; port <= attributes.phys_port_cnt; ++port) {
        ibv_port_attr of{};
        if (ibv_query_port(context, port, &of) == 0)
            entries_max += static_cast<std::size_t>(std::max(of.gid_tbl_len, 0));
    }
    std::vector<ibv_gid_entry> entries(entries_max);
    const ssize_t found = entries.empty() ? 0 : ibv_query_gid_table(context, entries.data(), entries.size(), 0);
    for (ssize_t i = 0; i < found; ++i) {
        const ibv_gid_entry& each = entries[static_cast<std::size_t>(i)];
        add(to, {static_cast<std::uint8_t>(each.port_num), each.ndev_ifindex});
    }
}

/// A host that uses raw queue pairs only may have no GIDs: the interfaces of its PCI device, by their port number
/// there.
void add_from_sysfs(const std::filesystem::path& device, std::vector<port_interface>& to) {
    std::error_code none;
    for (std::filesystem::directory_iterator each(device / "device" / "net", none), end; !none && each != end;
         each.increment(none)) {
        unsigned number = 0;
        std::ifstream(each->path() / "dev_port") >> number;
        add(to, {static_cast<std::uint8_t>(number + 1), ::if_nametoindex(each->path().filename().c_str())});
    }
}

std::vector<port_interface> interfaces_of(ibv_context* context) {
    std::vector<port_interface> found;
    ibv_device_attr attributes{};
    if (const int error = ibv_query_device(context, &attributes))
        throw_verbs_error(error, "ibv_query_device", ibv_get_device_name(context->device));
    add_from_gids(context, attributes, found);
    add_from_sysfs(context->device->ibdev_path, found);
    return found;
}

std::string names_of(const std::vector<port_interface>& all) {
    std::string names;
    for (const port_interface& each : all) names += (names.empty() ? "" : ", ") + interface_name(each.index);
    return names.empty() ? "no interface" : names;
}

capabilities read_capabilities(ibv_context* context, const std::string& name) {
    ibv_device_attr_ex all{};
    if (const int error = ibv_query_device_ex(context, nullptr, &all))
        throw_verbs_error(error, "ibv_query_device_ex", name);
    return {.receives_max = static_cast<std::uint32_t>(all.orig_attr.max_qp_wr),
            .completions_max = static_cast<std::uint32_t>(all.orig_attr.max_cqe),
            .region_bytes_max = all.orig_attr.max_mr_size,
            .raw_queue_pairs_max = static_cast<std::uint32_t>(all.orig_attr.max_raw_ethy_qp),
            .checks_checksums = (all.raw_packet_caps & IBV_RAW_PACKET_CAP_IP_CSUM) != 0 ||
                                (all.device_cap_flags_ex & IBV_DEVICE_RAW_IP_CSUM) != 0,
            .timestamps = all.completion_timestamp_mask != 0,
            .completion_vectors = context->num_comp_vectors};
}

[[noreturn]] void throw_no_device(const std::string& where, const host_interface& wanted, const std::string& present) {
    std::string advice = "RDMA devices here are " + (present.empty() ? "none" : present);
    if (!wanted.bonded.empty()) {
        advice += "; " + wanted.name + " is a bond without a device of its own: name one of its interfaces,";
        for (const std::string& each : wanted.bonded) advice += " " + each;
    }
    throw os_error(ENODEV, "looking for the RDMA device of " + where, advice);
}

}  // namespace

device::device(const std::string& where) {
    const device_list list;
    const auto named = [&](const ibv_device* each) {
        return where == ibv_get_device_name(const_cast<ibv_device*>(each));
    };
    const bool by_device = std::any_of(list.devices, list.devices + list.count, named);
    if (!by_device) interface_ = find_host_interface(where);
    const unsigned parent = interface_.parent.empty() ? 0 : ::if_nametoindex(interface_.parent.c_str());
    std::string present;
    std::pair<int, std::string> refusal;  // of a device that may be another one: only if there is none that will do
    for (int i = 0; i < list.count; ++i) {
        if (by_device && !named(list.devices[i])) continue;
        const std::string name = ibv_get_device_name(list.devices[i]);
        device_context opened(ibv_open_device(list.devices[i]));
        if (!opened) {
            refusal = {errno, name};
            continue;
        }
        const std::vector<port_interface> all = interfaces_of(opened.get());
        const auto wanted = [&](const port_interface& each) {
            return by_device || each.index == interface_.index || (parent != 0 && each.index == parent);
        };
        const auto found = std::find_if(all.begin(), all.end(), wanted);
        present += (present.empty() ? "" : "; ") + name + " with " + names_of(all);
        if (found == all.end()) continue;
        context_ = std::move(opened);
        name_ = name;
        port_ = found->port;
        if (by_device) interface_ = find_host_interface(interface_name(found->index));
        capabilities_ = read_capabilities(context_.get(), name_);
        return;
    }
    if (refusal.first != 0) throw_verbs_error(refusal.first, "ibv_open_device", refusal.second);
    throw_no_device(where, interface_, present);
}

protection_domain device::make_domain() const {
    protection_domain made(ibv_alloc_pd(get()));
    if (!made) throw_verbs_error(errno, "ibv_alloc_pd", name_);
    return made;
}

std::string device::port_name() const { return name_ + " port " + std::to_string(port_); }

std::string device::sysfs_path() const { return context_->device->ibdev_path; }

bool device::is_kernels() const { return sysfs_path().rfind("/sys/", 0) == 0; }

ibv_port_attr device::port_attributes() const {
    ibv_port_attr attributes{};
    if (const int error = ibv_query_port(get(), port(), &attributes))
        throw_verbs_error(error, "ibv_query_port", port_name());
    return attributes;
}

std::size_t device::active_mtu_bytes() const {
    return std::size_t{128} << port_attributes().active_mtu;  // IBV_MTU_256 is 1
}

std::optional<unsigned> device::numa_node() const {
    int node = -1;
    std::ifstream(sysfs_path() + "/device/numa_node") >> node;
    return node < 0 ? std::nullopt : std::optional<unsigned>(static_cast<unsigned>(node));
}

}  // namespace verbcast::verbs
