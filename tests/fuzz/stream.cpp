// SPDX-License-Identifier: BSD-3-Clause
/// Batches of packets that are made from the input, in a stream beside the reference.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "support/stream_comparison.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string wrong = verbcast::test::compare_streams({data, size});
    if (wrong.empty()) return 0;
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
}
