// SPDX-License-Identifier: BSD-3-Clause
#include "nic.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

// Exported, and declared in no header.
extern "C" int ibv_read_sysfs_file(const char* folder, const char* file, char* buffer, std::size_t bytes);

using namespace nic_test;

namespace {

template <class Call>
int errno_of(Call&& call) {
    errno = 0;
    const bool failed = call() == nullptr;
    return failed ? errno : 0;
}

std::string first_line(const device& nic, const std::string& file) {
    std::ifstream opened(nic.context->device->ibdev_path + file);
    std::string line;
    std::getline(opened, line);
    return line;
}

}  // namespace

TEST_CASE("ibv_get_device_list ends with a null pointer and counts the devices before it", "[any]") {
    const device nic;  // sets the wire
    int number = -1;
    ibv_device** list = ibv_get_device_list(&number);
    REQUIRE(list != nullptr);
    REQUIRE(number >= 1);
    CHECK(list[number] == nullptr);
    ibv_free_device_list(list);
}

TEST_CASE("a device can still be used after its list has been freed, if it was open", "[any]") {
    const device nic;
    CHECK(std::strlen(ibv_get_device_name(nic.context->device)) > 0);
    ibv_device_attr attributes{};
    CHECK(ibv_query_device(nic.context.get(), &attributes) == 0);
}

TEST_CASE("a device opens several times, and each context has its own descriptor for events", "[any]") {
    const device first;
    const device second;
    CHECK(first.context.get() != second.context.get());
    CHECK(first.context->async_fd != second.context->async_fd);
}

TEST_CASE("the node GUID of the device is the one in its attributes", "[any]") {
    const device nic;
    ibv_device_attr attributes{};
    REQUIRE(ibv_query_device(nic.context.get(), &attributes) == 0);
    CHECK(attributes.node_guid == ibv_get_device_guid(nic.context->device));
}

TEST_CASE("ibv_query_device_ex says what ibv_query_device says, and refuses an input it does not know", "[any]") {
    const device nic;
    ibv_device_attr plain{};
    ibv_device_attr_ex extended{};
    REQUIRE(ibv_query_device(nic.context.get(), &plain) == 0);
    REQUIRE(ibv_query_device_ex(nic.context.get(), nullptr, &extended) == 0);
    CHECK(extended.orig_attr.max_qp_wr == plain.max_qp_wr);
    CHECK(extended.orig_attr.device_cap_flags == plain.device_cap_flags);
    const ibv_query_device_ex_input unknown{.comp_mask = 1};
    CHECK(ibv_query_device_ex(nic.context.get(), &unknown, &extended) == EINVAL);
}

TEST_CASE("the device can steer flows and offload checksums of raw packets, and says so", "[flow]") {
    const device nic;
    ibv_device_attr attributes{};
    REQUIRE(ibv_query_device(nic.context.get(), &attributes) == 0);
    if (!on_hardware()) CHECK((attributes.device_cap_flags & IBV_DEVICE_MANAGED_FLOW_STEERING) != 0);
    CHECK((attributes.device_cap_flags & IBV_DEVICE_RAW_IP_CSUM) != 0);
}

TEST_CASE("ibv_query_port gives an active Ethernet port, and refuses a port that is not there", "[any]") {
    const device nic;
    ibv_port_attr port{};
    REQUIRE(ibv_query_port(nic.context.get(), 1, &port) == 0);
    CHECK(port.state == IBV_PORT_ACTIVE);
    CHECK(port.link_layer == IBV_LINK_LAYER_ETHERNET);
    CHECK(ibv_query_port(nic.context.get(), 0, &port) == EINVAL);
    CHECK(ibv_query_port(nic.context.get(), 9, &port) == EINVAL);
}

TEST_CASE("the GID table lists the addresses of the interface, each also found by its index", "[any]") {
    const device nic;
    std::vector<ibv_gid_entry> entries(256);
    const ssize_t number = ibv_query_gid_table(nic.context.get(), entries.data(), entries.size(), 0);
    REQUIRE(number >= 1);
    bool loopback = false;
    for (ssize_t i = 0; i < number; ++i) {
        const ibv_gid_entry& entry = entries[static_cast<std::size_t>(i)];
        ibv_gid gid{};
        REQUIRE(ibv_query_gid(nic.context.get(), 1, static_cast<int>(entry.gid_index), &gid) == 0);
        CHECK(std::memcmp(gid.raw, entry.gid.raw, 16) == 0);
        ibv_gid_entry same{};
        CHECK(ibv_query_gid_ex(nic.context.get(), 1, entry.gid_index, &same, 0) == 0);
        loopback = loopback || std::memcmp(gid.raw, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16) == 0;
    }
    if (!on_hardware()) CHECK(loopback);
    ibv_gid gid{};
    CHECK(ibv_query_gid(nic.context.get(), 1, 100000, &gid) == -1);
}

