// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/host_view.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace verbcast::tools {
namespace {

/// "16.0 GT/s PCIe" -> 16.
double leading_number(const std::optional<std::string>& text) { return text ? std::strtod(text->c_str(), nullptr) : 0; }

/// What a lane carries: 8 of 10 bits up to 5 GT/s, 128 of 130 above.
double lane_gigabytes(double gigatransfers) {
    constexpr double bits_of_byte = 8;
    return gigatransfers * (gigatransfers > 5 ? 128.0 / 130 : 0.8) / bits_of_byte;
}

/// The CPUs that the process may use which took the snapshot: hwloc's XML does not know of its affinity.
void restrict_to_affinity(topology& layout, const host_snapshot& raw) {
    const std::optional<std::string> status = raw.text("/proc/self/status");
    const std::optional<std::string> list = status ? field_of(*status, "Cpus_allowed_list") : std::nullopt;
    if (!list) return;
    layout.restrict_to(numbers_in(*list), numbers_in(raw.text("/sys/devices/system/cpu/isolated").value_or("")));
}

std::string read_whole(const std::string& file) {
    constexpr std::size_t bytes_max = std::size_t{256} << 20;
    std::ifstream in(file, std::ios::binary);
    if (!in) throw std::system_error(errno, std::generic_category(), file);
    std::string text;
    char part[65536];
    while (in.read(part, sizeof part), in.gcount() > 0) {
        text.append(part, static_cast<std::size_t>(in.gcount()));
        if (text.size() > bytes_max) throw std::runtime_error(file + ": larger than any bundle: 256 MiB");
    }
    return text;
}

/// Whether a process that tries lives. It is not kept longer than a minute of CPU time.
bool survives(const host_snapshot& snapshot) {
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child == 0) {
        const rlimit no_core{0, 0}, minute{60, 60};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::setrlimit(RLIMIT_CPU, &minute);
        // It dies unheard.
        ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);
        for (const int each : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) ::signal(each, SIG_DFL);
        try {
            view_of(snapshot);
        } catch (const std::exception&) {
            std::_Exit(0);  // said again, and told, by the parent
        }
        std::_Exit(0);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool has_core_0(const placement_report& proposed) {
    return std::find(proposed.cores.begin(), proposed.cores.end(), 0) != proposed.cores.end();
}

}  // namespace

const network_interface* host_view::find_interface(std::string_view name) const {
    const auto found =
        std::find_if(interfaces.begin(), interfaces.end(), [&](const auto& each) { return each.name == name; });
    return found == interfaces.end() ? nullptr : &*found;
}

const topology::nic* host_view::find_nic(const std::string& name) const {
    if (const topology::nic* found = layout.find_nic(name)) return found;
    if (const network_interface* interface = find_interface(name))
        for (const std::string& below : interface->below)
            if (below != name)
                if (const topology::nic* found = layout.find_nic(below)) return found;
    return nullptr;
}

pcie_link host_view::link_of(const topology::nic& nic) const {
    const std::string path = "/sys/bus/pci/devices/" + nic.pci_address;
    pcie_link link{.gigabytes_per_second = nic.link_gigabytes_per_second,
                   .width = static_cast<int>(leading_number(raw.text(path + "/current_link_width"))),
                   .width_max = static_cast<int>(leading_number(raw.text(path + "/max_link_width"))),
                   .gigatransfers = leading_number(raw.text(path + "/current_link_speed")),
                   .gigatransfers_max = leading_number(raw.text(path + "/max_link_speed"))};
    if (link.width > 0 && link.gigatransfers > 0)
        link.gigabytes_per_second = link.width * lane_gigabytes(link.gigatransfers);
    return link;
}

std::vector<interrupt> host_view::interrupts_of(const topology::nic& nic) const {
    std::vector<interrupt> found;
    for (const std::string& name : raw.names("/sys/bus/pci/devices/" + nic.pci_address + "/msi_irqs/")) {
        const std::string path = "/proc/irq/" + name;
        // The first says where it fires, the second where it may; it is empty for an interrupt nobody has asked for.
        std::optional<std::string> list = raw.text(path + "/effective_affinity_list");
        if (!list || list->empty()) list = raw.text(path + "/smp_affinity_list");
        if (list && !list->empty())
            found.push_back(
                {.number = static_cast<int>(std::strtol(name.c_str(), nullptr, 10)), .cpus = numbers_in(*list)});
    }
    std::sort(found.begin(), found.end(), [](const auto& one, const auto& other) { return one.number < other.number; });
    return found;
}

host_view view_of(host_snapshot snapshot) {
    host_view view{.raw = std::move(snapshot)};
    const std::optional<std::string> xml = view.raw.text(host_snapshot::hwloc_key);
    if (!xml) throw std::runtime_error("there is no topology in it: " + view.raw.why_not(host_snapshot::hwloc_key));
    view.layout = topology::from_xml(*xml);
    restrict_to_affinity(view.layout, view.raw);
    if (const std::optional<std::string> list = view.raw.text(host_snapshot::interfaces_key)) {
        try {
            view.interfaces = interfaces_from_json(json::parse(*list));
        } catch (const json::exception&) {
            throw std::runtime_error("its list of interfaces is damaged");
        }
    }
    return view;
}

std::vector<placement_report> propose_threads(const topology& host, std::size_t threads) {
    std::vector<placement_report> proposed;
    std::vector<int> taken;
    for (const topology::nic& each : host.nics) {
        const placement beside = placement::beside(each.netdev.empty() ? each.device : each.netdev);
        placement_report apart = place(beside, host, threads, taken);
        // To share a core with another NIC, which may be idle, is better than with the kernel's chores, which never
        // are.
        if (placement_report alone = place(beside, host, threads); has_core_0(apart) && !has_core_0(alone)) {
            taken.clear();
            apart = std::move(alone);
        }
        proposed.push_back(std::move(apart));
        taken.insert(taken.end(), proposed.back().cores.begin(), proposed.back().cores.end());
    }
    return proposed;
}

std::string command_for(const topology::nic& nic, const placement_report& proposed) {
    return fmt::format("verbcast recv GROUP --interface {} --threads {} --placement {}",
                       nic.netdev.empty() ? nic.device : nic.netdev, proposed.cores.size(),
                       fmt::join(proposed.cores, ","));
}

host_view view_of_file(const std::string& file) {
    const std::string text = read_whole(file);
    try {
        host_snapshot snapshot = host_snapshot::from_text(text);
        if (!survives(snapshot)) throw std::runtime_error("its topology is damaged: hwloc crashes over it");
        return view_of(std::move(snapshot));
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(fmt::format("{}: {}", file, error.what()));
    }
}

}  // namespace verbcast::tools
