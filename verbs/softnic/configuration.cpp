// SPDX-License-Identifier: BSD-3-Clause
#include "configuration.hpp"

#include <infiniband/verbs.h>
#include <net/if.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <stdexcept>

namespace softnic {
namespace {

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
    throw std::invalid_argument("device '" + std::string(text) + "': " + why);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

bool is_name(std::string_view text, std::size_t characters_max) {
    const auto allowed = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.'; };
    return !text.empty() && text.size() <= characters_max && text.front() != '.' &&
           std::all_of(text.begin(), text.end(), allowed);
}

void read_cable(std::string_view text, std::string_view cable, device_configuration& device) {
    if (cable.starts_with("wire:")) {
        device.cable = cable_kind::wire;
        device.wire = cable.substr(5);
        if (!is_name(device.wire, 48)) refuse(text, "a wire's name has 1 to 48 letters, digits, '_', '-' or '.'");
    } else if (cable.starts_with("netdev:")) {
        device.cable = cable_kind::netdev;
        device.interface = cable.substr(7);
        if (device.interface.empty() || device.interface.size() >= IFNAMSIZ) refuse(text, "no such interface name");
    } else {
        refuse(text, "the cable is wire:NAME or netdev:INTERFACE");
    }
}

void read_option(std::string_view text, std::string_view option, device_configuration& device) {
    if (option.starts_with("netdev=") && device.cable == cable_kind::wire) {
        device.interface = option.substr(7);
        if (device.interface.empty() || device.interface.size() >= IFNAMSIZ) refuse(text, "no such interface name");
    } else {
        refuse(text, "unknown option '" + std::string(option) + "'");
    }
}

device_configuration parse_device(std::string_view text) {
    device_configuration device;
    const std::vector<std::string_view> parts = split(text, ',');
    const std::size_t equals = parts.front().find('=');
    if (equals == std::string_view::npos) refuse(text, "expected NAME=CABLE");
    device.name = parts.front().substr(0, equals);
    if (!is_name(device.name, IBV_SYSFS_NAME_MAX - 8)) {
        refuse(text, "a device's name has 1 to 56 letters, digits, '_', '-' or '.'");
    }
    read_cable(text, parts.front().substr(equals + 1), device);
    for (std::size_t i = 1; i < parts.size(); ++i) read_option(text, parts[i], device);
    return device;
}

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

std::vector<device_configuration> parse_devices(std::string_view text) {
    std::vector<device_configuration> devices;
    for (const std::string_view part : split(text, ';')) {
        device_configuration device = parse_device(part);
        const auto same = [&](const device_configuration& other) { return other.name == device.name; };
        if (std::any_of(devices.begin(), devices.end(), same)) refuse(part, "the name is taken");
        devices.push_back(std::move(device));
    }
    return devices;
}

configuration configuration_from_environment() {
    configuration result;
    const std::string devices = environment("VERBCAST_SOFTNIC_DEVICES");
    result.devices = parse_devices(devices.empty() ? "softnic0=wire:default" : devices);
    const std::string strict = environment("VERBCAST_SOFTNIC_STRICT");
    result.strict = !strict.empty() && strict != "0";
    result.faults_file = environment("VERBCAST_SOFTNIC_FAULTS");
    result.truth_folder = environment("VERBCAST_SOFTNIC_TRUTH");
    for (device_configuration& each : result.devices) each.keeps_accounts = !result.truth_folder.empty();
    result.runtime_folder = environment("VERBCAST_SOFTNIC_RUNTIME");
    return result;
}

}  // namespace softnic
