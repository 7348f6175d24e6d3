// SPDX-License-Identifier: BSD-3-Clause
#include "device_files.hpp"

#include "device.hpp"

#include <fcntl.h>

#include <array>
#include <charconv>
#include <fstream>
#include <system_error>

namespace softnic {
namespace {

namespace fs = std::filesystem;

/// Counters of hardware NICs under the names that mlx5 gives them, and the software NIC's own.
constexpr std::array counter_names{"hw_counters/out_of_buffer",   "hw_counters/rx_no_rule",
                                   "hw_counters/rx_cable_lost",   "hw_counters/rx_length_errors",
                                   "hw_counters/rx_queue_errors", "counters/port_rcv_packets",
                                   "counters/port_xmit_packets"};

std::string hexadecimal(const std::uint8_t* bytes, std::size_t number, std::size_t group) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < number; ++i) {
        if (i != 0 && i % group == 0) text += ':';
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

}  // namespace

device_files::device_files(const fs::path& runtime, const device& described)
    : device_path_(runtime / "infiniband" / described.name()),
      verbs_path_(runtime / "infiniband_verbs" / ("uverbs" + std::to_string(described.index()))) {
    if (device_path_.native().size() >= IBV_SYSFS_PATH_MAX || verbs_path_.native().size() >= IBV_SYSFS_PATH_MAX) {
        throw std::system_error(ENAMETOOLONG, std::generic_category(), device_path_.native());
    }
    const __be64 guid_number = described.guid();
    const std::string guid = hexadecimal(reinterpret_cast<const std::uint8_t*>(&guid_number), 8, 2);
    fs::create_directories(verbs_path_);
    std::ofstream(verbs_path_ / "ibdev") << described.name() << '\n';
    std::ofstream(verbs_path_ / "abi_version") << "1\n";
    write("node_type", "1: CA");
    write("node_guid", guid);
    write("sys_image_guid", guid);
    write("node_desc", "verbcast software NIC");
    write("fw_ver", "softnic");
    write("hw_rev", "0");
    write("hca_type", "softnic");
    write("board_id", "VERBCAST_SOFTNIC");
    write("device/numa_node", "-1");
    write_interface(described);
    write_port(described);
    for (const char* name : counter_names) {
        const fs::path relative = fs::path("ports/1") / name;
        write(relative, "0");
        descriptor file(::open((device_path_ / relative).c_str(), O_WRONLY | O_CLOEXEC));
        if (!file) throw std::system_error(errno, std::generic_category(), relative.native());
        counters_.push_back({name, std::move(file), 0});
    }
}

void device_files::write(const fs::path& relative, const std::string& text) {
    const fs::path path = device_path_ / relative;
    fs::create_directories(path.parent_path());
    std::ofstream file(path);
    file << text << '\n';
    if (!file.flush()) throw std::system_error(errno, std::generic_category(), path.native());
}

void device_files::write_interface(const device& described) {
    const netdev seen = described.interface();
    const fs::path folder = fs::path("device/net") / described.settings().interface;
    write(folder / "dev_port", "0");
    write(folder / "dev_id", "0x0");
    write(folder / "ifindex", std::to_string(seen.index));
    write(folder / "address", hexadecimal(seen.mac.data(), seen.mac.size(), 1));
}

void device_files::write_port(const device& described) {
    const fs::path folder = "ports/1";
    show_state(described);
    write(folder / "link_layer", "Ethernet");
    write(folder / "rate", "100 Gb/sec (4X EDR)");
    write(folder / "lid", "0x0");
    write(folder / "sm_lid", "0x0");
    write(folder / "cap_mask", "0x04000000");
    write(folder / "pkeys/0", "0xffff");
    const netdev seen = described.interface();
    for (std::size_t i = 0; i < seen.gids.size(); ++i) {
        const std::string index = std::to_string(i);
        write(folder / "gids" / index, hexadecimal(seen.gids[i].raw, 16, 2));
        write(folder / "gid_attrs/types" / index, "RoCE v2");
        write(folder / "gid_attrs/ndevs" / index, described.settings().interface);
    }
}

void device_files::show_state(const device& described) noexcept {
    ibv_port_attr attributes{};
    described.query_port(limits::port, attributes);
    const bool up = attributes.state == IBV_PORT_ACTIVE;
    try {
        write("ports/1/state", up ? "4: ACTIVE" : "1: DOWN");
        write("ports/1/phys_state", up ? "5: LinkUp" : "3: Disabled");
    } catch (const std::exception&) {
        // The folder is gone, or the disk is full: who reads the files sees the old state, and the event tells the
        // truth.
    }
}

bool device_files::show(std::string_view name, std::uint64_t value) noexcept {
    for (counter_file& each : counters_) {
        if (each.name != name) continue;
        if (each.shown == value) return false;
        each.shown = value;
        std::array<char, 24> text;
        char* end = std::to_chars(text.begin(), text.end() - 1, value).ptr;
        *end++ = '\n';
        // Numbers only grow, so nothing of the old one is left behind the new one.
        [[maybe_unused]] const ssize_t written =
            ::pwrite(each.file.get(), text.data(), static_cast<std::size_t>(end - text.data()), 0);
        return true;
    }
    return false;
}

bool device_files::update_counters(const port& counted) noexcept {
    queue_account queues(0);
    counted.add_accounts_to(queues);
    bool changed = show("hw_counters/out_of_buffer", queues.no_buffer);
    changed |= show("hw_counters/rx_no_rule", counted.account().lost_no_rule.load(std::memory_order_relaxed));
    changed |= show("hw_counters/rx_cable_lost", counted.cable_lost());
    changed |= show("hw_counters/rx_length_errors", queues.length_error);
    changed |= show("hw_counters/rx_queue_errors", queues.protection_error + queues.overrun + queues.not_receiving);
    changed |= show("counters/port_rcv_packets", counted.account().offered.load(std::memory_order_relaxed));
    changed |= show("counters/port_xmit_packets", counted.account().sent.load(std::memory_order_relaxed));
    return changed;
}

}  // namespace softnic
