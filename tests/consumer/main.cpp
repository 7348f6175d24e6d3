// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/version.hpp>

#include <iostream>

int main() { std::cout << "verbcast " << verbcast::version() << '\n'; }
