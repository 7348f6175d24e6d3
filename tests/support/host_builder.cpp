// SPDX-License-Identifier: BSD-3-Clause
#include "host_builder.hpp"

#include <cstdint>

#include <fmt/format.h>

namespace verbcast::test {
namespace {

/// A set of numbers as hwloc writes it: words of 32 bits, the highest first.
class number_set {
public:
    void add(int number) {
        const auto word = static_cast<std::size_t>(number) / 32;
        if (words_.size() <= word) words_.resize(word + 1);
        words_[word] |= 1U << (static_cast<unsigned>(number) % 32);
    }
    void add(const number_set& others) {
        if (words_.size() < others.words_.size()) words_.resize(others.words_.size());
        for (std::size_t i = 0; i < others.words_.size(); ++i) words_[i] |= others.words_[i];
    }
    std::string text() const {
        if (words_.empty()) return "0x0";
        std::string text;
        for (auto each = words_.rbegin(); each != words_.rend(); ++each)
            text += fmt::format("{}0x{:08x}", text.empty() ? "" : ",", *each);
        return text;
    }

private:
    std::vector<std::uint32_t> words_;
};

struct sets {
    number_set cpus, nodes;

    void add(const sets& others) {
        cpus.add(others.cpus);
        nodes.add(others.nodes);
    }
    std::string text() const {
        return fmt::format(R"(cpuset="{0}" complete_cpuset="{0}" nodeset="{1}" complete_nodeset="{1}")", cpus.text(),
                           nodes.text());
    }
};

/// Numbers what is written.
struct writer {
    int cpu = 0;
    int core = 0;
    int memory = 0;
    int package = 0;
    int id = 1;