TEST_CASE("a GID table that does not fit is refused, not cut", "[any]") {
    const device nic;
    ibv_gid_entry entry{};
    CHECK(ibv_query_gid_table(nic.context.get(), &entry, 0, 0) == -EINVAL);
}

TEST_CASE("the partition key table has the default key at index 0", "[any]") {
    const device nic;
    __be16 key = 0;
    REQUIRE(ibv_query_pkey(nic.context.get(), 1, 0, &key) == 0);
    CHECK(key == 0xffff);
    CHECK(ibv_get_pkey_index(nic.context.get(), 1, key) == 0);
}

TEST_CASE("ibdev_path is the device's folder", "[any]") {
    const device nic;
    for (const char* name : {"/node_guid", "/ports/1/state"}) CHECK_FALSE(first_line(nic, name).empty());
}

TEST_CASE("ibdev_path has the hardware counters of the port", "[flow]") {
    const device nic;
    CHECK_FALSE(first_line(nic, "/ports/1/hw_counters/out_of_buffer").empty());
}

TEST_CASE("ibv_read_sysfs_file gives a file's text without its newline, and -1 for a file that is not there", "[any]") {
    const device nic;
    char text[64];
    const int length = ibv_read_sysfs_file(nic.context->device->ibdev_path, "ports/1/link_layer", text, sizeof text);
    CHECK(std::string(text) == "Ethernet");
    CHECK(length == 8);
    CHECK(ibv_read_sysfs_file(nic.context->device->ibdev_path, "no/such/file", text, sizeof text) == -1);
}

TEST_CASE("the raw clock advances, and unknown values are refused", "[clock]") {
    const device nic;
    ibv_values_ex first{.comp_mask = IBV_VALUES_MASK_RAW_CLOCK, .raw_clock = {}};
    ibv_values_ex later = first;
    REQUIRE(ibv_query_rt_values_ex(nic.context.get(), &first) == 0);
    REQUIRE(ibv_query_rt_values_ex(nic.context.get(), &later) == 0);
    CHECK(later.raw_clock.tv_nsec > first.raw_clock.tv_nsec);
    ibv_values_ex unknown{.comp_mask = 1U << 20, .raw_clock = {}};
    CHECK(ibv_query_rt_values_ex(nic.context.get(), &unknown) == EINVAL);
}

TEST_CASE("what the device does not have fails as not supported, with errno set", "[raw]") {
    if (on_hardware()) return;
    device nic;
    ibv_srq_init_attr srq{nullptr, {1, 1, 0}};
    CHECK(errno_of([&] { return ibv_create_srq(nic.domain.get(), &srq); }) == EOPNOTSUPP);
    CHECK(errno_of([&] { return ibv_alloc_mw(nic.domain.get(), IBV_MW_TYPE_1); }) == EOPNOTSUPP);
    ibv_ah_attr ah{};
    CHECK(errno_of([&] { return ibv_create_ah(nic.domain.get(), &ah); }) == EOPNOTSUPP);
    ibv_wq_init_attr wq{};
    CHECK(errno_of([&] { return ibv_create_wq(nic.context.get(), &wq); }) == EOPNOTSUPP);
    ibv_alloc_dm_attr dm{};
    CHECK(errno_of([&] { return ibv_alloc_dm(nic.context.get(), &dm); }) == EOPNOTSUPP);
    ibv_modify_cq_attr moderation{};
    const queue receiver(nic);
    CHECK(ibv_modify_cq(receiver.cq.get(), &moderation) == EOPNOTSUPP);
}

TEST_CASE("enumerations have names, and rates go there and back", "[any]") {
    CHECK(std::string(ibv_wc_status_str(IBV_WC_SUCCESS)) == "success");
    CHECK(std::string(ibv_wc_status_str(static_cast<ibv_wc_status>(IBV_WC_TM_RNDV_INCOMPLETE + 1))) == "unknown");
    CHECK(std::string(ibv_port_state_str(IBV_PORT_ACTIVE)) == "active");
    CHECK(std::string(ibv_event_type_str(IBV_EVENT_CQ_ERR)) == "CQ error");
    CHECK(ibv_rate_to_mbps(IBV_RATE_5_GBPS) == 5000);
    CHECK(ibv_rate_to_mult(IBV_RATE_5_GBPS) == 2);
    CHECK(mult_to_ibv_rate(2) == IBV_RATE_5_GBPS);
    CHECK(mbps_to_ibv_rate(5000) == IBV_RATE_5_GBPS);
}
