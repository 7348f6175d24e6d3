// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// Marks what the library promises: the shared library exports this and hides everything else.
#define VERBCAST_API __attribute__((visibility("default")))
