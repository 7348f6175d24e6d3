// SPDX-License-Identifier: BSD-3-Clause
/// The folder of one run of `verbcast softnic`.
#pragma once

#include <filesystem>

namespace verbcast::tools {

/// What the processes of one run share: the fault script, the truths, the files of the devices. Gone when it ends, and
/// when the run was killed, with the next run's.
class softnic_run_folder {
public:
    /// Throws std::system_error.
    softnic_run_folder();
    ~softnic_run_folder();
    softnic_run_folder(const softnic_run_folder&) = delete;
    softnic_run_folder& operator=(const softnic_run_folder&) = delete;

    std::filesystem::path truth() const { return path_ / "truth"; }
    std::filesystem::path faults() const { return path_ / "faults"; }
    std::filesystem::path runtime() const { return path_ / "devices"; }

private:
    std::filesystem::path path_;
    int lock_;  ///< says that the run goes on
};

}  // namespace verbcast::tools
