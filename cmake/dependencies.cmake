# SPDX-License-Identifier: BSD-3-Clause
# What the library is built on. Only Boost's headers and the threads are part of its public interface.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Boost 1.81 REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(HWLOC REQUIRED IMPORTED_TARGET hwloc)
pkg_check_modules(IBVERBS REQUIRED IMPORTED_TARGET libibverbs)
pkg_check_modules(PCAP REQUIRED IMPORTED_TARGET libpcap)