    std::string object(const std::string& type, const std::string& attributes, const std::string& inside) {
        return fmt::format("<object type=\"{0}\" gp_index=\"{1}\" id=\"obj{1}\" {2}>{3}</object>\n", type, id++,
                           attributes, inside);
    }
    std::string memory_object(const sets& all, int number, unsigned gigabytes) {
        sets own;
        own.cpus = all.cpus;
        own.nodes.add(number);
        return object(
            "NUMANode",
            fmt::format(R"(os_index="{}" {} local_memory="{}")", number, own.text(), std::uint64_t{gigabytes} << 30),
            "");
    }
};

}  // namespace

host_builder& host_builder::package(int cores, int threads_of_core) {
    packages_.push_back({.nodes = {{.cores = cores, .threads_of_core = threads_of_core}}, .devices = {}});
    return *this;
}

host_builder& host_builder::package_of_nodes(int nodes, int cores_of_node) {
    packages_.push_back(
        {.nodes = std::vector<cluster>(static_cast<std::size_t>(nodes), {.cores = cores_of_node}), .devices = {}});
    return *this;
}

host_builder& host_builder::second_memory(unsigned gigabytes) {
    packages_.back().nodes.back().second_gigabytes = gigabytes;
    return *this;
}

host_builder& host_builder::memory_side_cache() {
    packages_.back().nodes.back().cached = true;
    return *this;
}

host_builder& host_builder::memory_only_node(int number) {
    memory_only_nodes_.push_back(number);
    return *this;
}

std::string host_builder::devices(const std::string& netdev, const std::string& device) {
    const int bus = 0x81 + buses_++;
    std::string functions;
    const int id = 1000 + 10 * bus;
    const auto os_device = [&](const std::string& name, int type, int at) {
        return name.empty()
                   ? std::string()
                   : fmt::format(
                         "<object type=\"OSDev\" gp_index=\"{0}\" id=\"obj{0}\" name=\"{1}\" osdev_type=\"{2}\"/>\n",
                         id + at, name, type);
    };
    const bool bits = version_ >= 3;
    functions += os_device(netdev, bits ? 16 : 2, 2);
    functions += os_device(device, bits ? 48 : 3, 3);
    return fmt::format("<object type=\"Bridge\" gp_index=\"{0}\" id=\"obj{0}\" bridge_type=\"0-1\" depth=\"0\" "
                       "bridge_pci=\"0000:[{2:02x}-{2:02x}]\">\n<object type=\"PCIDev\" gp_index=\"{1}\" id=\"obj{1}\" "
                       "pci_busid=\"0000:{2:02x}:00.0\" pci_type=\"0200 [15b3:101d] [15b3:0001] 00\" "
                       "pci_link_speed=\"15.750000\">\n<info name=\"PCIVendor\" value=\"Mellanox Technologies\"/>\n"
                       "<info name=\"PCIDevice\" value=\"ConnectX-6 Dx\"/>\n{3}</object></object>\n",
                       id, id + 1, bus, functions);
}

host_builder& host_builder::nic(const std::string& netdev, const std::string& device) {
    packages_.back().devices += devices(netdev, device);
    return *this;
}

host_builder& host_builder::nic_at_node(int node, const std::string& netdev, const std::string& device) {
    packages_.back().nodes.at(static_cast<std::size_t>(node)).devices += devices(netdev, device);
    return *this;
}

host_builder& host_builder::nic_at_machine(const std::string& netdev) {
    machine_devices_ += devices(netdev, "");
    return *this;
}

host_builder& host_builder::allow(const std::vector<int>& cpus) {
    allowed_ = cpus;
    return *this;
}

std::string host_builder::xml() const {
    writer out;
    sets machine;
    std::string inside;
    for (const socket& each : packages_) {
        sets package;
        std::string nodes;
        for (const cluster& part : each.nodes) {
            sets own;
            std::string cores;
            own.nodes.add(out.memory);
            const int first_memory = out.memory++;
            const int second_memory = part.second_gigabytes != 0 ? out.memory++ : 0;
            if (second_memory != 0) own.nodes.add(second_memory);
            for (int i = 0; i < part.cores; ++i) {
                sets core;
                core.nodes = own.nodes;
                std::string threads;
                for (int thread = 0; thread < part.threads_of_core; ++thread) {
                    sets one;
                    one.nodes = own.nodes;
                    one.cpus.add(out.cpu);
                    threads += out.object("PU", fmt::format(R"(os_index="{}" {})", out.cpu++, one.text()), "");
                    core.cpus.add(one.cpus);
                }
                cores += out.object("Core", fmt::format(R"(os_index="{}" {})", out.core++, core.text()), threads);
                own.add(core);
            }
            std::string memory = out.memory_object(own, first_memory, 64);
            if (part.cached)
                memory = out.object("MemCache",
                                    own.text() + R"( cache_size="17179869184" depth="1" cache_linesize="64" )"
                                                 R"(cache_associativity="1" cache_type="0")",
                                    memory);
            if (second_memory != 0) memory += out.memory_object(own, second_memory, part.second_gigabytes);
            const std::string cache = out.object(
                "L3Cache",
                own.text() + R"( cache_size="33554432" depth="3" cache_linesize="64" cache_associativity="16" )"
                             R"(cache_type="0")",
                cores);
            const std::string content = memory + cache + part.devices;
            nodes +=
                each.nodes.size() > 1 ? out.object("Group", own.text() + R"( kind="0" subkind="0")", content) : content;
            package.add(own);
        }
        inside += out.object("Package", fmt::format(R"(os_index="{}" {})", out.package++, package.text()),
                             "<info name=\"CPUModel\" value=\"Test CPU\"/>\n" + nodes + each.devices);
        machine.add(package);
    }
    std::string memory;
    for (const int number : memory_only_nodes_) {
        machine.nodes.add(number);
        memory += out.memory_object({}, number, 128);
    }
    number_set allowed;
    for (const int each : allowed_) allowed.add(each);
    const std::string attributes =
        fmt::format(R"(os_index="0" {} allowed_cpuset="{}" allowed_nodeset="{}")", machine.text(),
                    allowed_.empty() ? machine.cpus.text() : allowed.text(), machine.nodes.text());
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
        "<topology version=\"{}.0\">\n{}</topology>\n",
        version_,
        out.object("Machine", attributes,
                   "<info name=\"HostName\" value=\"testhost\"/>\n" + memory + inside + machine_devices_));
}

