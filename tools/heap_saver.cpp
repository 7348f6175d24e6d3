// SPDX-License-Identifier: BSD-3-Clause
#include "heap_saver.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "json_output.hpp"

namespace verbcast::tools {
namespace {

[[noreturn]] void fail(const char* call, const std::filesystem::path& path) {
    throw std::system_error(errno, std::system_category(), fmt::format("--save: {} {}", call, path.string()));
}

/// A new file; never one that is there.
int create(const std::filesystem::path& path) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0) fail("cannot create", path);
    return file;
}

void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
    const int file = create(path);
    int error = 0;
    while (!bytes.empty() && error == 0) {
        const ssize_t written = ::write(file, bytes.data(), bytes.size());
        if (written >= 0)
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        else if (errno != EINTR)
            error = errno;
    }
    if (::close(file) != 0 && error == 0) error = errno;
    errno = error;
    if (error != 0) fail("cannot write", path);
}

/// The payload with zeros where nothing came: those bytes are memory nobody wrote.
std::vector<std::byte> received_payload(const heap& each) {
    std::vector<std::byte> bytes(each.payload().size());
    for (const byte_range& range : each.ranges()) {
        const auto part = each.payload().subspan(range.first, range.end - range.first);
        std::copy(part.begin(), part.end(), bytes.begin() + static_cast<std::ptrdiff_t>(range.first));
    }
    return bytes;
}

std::string_view clock_name(clock_source clock) {
    switch (clock) {
    case clock_source::kernel: return "kernel";
    case clock_source::hardware: return "hardware";
    case clock_source::none: break;
    }
    return "none";
}

}  // namespace

heap_saver::heap_saver(const std::filesystem::path& folder) : folder_(folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw std::system_error(error, fmt::format("--save: cannot make {}", folder.string()));
    const bool empty = std::filesystem::is_empty(folder, error);
    if (error) throw std::system_error(error, fmt::format("--save: cannot read {}", folder.string()));
    if (!empty)
        throw std::system_error(EEXIST, std::system_category(),
                                fmt::format("--save: {} is not empty; name a new folder", folder.string()));
    const std::filesystem::path index = folder / "heaps.jsonl";
    index_.reset(::fdopen(create(index), "w"));
    if (!index_) fail("cannot write", index);
}

std::filesystem::path heap_saver::make_heap_folder(std::uint64_t cnt) {
    const std::uint64_t count = ++seen_[cnt];
    std::filesystem::path path =
        folder_ / (count == 1 ? fmt::format("heap-{}", cnt) : fmt::format("heap-{}-{}", cnt, count));
    if (::mkdir(path.c_str(), 0777) != 0) fail("cannot make", path);
    return path;
}

void heap_saver::save(const heap& each) {
    const std::filesystem::path path = make_heap_folder(each.cnt());
    json about = heap_object(each);
    about["folder"] = path.filename().string();
    if (each.clock() != clock_source::none) {
        about["clock"] = clock_name(each.clock());
        about["first_arrival_ns"] = each.first_arrival().count();
        about["last_arrival_ns"] = each.last_arrival().count();
    }
    std::unordered_map<std::uint64_t, std::uint64_t> seen;
    for (std::size_t i = 0; i < each.items().size(); ++i) {
        const item& one = each.items()[i];
        if (one.immediate) continue;
        const std::uint64_t count = ++seen[one.id];
        const std::string file =
            count == 1 ? fmt::format("{:#x}.bin", one.id) : fmt::format("{:#x}-{}.bin", one.id, count);
        write_file(path / file, one.bytes);
        about["items"][i]["file"] = file;
    }
    if (each.status() == heap_status::incomplete) {
        write_file(path / "payload.bin", received_payload(each));
        about["file"] = "payload.bin";
    }
    const std::string line = json_line(about);
    if (std::fwrite(line.data(), 1, line.size(), index_.get()) != line.size() || std::fflush(index_.get()) != 0)
        fail("cannot write", folder_ / "heaps.jsonl");
    ++heaps_;
}

}  // namespace verbcast::tools
