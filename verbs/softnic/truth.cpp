// SPDX-License-Identifier: BSD-3-Clause
#include "truth.hpp"

#include "port.hpp"

#include "queue_account.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <ostream>
#include <string_view>
#include <system_error>

namespace softnic {
namespace {

/// An object of JSON whose members are numbers; names have nothing to escape.
class counter_object {
public:
    explicit counter_object(std::ostream& out) : out_(out) { out_ << '{'; }
    ~counter_object() { out_ << '}'; }
    counter_object(const counter_object&) = delete;
    counter_object& operator=(const counter_object&) = delete;

    std::ostream& member(std::string_view name) {
        if (!first_) out_ << ',';
        first_ = false;
        return out_ << '"' << name << "\":";
    }
    void member(std::string_view name, std::uint64_t value) { member(name) << value; }

private:
    std::ostream& out_;
    bool first_ = true;
};

void write_queue(std::ostream& out, const queue_account& account) {
    counter_object queue(out);
    queue.member("qpn", account.queue_number);
    queue.member("matched", account.matched);
    queue.member("delivered", account.delivered);
    queue.member("no_buffer", account.no_buffer);
    queue.member("length_error", account.length_error);
    queue.member("protection_error", account.protection_error);
    queue.member("not_receiving", account.not_receiving);
    queue.member("overrun", account.overrun);
}

void write_lost(std::ostream& out, const port& attached) {
    counter_object lost(out);
    lost.member("fault", attached.account().lost_fault);
    lost.member("no_rule", attached.account().lost_no_rule);
    lost.member("drop_rule", attached.account().lost_drop_rule);
    lost.member("cable", attached.cable_lost());
}

void write_device(std::ostream& out, const port& attached) {
    const port_account& account = attached.account();
    counter_object device(out);
    device.member("offered", account.offered + attached.cable_lost());
    write_lost(device.member("lost"), attached);
    device.member("duplicated", account.duplicated);
    device.member("reordered", account.reordered);
    device.member("corrupted", account.corrupted);
    device.member("sent", account.sent);
    device.member("queues") << '[';
    bool first = true;
    for (const auto& each : attached.accounts()) {
        if (!first) out << ',';
        first = false;
        write_queue(out, *each);
    }
    out << ']';
}

}  // namespace

void write_truth(const std::string& folder, const std::vector<std::unique_ptr<device>>& devices,
                 const fault_script& faults) {
    const std::string path = folder + "/" + std::to_string(::getpid()) + ".json";
    const std::string unfinished = path + ".part";
    std::ofstream file(unfinished);
    file << "{\"devices\":";
    {
        counter_object all(file);
        for (const auto& each : devices) write_device(all.member(each->name()), each->attached_port());
    }
    if (faults.concerns_calls()) {
        file << ",\"failed_calls\":";
        counter_object failed(file);
        faults.for_each_failed([&](const std::string& verb, std::uint64_t calls) { failed.member(verb, calls); });
    }
    file << "}\n";
    file.close();
    // Renamed into place, so that a process killed now leaves the last whole truth.
    if (!file || std::rename(unfinished.c_str(), path.c_str()) != 0) {
        throw std::system_error(errno, std::generic_category(), "cannot write " + path);
    }
}

}  // namespace softnic
