// SPDX-License-Identifier: BSD-3-Clause
/// An RDMA device that is open, and the port and the network interface it is wanted for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "verbs/handle.hpp"
#include "verbs/host_interface.hpp"

namespace verbcast::verbs {

/// What a device can do, as far as a receiver needs to know it.
struct capabilities {
    std::uint32_t receives_max = 0;     ///< receive requests of a queue pair
    std::uint32_t completions_max = 0;  ///< entries of a completion queue
    std::uint64_t region_bytes_max = 0;
    std::uint32_t raw_queue_pairs_max = 0;
    bool checks_checksums = false;  ///< of received IP and UDP, and says so in each completion
    bool timestamps = false;        ///< in the completions of extended completion queues
    int completion_vectors = 1;
};

class device {
public:
    /// Opens the device that owns an interface, by the interface's name or address, or by the device's own name
    /// ("mlx5_0"). Throws os_error, which says what there is and why none of it will do.
    explicit device(const std::string& where);

    ibv_context* get() const noexcept { return context_.get(); }
    const std::string& name() const noexcept { return name_; }
    std::uint8_t port() const noexcept { return port_; }
    const host_interface& interface() const noexcept { return interface_; }
    const capabilities& can() const noexcept { return capabilities_; }
    /// Throws os_error.
    protection_domain make_domain() const;
    /// "mlx5_0 port 1".
    std::string port_name() const;
    /// Where its counters and its PCI device are described.
    std::string sysfs_path() const;
    /// Whether the kernel runs it, and so accounts for its memory; the software NIC's devices are the process's own.
    bool is_kernels() const;
    std::optional<unsigned> numa_node() const;
    /// As they are now. Throws os_error.
    ibv_port_attr port_attributes() const;
    /// The most that a datagram of a datagram queue pair can carry through the port now. Throws os_error.
    std::size_t active_mtu_bytes() const;

private:
    device_context context_;
    std::string name_;
    std::uint8_t port_ = 1;
    host_interface interface_;
    capabilities capabilities_;
};

}  // namespace verbcast::verbs
