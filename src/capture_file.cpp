// SPDX-License-Identifier: BSD-3-Clause
#include "src/capture_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <verbcast/error.hpp>

#include "verbs/file_descriptor.hpp"
#include "verbs/os_error.hpp"

namespace verbcast {
namespace {

constexpr std::size_t read_ahead_bytes = 1 << 20;

/// The file is there, but is not what it should be. libpcap says why; there is no error number to it.
class damaged_capture : public std::system_error {
public:
    explicit damaged_capture(const std::string& text)
        : std::system_error(std::make_error_code(std::errc::bad_message)), text_(text) {}
    const char* what() const noexcept override { return text_.what(); }

private:
    std::runtime_error text_;
};

using file = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

file open_file(const std::string& name) {
    verbs::file_descriptor descriptor(name == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                                  : ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!descriptor) throw verbs::os_error(errno, fmt::format("open({})", name));
    struct stat about {};
    if (::fstat(descriptor.get(), &about) != 0) throw verbs::os_error(errno, fmt::format("fstat({})", name));
    if (S_ISDIR(about.st_mode)) throw verbs::os_error(EISDIR, fmt::format("open({})", name));
    // A pipe whose writer stalls would hold up this thread, and with it everyone who wants to stop the stream.
    if (!S_ISREG(about.st_mode))
        throw verbs::os_error(EINVAL, fmt::format("open({})", name),
                              "only a regular file can be read without waiting: write the capture to a file first");
    file opened(::fdopen(descriptor.get(), "rb"), &std::fclose);
    if (!opened) throw verbs::os_error(errno, fmt::format("fdopen({})", name));
    descriptor.release();
    std::setvbuf(opened.get(), nullptr, _IOFBF, read_ahead_bytes);
    return opened;
}

verbs::link_layer link_layer_of(pcap_t& capture, const std::string& name) {
    const int type = pcap_datalink(&capture);
    switch (type) {
    case DLT_EN10MB: return verbs::link_layer::ethernet;
    case DLT_LINUX_SLL: return verbs::link_layer::linux_cooked_v1;
    case DLT_LINUX_SLL2: return verbs::link_layer::linux_cooked_v2;
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6: return verbs::link_layer::raw_ip;
    default: break;
    }
    const char* const known = pcap_datalink_val_to_name(type);
    throw damaged_capture(
        fmt::format("{}: link type {} ({}): only Ethernet, Linux cooked v1 and v2, and raw IP are read", name, type,
                    known ? known : "unknown"));
}

/// pcapng allows any time; what does not fit is cut to what does.
arrival_time time_of(const timeval& stamp) noexcept {
    constexpr std::int64_t seconds_max = std::int64_t{1} << 33;
    const std::int64_t seconds = std::clamp<std::int64_t>(stamp.tv_sec, 0, seconds_max);
    return std::chrono::seconds(seconds) + std::chrono::nanoseconds(stamp.tv_usec);  // asked for in nanoseconds
}

}  // namespace

capture_file::capture_file(const std::string& name, const std::string& filter)
    : name_(name == "-" ? "standard input" : name) {
    file opened = open_file(name);
    std::array<char, PCAP_ERRBUF_SIZE> why{};
    capture_.reset(pcap_fopen_offline_with_tstamp_precision(opened.get(), PCAP_TSTAMP_PRECISION_NANO, why.data()));
    if (!capture_) throw damaged_capture(fmt::format("{}: not a capture: {}", name_, why.data()));
    static_cast<void>(opened.release());  // pcap_close() closes it
    link_ = link_layer_of(*capture_, name_);
    if (!filter.empty()) compile(filter);
}

void capture_file::compile(const std::string& filter) {
    auto program = std::make_unique<bpf_program>();
    if (pcap_compile(capture_.get(), program.get(), filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
        throw config_error("filter", filter,
                           fmt::format("must be a filter of pcap-filter(7): {}", pcap_geterr(capture_.get())));
    filter_.reset(program.release());
}

capture_file::outcome capture_file::next(captured_frame& out) {
    pcap_pkthdr* header = nullptr;
    const u_char* bytes = nullptr;
    const int result = pcap_next_ex(capture_.get(), &header, &bytes);
    if (result == PCAP_ERROR_BREAK) return outcome::end;
    if (result != 1)
        throw damaged_capture(fmt::format("{}: after {} frames, at byte {}: {}", name_, frames_,
                                          ::ftello(pcap_file(capture_.get())), pcap_geterr(capture_.get())));
    ++frames_;
    if (filter_ && pcap_offline_filter(filter_.get(), header, bytes) == 0) return outcome::filtered;
    out.bytes = {reinterpret_cast<const std::byte*>(bytes), header->caplen};
    out.wire_bytes = header->len;
    out.time = time_of(header->ts);
    return outcome::frame;
}

}  // namespace verbcast
