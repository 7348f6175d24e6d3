// SPDX-License-Identifier: BSD-3-Clause
#include "library.hpp"

#include "counted.hpp"
#include "truth.hpp"

#include <net/if.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace softnic {
namespace {

std::string read_whole(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::invalid_argument("fault script: cannot read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

void require_interface(const device_configuration& wanted) {
    if (::if_nametoindex(wanted.interface.c_str()) != 0) return;
    throw std::invalid_argument("device '" + wanted.name + "': there is no interface '" + wanted.interface +
                                "' in this network namespace");
}

}  // namespace

library& library::instance() {
    static library* const only = new library;
    return *only;
}

library::library() : process_(::getpid()) {
    try {
        configure();
        usable_ = true;
    } catch (const std::exception& error) {
        devices_.clear();
        std::fprintf(stderr, "softnic: %s\n", error.what());
    }
    std::atexit([] { instance().shut_down(); });
}

void library::configure() {
    configuration_ = configuration_from_environment();
    if (!configuration_.faults_file.empty()) {
        std::vector<std::string> names;
        for (const device_configuration& each : configuration_.devices) names.push_back(each.name);
        faults_.read(read_whole(configuration_.faults_file), names);
    }
    for (const device_configuration& each : configuration_.devices) require_interface(each);
    runtime_ = std::make_unique<runtime_folder>(configuration_.runtime_folder);
    int index = 0;
    for (const device_configuration& each : configuration_.devices) {
        devices_.push_back(std::make_unique<device>(each, index++, *runtime_, faults_));
    }
}

int library::plan(std::string_view verb) {
    return faults_.judge_call(verb, [this](const breakage& what, std::string_view name) {
        for (const auto& each : devices_) {
            if (name.empty() || name == each->name()) each->attached_port().break_down(what);
        }
    });
}

void library::shut_down() noexcept {
    // A child that was forked has neither the threads nor anything to tell.
    if (::getpid() != process_) return;
    for (const auto& each : devices_) each->shut_down();
    write_truth();
    if (runtime_) runtime_->remove();
}

void library::write_truth() noexcept {
    if (configuration_.truth_folder.empty() || ::getpid() != process_) return;
    const std::scoped_lock lock(truth_mutex_);
    try {
        softnic::write_truth(configuration_.truth_folder, devices_, faults_);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "softnic: %s\n", error.what());
    }
}

}  // namespace softnic

extern "C" std::uint64_t softnic_objects_alive() noexcept { return softnic::counted::alive(); }