const char* const hwloc_1_xml = R"(<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE topology SYSTEM "hwloc.dtd">
<topology>
  <object type="Machine" os_index="0" cpuset="0x0000000f" complete_cpuset="0x0000000f" online_cpuset="0x0000000f" allowed_cpuset="0x0000000f" nodeset="0x00000003" complete_nodeset="0x00000003" allowed_nodeset="0x00000003">
    <info name="HostName" value="oldhost"/>
    <object type="NUMANode" os_index="0" cpuset="0x00000003" complete_cpuset="0x00000003" online_cpuset="0x00000003" allowed_cpuset="0x00000003" nodeset="0x00000001" complete_nodeset="0x00000001" allowed_nodeset="0x00000001" local_memory="8589934592">
      <page_type size="4096" count="2097152"/>
      <object type="Socket" os_index="0" cpuset="0x00000003" complete_cpuset="0x00000003" online_cpuset="0x00000003" allowed_cpuset="0x00000003" nodeset="0x00000001" complete_nodeset="0x00000001" allowed_nodeset="0x00000001">
        <object type="Core" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" online_cpuset="0x00000001" allowed_cpuset="0x00000001" nodeset="0x00000001" complete_nodeset="0x00000001" allowed_nodeset="0x00000001">
          <object type="PU" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" online_cpuset="0x00000001" allowed_cpuset="0x00000001" nodeset="0x00000001" complete_nodeset="0x00000001" allowed_nodeset="0x00000001"/>
        </object>
        <object type="Core" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" online_cpuset="0x00000002" allowed_cpuset="0x00000002" nodeset="0x00000001" complete_nodeset="0x00000001" allowed_nodeset="0x00000001">
          <object type="PU" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" online_cpuset="0x00000002" allowed_cpuset="0x00000002" nodeset="0x00000001" complete_nodeset="0x00000001" allowed_nodeset="0x00000001"/>
        </object>
      </object>
    </object>
    <object type="NUMANode" os_index="1" cpuset="0x0000000c" complete_cpuset="0x0000000c" online_cpuset="0x0000000c" allowed_cpuset="0x0000000c" nodeset="0x00000002" complete_nodeset="0x00000002" allowed_nodeset="0x00000002" local_memory="8589934592">
      <object type="Socket" os_index="1" cpuset="0x0000000c" complete_cpuset="0x0000000c" online_cpuset="0x0000000c" allowed_cpuset="0x0000000c" nodeset="0x00000002" complete_nodeset="0x00000002" allowed_nodeset="0x00000002">
        <object type="Core" os_index="2" cpuset="0x00000004" complete_cpuset="0x00000004" online_cpuset="0x00000004" allowed_cpuset="0x00000004" nodeset="0x00000002" complete_nodeset="0x00000002" allowed_nodeset="0x00000002">
          <object type="PU" os_index="2" cpuset="0x00000004" complete_cpuset="0x00000004" online_cpuset="0x00000004" allowed_cpuset="0x00000004" nodeset="0x00000002" complete_nodeset="0x00000002" allowed_nodeset="0x00000002"/>
        </object>
        <object type="Core" os_index="3" cpuset="0x00000008" complete_cpuset="0x00000008" online_cpuset="0x00000008" allowed_cpuset="0x00000008" nodeset="0x00000002" complete_nodeset="0x00000002" allowed_nodeset="0x00000002">
          <object type="PU" os_index="3" cpuset="0x00000008" complete_cpuset="0x00000008" online_cpuset="0x00000008" allowed_cpuset="0x00000008" nodeset="0x00000002" complete_nodeset="0x00000002" allowed_nodeset="0x00000002"/>
        </object>
      </object>
      <object type="Bridge" os_index="0" bridge_type="0-1" depth="0" bridge_pci="0000:[80-80]">
        <object type="PCIDev" os_index="528384" pci_busid="0000:81:00.0" pci_type="0c06 [15b3:6746] [003c:0049] b0" pci_link_speed="2.000000">
          <object type="OSDev" name="eth0" osdev_type="2"/>
          <object type="OSDev" name="mlx4_0" osdev_type="3"/>
        </object>
      </object>
    </object>
  </object>
</topology>
)";

}  // namespace verbcast::test
