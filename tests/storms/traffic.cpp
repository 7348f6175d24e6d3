// SPDX-License-Identifier: BSD-3-Clause
#include "storms/traffic.hpp"

#include <atomic>
#include <functional>
#include <semaphore>
#include <thread>
#include <utility>

#include <verbcast/readers.hpp>

#include "support/datagram_sender.hpp"
#include "support/flood_reader.hpp"
#include "support/frame_builder.hpp"
#include "support/network_namespace.hpp"
#include "support/nic_wire.hpp"
#include "support/temporary_file.hpp"

namespace verbcast::test {
namespace {

constexpr std::uint16_t port = 7148;

/// Enough for some batches; the end of it comes into some storms too.
std::vector<bytes> long_input() {
    std::vector<bytes> all;
    for (int i = 0; i < 60; ++i)
        for (const bytes& each : flood_packets()) all.push_back(each);
    return all;
}

class memory_traffic final : public traffic {
public:
    std::string name() const override { return "memory"; }
    bool ends() const override { return true; }
    void begin(stream_base& receiving) override { receiving.add_reader(memory_reader_config{.bytes = input_}); }

private:
    const bytes input_ = join(long_input());
};

class pcap_traffic final : public traffic {
public:
    std::string name() const override { return "pcap"; }
    bool ends() const override { return true; }
    void begin(stream_base& receiving) override { receiving.add_reader(pcap_reader_config{.file = file_.name()}); }

private:
    static bytes capture() {
        std::vector<wire_capture> frames;
        for (bytes& each : long_input())
            frames.push_back({.frame = ethernet_frame(wire_datagram{.payload = std::move(each)}.encode())});
        return capture_file(frames);
    }

    const temporary_file file_{capture()};
};

class flood_traffic final : public traffic {
public:
    std::string name() const override { return "user"; }
    void begin(stream_base& receiving) override {
        for (int i = 0; i < 2; ++i)
            receiving.add_reader(std::make_unique<flood_reader>(receiving.context(), flood_packets(), true));
    }
};

/// A thread that sends while it is told to.
class sender {
public:
    explicit sender(std::function<void()> send_some) : send_some_(std::move(send_some)), thread_([this] { work(); }) {}
    ~sender() {
        gone_ = true;
        turn_.release();
        thread_.join();
    }
    void begin() {
        sends_ = true;
        turn_.release();
    }
    void end() {
        sends_ = false;
        idle_.acquire();
    }

private:
    void work() {
        for (;;) {
            turn_.acquire();
            if (gone_) return;
            while (sends_) send_some_();
            idle_.release();
        }
    }

    std::function<void()> send_some_;
    std::atomic<bool> sends_{false};
    std::atomic<bool> gone_{false};
    std::binary_semaphore turn_{0};
    std::binary_semaphore idle_{0};
    std::thread thread_;
};

class udp_traffic final : public traffic {
public:
    std::string name() const override { return "udp"; }
    void begin(stream_base& receiving) override {
        receiving.add_reader(udp_reader_config{
            .groups = {{"239.1.1.1", port, {}}, {"239.1.1.2", port, {}}}, .interface = "lo", .buffer_bytes = 1_MiB});
        sender_.begin();
    }
    void end() override { sender_.end(); }

private:
    void send_some() {
        for (const bytes& each : packets_) {
            one_.send(each);
            two_.send(each);
        }
    }

    const std::vector<bytes> packets_ = flood_packets();
    datagram_sender one_{{.address = "239.1.1.1", .interface = "lo"}};
    datagram_sender two_{{.address = "239.1.1.2", .interface = "lo"}};
    sender sender_{[this] { send_some(); }};
};

class ibv_traffic final : public traffic {
public:
    std::string name() const override { return "ibv"; }
    void begin(stream_base& receiving) override {
        ibv_reader_config config{.interface = "lo", .buffer_bytes = 1_MiB, .packet_bytes_max = 2000};
        config.groups.push_back({"239.255.88.1", port, {}});
        receiving.add_reader(config);
        sender_.begin();
    }
    void end() override { sender_.end(); }

private:
    static std::vector<bytes> frames() {
        std::vector<bytes> all;
        for (bytes& each : flood_packets()) all.push_back(wire_frame{.payload = std::move(each)}.encode());
        return all;
    }

    const std::vector<bytes> frames_ = frames();
    nic_wire wire_;
    sender sender_{[this] { wire_.send(frames_); }};
};

}  // namespace

std::vector<std::unique_ptr<traffic>> all_traffic() {
    enter_network_namespace();
    std::vector<std::unique_ptr<traffic>> all;
    all.push_back(std::make_unique<memory_traffic>());
    all.push_back(std::make_unique<pcap_traffic>());
    all.push_back(std::make_unique<flood_traffic>());
    all.push_back(std::make_unique<udp_traffic>());
    all.push_back(std::make_unique<ibv_traffic>());
    return all;
}

}  // namespace verbcast::test
