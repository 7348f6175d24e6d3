// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <unordered_map>

#include <verbcast/heap.hpp>

namespace verbcast::tools {

/// Heaps as files: FOLDER/heap-CNT/0xID.bin for each addressed item, and a JSON line about each heap in
/// FOLDER/heaps.jsonl, with its immediates, descriptors and times, and the names of its files. A cnt or id that comes
/// again gets "-2", "-3", ... Of an incomplete heap the payload is kept as payload.bin, zeros where nothing came.
class heap_saver {
public:
    /// Makes the folder. Throws std::system_error; also when there is something in it: nothing is ever overwritten.
    explicit heap_saver(const std::filesystem::path& folder);

    /// Throws std::system_error when it cannot be written.
    void save(const heap& each);

    std::uint64_t heaps() const noexcept { return heaps_; }

private:
    std::filesystem::path make_heap_folder(std::uint64_t cnt);

    struct closer {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };
    std::filesystem::path folder_;
    std::unique_ptr<std::FILE, closer> index_;
    std::unordered_map<std::uint64_t, std::uint64_t> seen_;  // how often each cnt came
    std::uint64_t heaps_ = 0;
};

}  // namespace verbcast::tools
