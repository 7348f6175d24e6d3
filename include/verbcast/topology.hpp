// SPDX-License-Identifier: BSD-3-Clause
/// A host as a receiver sees it: which CPUs share a core, a cache and a memory, and which NIC is near which of them.
///
/// Plain values: read once, then nobody's but the caller's. Numbers of CPUs and NUMA nodes are the kernel's, as in
/// /proc and on the command line; packages, cores and caches are indices into what is listed here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <verbcast/api.hpp>

namespace verbcast {

struct topology {
    /// What the kernel calls a CPU: a core, or one of a core's threads (SMT).
    struct cpu {
        int number = 0;
        std::size_t core = 0;           ///< CPUs of the same core are SMT siblings
        std::size_t cache = 0;          ///< index into `caches`: those of one share the last level
        std::size_t package = 0;        ///< index into `packages`
        std::optional<int> node = {};   ///< of the memory that is local to it
        std::optional<int> speed = {};  ///< where cores differ: the higher, the faster
        bool isolated = false;          ///< the kernel puts nothing there by itself (isolcpus)
        bool allowed = true;            ///< this process may run there: cpuset, cgroup, affinity
    };
    struct package {
        int number = 0;
        std::string model = {};
    };
    struct cache {
        std::uint64_t bytes = 0;  ///< 0: not known
    };
    struct memory_node {
        int number = 0;
        std::uint64_t bytes = 0;
        std::vector<int> cpus = {};  ///< to which no memory of its kind is nearer
        bool allowed = true;         ///< this process may have memory there
    };
    /// How well it is known where a NIC is attached.
    enum class locality : std::uint8_t {
        node,     ///< to one node's CPUs
        machine,  ///< "somewhere": the firmware does not say, and there are several nodes
        unknown,  ///< to several nodes but not all, or it is no device of this machine's buses
    };
    struct nic {
        std::string netdev = {};       ///< network interface; empty for an RDMA device without one
        std::string device = {};       ///< RDMA device on the same PCI function; empty when there is none
        std::string pci_address = {};  ///< "0000:81:00.0"; empty when it is not on PCI
        std::string model = {};
        double link_gigabytes_per_second = 0;  ///< of its PCIe link, one way; 0: not known
        locality where = locality::unknown;
        std::optional<int> node = {};  ///< where `where` is node
        std::vector<int> cpus = {};    ///< none is nearer; all when that is not known
    };

    std::string host = {};
    std::vector<cpu> cpus = {};  ///< by number
    std::vector<package> packages = {};
    std::vector<cache> caches = {};
    std::vector<memory_node> nodes = {};
    std::vector<nic> nics = {};  ///< by PCI address

    /// Null when there is none of that number or name; a NIC by its interface or RDMA device.
    VERBCAST_API const cpu* find_cpu(int number) const noexcept;
    VERBCAST_API const nic* find_nic(std::string_view name) const noexcept;

    /// Marks what a process with this affinity may use, and which CPUs are isolated. Those are in nobody's affinity
    /// from the start: where nothing else is missing from it, nobody has meant to forbid them.
    VERBCAST_API void restrict_to(const std::vector<int>& affinity, const std::vector<int>& isolated);

    /// Reads this host, in 10 to 100 ms. `allowed` is what the calling thread may use. Throws std::system_error.
    VERBCAST_API static topology of_this_host();
    /// Reads XML that hwloc (1, 2 or 3) wrote on any host. Throws std::runtime_error when it is none. Damaged XML can
    /// crash hwloc: a program that reads what strangers give it does so in a process of its own first.
    VERBCAST_API static topology from_xml(std::string_view xml);
};

/// This host as hwloc's XML, for from_xml() elsewhere. Throws std::system_error.
VERBCAST_API std::string topology_xml_of_this_host();

}  // namespace verbcast
