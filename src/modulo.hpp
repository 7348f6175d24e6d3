// SPDX-License-Identifier: BSD-3-Clause
/// The remainder of a division by a number that does not change, without dividing.
#pragma once

#include <cstdint>

namespace verbcast {

/// n mod d by two multiplications (Lemire, Kaser, Kurz: "Faster remainder by direct computation", 2019): with
/// c = ceil(2^128 / d), the remainder is the upper part of (c * n mod 2^128) * d. Exact for n, d below 2^64.
class modulo {
public:
    /// `divisor` is at least 1.
    explicit modulo(std::uint64_t divisor) noexcept : divisor_(divisor), inverse_(~wide{0} / divisor + 1) {}

    std::uint64_t operator()(std::uint64_t n) const noexcept {
        const wide fraction = inverse_ * n;
        const wide low = static_cast<std::uint64_t>(fraction) * wide{divisor_};
        const wide high = (fraction >> 64) * divisor_;
        return static_cast<std::uint64_t>((high + (low >> 64)) >> 64);
    }

private:
    __extension__ using wide = unsigned __int128;

    std::uint64_t divisor_;
    wide inverse_;  // 0 for a divisor of 1, which gives 0 as it should
};

}  // namespace verbcast
