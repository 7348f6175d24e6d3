// SPDX-License-Identifier: BSD-3-Clause
// The one file that knows hwloc.
#include <verbcast/topology.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <hwloc.h>
#include <sys/mman.h>

#include "src/binding.hpp"

namespace verbcast {
namespace {

struct topology_end {
    void operator()(hwloc_topology* each) const noexcept { hwloc_topology_destroy(each); }
};
using handle = std::unique_ptr<hwloc_topology, topology_end>;

struct bitmap_end {
    void operator()(hwloc_bitmap_s* each) const noexcept { hwloc_bitmap_free(each); }
};
using bitmap = std::unique_ptr<hwloc_bitmap_s, bitmap_end>;

[[noreturn]] void fail(const char* call) { throw std::system_error(errno, std::generic_category(), call); }

bitmap empty_bitmap() {
    bitmap made(hwloc_bitmap_alloc());
    if (!made) throw std::bad_alloc();
    return made;
}

handle begin() {
    hwloc_topology* made = nullptr;
    if (hwloc_topology_init(&made) != 0) fail("hwloc_topology_init");
    handle owner(made);
    // What this process may not use is drawn too, and marked.
    hwloc_topology_set_flags(made, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    return owner;
}

handle load_host() {
    handle host = begin();
    // Before it is loaded: hwloc drops all devices otherwise.
    hwloc_topology_set_io_types_filter(host.get(), HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    if (hwloc_topology_load(host.get()) != 0) fail("hwloc_topology_load");
    return host;
}

/// hwloc 3 numbers the types of devices as bits. Debian's hwloc 2 reads the rest of its XML, if it claims to be 2.
std::string as_version_2(std::string_view xml) {
    std::string text(xml);
    const std::string_view version = "<topology version=\"3.";
    const std::size_t at = text.find(version);
    if (at == std::string::npos) return text;
    text[at + version.size() - 2] = '2';
    constexpr std::array<char, 7> version_2_types{'0', '0', '1', '5', '2', '3', '4'};
    const std::string_view name = " osdev_type=\"";
    for (std::size_t from = text.find(name); from != std::string::npos; from = text.find(name, from)) {
        from += name.size();
        unsigned bits = 0;
        const char* const first = text.data() + from;
        const auto [end, error] = std::from_chars(first, text.data() + text.size(), bits);
        if (error != std::errc{}) continue;
        // The last bit says most: an RDMA device is a network device too.
        unsigned type = 0;
        for (unsigned bit = 0; bit < version_2_types.size(); ++bit)
            if ((bits >> bit) & 1U) type = bit;
        text.replace(from, static_cast<std::size_t>(end - first), 1, version_2_types[type]);
    }
    return text;
}

handle load_xml(std::string_view xml) {
    handle read = begin();
    const std::string text = as_version_2(xml);
    hwloc_topology_set_io_types_filter(read.get(), HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    // The length counts the terminating null.
    if (hwloc_topology_set_xmlbuffer(read.get(), text.c_str(), static_cast<int>(text.size()) + 1) != 0 ||
        hwloc_topology_load(read.get()) != 0)
        throw std::runtime_error("this is no topology that hwloc can read");
    return read;
}

std::string info(const hwloc_obj* object, const char* name) {
    const char* const value = hwloc_obj_get_info_by_name(const_cast<hwloc_obj*>(object), name);
    return value != nullptr ? value : "";
}

bool has(hwloc_const_bitmap_t set, int number) { return hwloc_bitmap_isset(set, static_cast<unsigned>(number)) != 0; }

/// Objects of one type in the machine's order.
class object_range {
public:
    object_range(hwloc_topology* of, hwloc_obj_type_t type) {
        for (hwloc_obj* each = nullptr; (each = hwloc_get_next_obj_by_type(of, type, each)) != nullptr;)
            objects_.push_back(each);
    }
    auto begin() const { return objects_.begin(); }
    auto end() const { return objects_.end(); }

private:
    std::vector<hwloc_obj*> objects_;
};

/// From hwloc's tree to our lists.
class reading {
public:
    explicit reading(hwloc_topology* from) : from_(from), root_(hwloc_get_root_obj(from)) {}

    topology take() {
        into_.host = info(root_, "HostName");
        read_nodes();
        read_cpus();
        for (const hwloc_obj* each : object_range(from_, HWLOC_OBJ_OS_DEVICE)) read_network(each);
        for (const hwloc_obj* each : object_range(from_, HWLOC_OBJ_OS_DEVICE)) read_rdma(each);
        std::stable_sort(into_.nics.begin(), into_.nics.end(),
                         [](const auto& one, const auto& other) { return one.pci_address < other.pci_address; });
        return std::move(into_);
    }

private:
    std::vector<int> members(hwloc_const_bitmap_t set) const {
        std::vector<int> numbers;
        int each = -1;
        // Not further than the machine goes: a set may be infinite.
        while ((each = hwloc_bitmap_next(set, each)) >= 0 && each <= hwloc_bitmap_last(root_->cpuset))
            if (has(root_->cpuset, each)) numbers.push_back(each);
        return numbers;
    }

    void read_nodes() {
        const hwloc_const_nodeset_t allowed = hwloc_topology_get_allowed_nodeset(from_);
        for (const hwloc_obj* each : object_range(from_, HWLOC_OBJ_NUMANODE)) {
            const int number = static_cast<int>(each->os_index);
            into_.nodes.push_back({.number = number,
                                   .bytes = each->attr->numanode.local_memory,
                                   .cpus = members(each->cpuset),
                                   .allowed = has(allowed, number)});
        }
    }

    /// The memory nearest to a CPU is that of the smallest part it is in; of several there, the first is plain memory.
    std::optional<int> node_of(int cpu) const {
        const topology::memory_node* nearest = nullptr;
        for (const topology::memory_node& each : into_.nodes)
            if (std::binary_search(each.cpus.begin(), each.cpus.end(), cpu) &&
                (nearest == nullptr || each.cpus.size() < nearest->cpus.size()))
                nearest = &each;
        if (nearest == nullptr) return std::nullopt;
        return nearest->number;
    }

    /// The place in `seen` of the part of a CPU that is of one of these types: the first that the machine has.
    static std::size_t part_of(hwloc_topology* from, hwloc_obj* cpu, std::initializer_list<hwloc_obj_type_t> types,
                               std::map<const hwloc_obj*, std::size_t>& seen) {
        const hwloc_obj* part = nullptr;
        for (const hwloc_obj_type_t type : types)
            if (part == nullptr) part = hwloc_get_ancestor_obj_by_type(from, type, cpu);
        if (part == nullptr && types.size() > 1) part = hwloc_get_root_obj(from);
        if (part == nullptr) part = cpu;
        return seen.emplace(part, seen.size()).first->second;
    }

    void read_cpus() {
        std::map<const hwloc_obj*, std::size_t> cores, caches, packages;
        const hwloc_const_cpuset_t allowed = hwloc_topology_get_allowed_cpuset(from_);
        for (hwloc_obj* each : object_range(from_, HWLOC_OBJ_PU)) {
            const int number = static_cast<int>(each->os_index);
            into_.cpus.push_back({.number = number,
                                  .core = part_of(from_, each, {HWLOC_OBJ_CORE}, cores),
                                  .cache = part_of(from_, each, {HWLOC_OBJ_L3CACHE, HWLOC_OBJ_PACKAGE}, caches),
                                  .package = part_of(from_, each, {HWLOC_OBJ_PACKAGE, HWLOC_OBJ_MACHINE}, packages),
                                  .node = node_of(number),
                                  .speed = speed_of(each),
                                  .allowed = has(allowed, number)});
        }
        into_.packages.resize(packages.size());
        for (const auto& [object, index] : packages) {
            const bool known = object->type == HWLOC_OBJ_PACKAGE && object->os_index != HWLOC_UNKNOWN_INDEX;
            into_.packages[index] = {.number = known ? static_cast<int>(object->os_index) : static_cast<int>(index),
                                     .model = info(object, "CPUModel")};
            if (into_.packages[index].model.empty()) into_.packages[index].model = info(root_, "CPUModel");
        }
        into_.caches.resize(caches.size());
        for (const auto& [object, index] : caches)
            into_.caches[index].bytes = object->type == HWLOC_OBJ_L3CACHE ? object->attr->cache.size : 0;
        std::sort(into_.cpus.begin(), into_.cpus.end(),
                  [](const auto& one, const auto& other) { return one.number < other.number; });
    }

    std::optional<int> speed_of(const hwloc_obj* cpu) const {
        const int kinds = hwloc_cpukinds_get_nr(from_, 0);
        const int kind = kinds > 1 ? hwloc_cpukinds_get_by_cpuset(from_, cpu->cpuset, 0) : -1;
        if (kind < 0) return std::nullopt;
        int efficiency = -1;
        hwloc_cpukinds_get_info(from_, static_cast<unsigned>(kind), nullptr, &efficiency, nullptr, nullptr, 0);
        return efficiency >= 0 ? std::optional(efficiency) : std::nullopt;
    }

    static const hwloc_obj* function_of(const hwloc_obj* device) {
        const hwloc_obj* each = device;
        while (each != nullptr && each->type != HWLOC_OBJ_PCI_DEVICE) each = each->parent;
        return each;
    }

    topology::nic nic_at(const hwloc_obj* device) const {
        topology::nic made;
        if (const hwloc_obj* const function = function_of(device)) {
            const auto& pci = function->attr->pcidev;
            made.pci_address = fmt::format("{:04x}:{:02x}:{:02x}.{:x}", pci.domain, pci.bus, pci.dev, pci.func);
            made.model = model_of(function);
            made.link_gigabytes_per_second = static_cast<double>(pci.linkspeed);
        }
        const hwloc_obj* const near = hwloc_get_non_io_ancestor_obj(from_, const_cast<hwloc_obj*>(device));
        locate(made, near != nullptr ? near : root_);
        return made;
    }

    static std::string model_of(const hwloc_obj* function) {
        const std::string vendor = info(function, "PCIVendor");
        const std::string model = info(function, "PCIDevice");
        return vendor.empty() || model.empty() ? vendor + model : vendor + " " + model;
    }

    void locate(topology::nic& made, const hwloc_obj* near) const {
        made.cpus = members(near->cpuset);
        const std::vector<const topology::memory_node*> places = places_of(made.cpus, near->nodeset);
        if (places.size() == 1) {
            made.where = topology::locality::node;
            made.node = places.front()->number;
        } else {
            const bool everywhere = hwloc_bitmap_isequal(near->cpuset, root_->cpuset) != 0;
            made.where = everywhere ? topology::locality::machine : topology::locality::unknown;
        }
        if (made.cpus.empty()) made.cpus = members(root_->cpuset);
    }

    /// The nodes in a part of the machine, or the one that the part is in. Nodes that have the same CPUs are one place
    /// (plain and high-bandwidth memory), which the first stands for.
    std::vector<const topology::memory_node*> places_of(const std::vector<int>& cpus,
                                                        hwloc_const_nodeset_t nodes) const {
        std::vector<const topology::memory_node*> inside;
        const topology::memory_node* around = nullptr;
        std::set<std::vector<int>> seen;
        for (const topology::memory_node& each : into_.nodes) {
            if (!has(nodes, each.number)) continue;
            if (!std::includes(cpus.begin(), cpus.end(), each.cpus.begin(), each.cpus.end())) {
                // Memory without CPUs of its own is said to be local to all that are around it.
                if (around == nullptr || each.cpus.size() < around->cpus.size()) around = &each;
            } else if (seen.insert(each.cpus).second) {
                inside.push_back(&each);
            }
        }
        if (inside.empty() && around != nullptr) inside.push_back(around);
        return inside;
    }

    void read_network(const hwloc_obj* device) {
        if (device->attr->osdev.type != HWLOC_OBJ_OSDEV_NETWORK || device->name == nullptr) return;
        into_.nics.push_back(nic_at(device));
        into_.nics.back().netdev = device->name;
        functions_.push_back(function_of(device));
    }

    /// An RDMA device belongs to the interfaces of its PCI function, or stands for itself.
    void read_rdma(const hwloc_obj* device) {
        if (device->attr->osdev.type != HWLOC_OBJ_OSDEV_OPENFABRICS || device->name == nullptr) return;
        const hwloc_obj* const function = function_of(device);
        bool has_interface = false;
        for (std::size_t i = 0; i < functions_.size(); ++i) {
            if (function == nullptr || functions_[i] != function) continue;
            has_interface = true;
            if (into_.nics[i].device.empty()) into_.nics[i].device = device->name;
        }
        if (has_interface) return;
        into_.nics.push_back(nic_at(device));
        into_.nics.back().device = device->name;
    }

    hwloc_topology* from_;
    const hwloc_obj* root_;
    topology into_;
    std::vector<const hwloc_obj*> functions_;  // of the network interfaces in into_.nics
};

/// For binding: devices are not needed, and the host does not change.
hwloc_topology* binding_topology() {
    static const handle host = [] {
        handle made = begin();
        if (hwloc_topology_load(made.get()) != 0) fail("hwloc_topology_load");
        return made;
    }();
    return host.get();
}

bool bind_pages(void* pages, std::size_t bytes, int node) {
    const bitmap nodes = empty_bitmap();
    hwloc_bitmap_set(nodes.get(), static_cast<unsigned>(node));
    // Without HWLOC_MEMBIND_STRICT: preferred, not demanded.
    return hwloc_set_area_membind(binding_topology(), pages, bytes, nodes.get(), HWLOC_MEMBIND_BIND,
                                  HWLOC_MEMBIND_BYNODESET) == 0;
}

}  // namespace

const topology::cpu* topology::find_cpu(int number) const noexcept {
    const auto found = std::find_if(cpus.begin(), cpus.end(), [&](const cpu& each) { return each.number == number; });
    return found == cpus.end() ? nullptr : &*found;
}

const topology::nic* topology::find_nic(std::string_view name) const noexcept {
    if (name.empty()) return nullptr;
    for (const nic& each : nics)
        if (each.netdev == name) return &each;
    for (const nic& each : nics)
        if (each.device == name) return &each;
    return nullptr;
}

void topology::restrict_to(const std::vector<int>& affinity, const std::vector<int>& isolated) {
    const auto contains = [](const std::vector<int>& numbers, int number) {
        return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
    };
    for (cpu& each : cpus) each.isolated = contains(isolated, each.number);
    const bool born_with = std::all_of(cpus.begin(), cpus.end(), [&](const cpu& each) {
        return !each.allowed || each.isolated || contains(affinity, each.number);
    });
    for (cpu& each : cpus)
        each.allowed = each.allowed && (contains(affinity, each.number) || (born_with && each.isolated));
}

topology topology::of_this_host() {
    topology made = reading(load_host().get()).take();
    // Any number of CPUs: the set grows until the kernel's mask fits.
    const bitmap bound = empty_bitmap();
    if (hwloc_get_cpubind(binding_topology(), bound.get(), HWLOC_CPUBIND_THREAD) != 0) fail("sched_getaffinity");
    std::vector<int> affinity, isolated;
    const bitmap apart = empty_bitmap();
    std::string list;
    std::ifstream("/sys/devices/system/cpu/isolated") >> list;
    hwloc_bitmap_list_sscanf(apart.get(), list.c_str());
    for (const cpu& each : made.cpus) {
        if (has(bound.get(), each.number)) affinity.push_back(each.number);
        if (has(apart.get(), each.number)) isolated.push_back(each.number);
    }
    made.restrict_to(affinity, isolated);
    return made;
}

topology topology::from_xml(std::string_view xml) {
    constexpr std::size_t bytes_max = std::size_t{256} << 20;
    if (xml.size() > bytes_max) throw std::runtime_error("larger than any topology: 256 MiB");
    return reading(load_xml(xml).get()).take();
}

std::string topology_xml_of_this_host() {
    const handle host = load_host();
    char* text = nullptr;
    int bytes = 0;
    if (hwloc_topology_export_xmlbuffer(host.get(), &text, &bytes, 0) != 0) fail("hwloc_topology_export_xmlbuffer");
    const auto give_back = [&](char* each) { hwloc_free_xmlbuffer(host.get(), each); };
    const std::unique_ptr<char, decltype(give_back)> owner(text, give_back);
    return text;
}

void bind_thread(std::thread::native_handle_type thread, int cpu) {
    const bitmap cpus = empty_bitmap();
    hwloc_bitmap_set(cpus.get(), static_cast<unsigned>(cpu));
    if (hwloc_set_thread_cpubind(binding_topology(), thread, cpus.get(), 0) != 0)
        fail(fmt::format("binding a thread to core {}", cpu).c_str());
}

void* allocate_pages(std::size_t bytes, std::optional<int> node) {
    void* const pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    if (node) bind_pages(pages, bytes, *node);
    return pages;
}

void free_pages(void* pages, std::size_t bytes) noexcept { ::munmap(pages, bytes); }

bool can_bind_memory(int node) {
    constexpr std::size_t bytes = 4096;
    void* const page = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return false;
    const bool can = bind_pages(page, bytes, node);
    free_pages(page, bytes);
    return can;
}

}  // namespace verbcast
