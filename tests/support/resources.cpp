// SPDX-License-Identifier: BSD-3-Clause
#include "support/resources.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <malloc.h>

#include "support/network_namespace.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VERBCAST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define VERBCAST_SANITIZED 1
#endif
#endif

#ifdef VERBCAST_SANITIZED
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

/// Only in programs that the software NIC is linked into.
extern "C" [[gnu::weak]] std::uint64_t softnic_objects_alive() noexcept;

namespace verbcast::test {
namespace {

constexpr std::uint64_t allocated_slack_bytes = 256 * 1024;
constexpr std::uint64_t mapped_slack_bytes = 64 * 1024 * 1024;

std::uint64_t entries_of(const char* folder) {
    std::uint64_t count = 0;
    for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator(folder)) ++count;
    return count;
}

std::uint64_t allocated() {
#ifdef VERBCAST_SANITIZED
    return __sanitizer_get_current_allocated_bytes();
#else
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

std::uint64_t mapped() {
#ifdef VERBCAST_SANITIZED
    return 0;
#else
    std::ifstream file("/proc/self/statm");
    std::uint64_t pages = 0;
    file >> pages;
    return pages * 4096;
#endif
}

/// pthread_join() returns before the kernel has taken the thread off its list.
std::uint64_t settled_threads() {
    std::uint64_t count = entries_of("/proc/self/task");
    for (int same = 0; same < 5;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        const std::uint64_t now = entries_of("/proc/self/task");
        same = now == count ? same + 1 : 0;
        count = now;
    }
    return count;
}

}  // namespace

resources resources::now() {
    resources held;
    held.threads = settled_threads();
    held.descriptors = entries_of("/proc/self/fd");
    held.memberships = joined_groups().size();
    if (softnic_objects_alive != nullptr) held.verbs_objects = softnic_objects_alive();
    held.allocated_bytes = allocated();
    held.mapped_bytes = mapped();
    return held;
}

std::string resources::text() const {
    return fmt::format("{} descriptors, {} threads, {} memberships, {} verbs objects, {} KiB allocated, {} MiB mapped",
                       descriptors, threads, memberships, verbs_objects, allocated_bytes / 1024,
                       mapped_bytes / 1024 / 1024);
}

std::string resources::grown_since(const resources& before) const {
    std::string grown;
    const auto compare = [&grown](const char* what, std::uint64_t was, std::uint64_t is, std::uint64_t slack) {
        if (is > was + slack) grown += fmt::format("{}: {} before, {} after\n", what, was, is);
    };
    compare("descriptors", before.descriptors, descriptors, 0);
    compare("threads", before.threads, threads, 0);
    compare("memberships", before.memberships, memberships, 0);
    compare("verbs objects", before.verbs_objects, verbs_objects, 0);
    compare("allocated bytes", before.allocated_bytes, allocated_bytes, allocated_slack_bytes);
    compare("mapped bytes", before.mapped_bytes, mapped_bytes, mapped_slack_bytes);
    return grown;
}

}  // namespace verbcast::test
