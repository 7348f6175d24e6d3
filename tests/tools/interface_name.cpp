// SPDX-License-Identifier: BSD-3-Clause
#include "tools/interface_name.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "tests/tools/temporary_folder.hpp"

using namespace verbcast::tools;
using verbcast::test::temporary_folder;

namespace {

/// A /sys of four RDMA devices.
void furnish(const std::filesystem::path& sysfs) {
    const std::filesystem::path devices = sysfs / "class/infiniband";
    std::filesystem::create_directories(devices / "mlx5_0/device/net/eth0");
    std::filesystem::create_directories(devices / "mlx4_0/device/net/eth0");
    std::filesystem::create_directories(devices / "mlx4_0/device/net/ib0");
    std::filesystem::create_directories(devices / "bare_0/device");
    std::filesystem::create_directories(devices / "rxe0");
    std::ofstream(devices / "rxe0/parent") << "eth0\n";
}

}  // namespace

TEST_CASE("an interface is found by its name, its device's name, and its address") {
    const temporary_folder sysfs;
    furnish(sysfs.path());
    CHECK(find_interface("mlx5_0", sysfs.path()) == "eth0");
    CHECK(find_interface("rxe0", sysfs.path()) == "eth0");
    CHECK(find_interface("lo") == "lo");
    CHECK(find_interface("127.0.0.1") == "lo");
}

TEST_CASE("a device with several interfaces is refused with their names") {
    const temporary_folder sysfs;
    furnish(sysfs.path());
    CHECK_THROWS_WITH(find_interface("mlx4_0", sysfs.path()),
                      "--interface mlx4_0: this device has several interfaces; name one of: eth0, ib0");
}

TEST_CASE("an interface that there is not is refused with those there are") {
    const temporary_folder sysfs;
    furnish(sysfs.path());
    for (const char* const absent : {"nowhere0", "bare_0", "203.0.113.9", "", "..", "../net/eth0", "2001:db8::7"})
        CHECK_THROWS_WITH(find_interface(absent, sysfs.path()),
                          Catch::Contains("no such interface") && Catch::Contains("its interfaces:"));
}
