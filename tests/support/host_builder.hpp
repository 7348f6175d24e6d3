// SPDX-License-Identifier: BSD-3-Clause
/// Hosts that nobody has at hand, as hwloc's XML.
#pragma once

#include <string>
#include <vector>

namespace verbcast::test {

/// CPUs and nodes are numbered in the order in which they are added; the threads of a core follow one another.
class host_builder {
public:
    /// As hwloc of that major version writes it: 2 or 3.
    explicit host_builder(int version = 2) : version_(version) {}

    /// With a node of its own.
    host_builder& package(int cores, int threads_of_core);
    /// Sub-NUMA clusters, or NPS4.
    host_builder& package_of_nodes(int nodes, int cores_of_node);
    /// More memory of the last package's node: high-bandwidth, or CXL.
    host_builder& second_memory(unsigned gigabytes);
    /// In front of the memory of the last package's last node.
    host_builder& memory_side_cache();
    host_builder& memory_only_node(int number);
    /// At the last package; either name may be empty.
    host_builder& nic(const std::string& netdev, const std::string& device);
    /// At the node of that place in the last package.
    host_builder& nic_at_node(int node, const std::string& netdev, const std::string& device);
    host_builder& nic_at_machine(const std::string& netdev);
    host_builder& allow(const std::vector<int>& cpus);

    std::string xml() const;

private:
    struct cluster {
        int cores = 0;
        int threads_of_core = 1;
        bool cached = false;
        unsigned second_gigabytes = 0;
        std::string devices = {};
    };
    struct socket {
        std::vector<cluster> nodes;
        std::string devices = {};
    };

    std::string devices(const std::string& netdev, const std::string& device);

    int version_;
    int buses_ = 0;
    std::vector<socket> packages_;
    std::vector<int> memory_only_nodes_;
    std::vector<int> allowed_;
    std::string machine_devices_;
};

/// Two sockets as hwloc 1 wrote them, an InfiniBand NIC on the second.
extern const char* const hwloc_1_xml;

}  // namespace verbcast::test
