// SPDX-License-Identifier: BSD-3-Clause
// librdmacm: how many programs find the device of an interface.
#include "child.hpp"
#include "nic.hpp"

#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <rdma/rdma_cma.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace {

struct destroy_channel {
    void operator()(rdma_event_channel* each) const { rdma_destroy_event_channel(each); }
};
using channel = std::unique_ptr<rdma_event_channel, destroy_channel>;
struct destroy_id {
    void operator()(rdma_cm_id* each) const { rdma_destroy_id(each); }
};
using identifier = std::unique_ptr<rdma_cm_id, destroy_id>;

identifier make_id(rdma_event_channel* events) {
    rdma_cm_id* id = nullptr;
    REQUIRE(rdma_create_id(events, &id, nullptr, RDMA_PS_UDP) == 0);
    return identifier(id);
}

sockaddr_in address(const char* text, std::uint16_t port = 0) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = htons(port);
    ::inet_pton(AF_INET, text, &result.sin_addr);
    return result;
}

int bind(rdma_cm_id* id, sockaddr_in wanted) { return rdma_bind_addr(id, reinterpret_cast<sockaddr*>(&wanted)); }

int resolve(rdma_cm_id* id, std::optional<sockaddr_in> source, sockaddr_in destination) {
    return rdma_resolve_addr(id, source ? reinterpret_cast<sockaddr*>(&*source) : nullptr,
                             reinterpret_cast<sockaddr*>(&destination), 1000);
}

}  // namespace

TEST_CASE("an id bound to an address has the context, the domain and the port of its device") {
    const channel events(rdma_create_event_channel());
    REQUIRE(events);
    const identifier id = make_id(events.get());
    CHECK(id->verbs == nullptr);
    REQUIRE(bind(id.get(), address("127.0.0.1")) == 0);
    REQUIRE(id->verbs != nullptr);
    CHECK(id->port_num == 1);
    CHECK(std::string(ibv_get_device_name(id->verbs->device)) == "softnic0");
    REQUIRE(id->pd != nullptr);
    CHECK(id->pd->context == id->verbs);
    CHECK(rdma_get_src_port(id.get()) != 0);
    ibv_device_attr attributes{};
    CHECK(ibv_query_device(id->verbs, &attributes) == 0);
}

TEST_CASE("ids of one device share its context") {
    const channel events(rdma_create_event_channel());
    const identifier first = make_id(events.get());
    const identifier second = make_id(events.get());
    REQUIRE(bind(first.get(), address("127.0.0.1")) == 0);
    REQUIRE(bind(second.get(), address("127.0.0.1")) == 0);
    CHECK(first->verbs == second->verbs);
}

TEST_CASE("an address of no device is ENODEV, and a wildcard binds to no device") {
    const channel events(rdma_create_event_channel());
    const identifier id = make_id(events.get());
    errno = 0;
    CHECK(bind(id.get(), address("192.0.2.77")) == -1);
    CHECK(errno == ENODEV);
    REQUIRE(bind(id.get(), address("0.0.0.0", 4000)) == 0);
    CHECK(id->verbs == nullptr);
    CHECK(rdma_get_src_port(id.get()) == htons(4000));
}

TEST_CASE("an id that is bound cannot be bound again") {
    const channel events(rdma_create_event_channel());
    const identifier id = make_id(events.get());
    REQUIRE(bind(id.get(), address("127.0.0.1")) == 0);
    errno = 0;
    CHECK(bind(id.get(), address("127.0.0.1")) == -1);
    CHECK(errno == EINVAL);
}

TEST_CASE("an id that resolves an address has the device that the route leads to, and an event says so") {
    const channel events(rdma_create_event_channel());
    const identifier id = make_id(events.get());
    REQUIRE(resolve(id.get(), std::nullopt, address("127.0.0.9", 5000)) == 0);
    rdma_cm_event* event = nullptr;
    REQUIRE(rdma_get_cm_event(events.get(), &event) == 0);
    CHECK(event->event == RDMA_CM_EVENT_ADDR_RESOLVED);
    CHECK(event->status == 0);
    CHECK(event->id == id.get());
    CHECK(rdma_ack_cm_event(event) == 0);
    REQUIRE(id->verbs != nullptr);
    CHECK(id->pd->context == id->verbs);
    CHECK(rdma_get_dst_port(id.get()) == htons(5000));
    CHECK(reinterpret_cast<const sockaddr_in&>(id->route.addr.src_addr).sin_addr.s_addr == htonl(INADDR_LOOPBACK));
}

TEST_CASE("a group is resolved from the source address that is given") {
    const channel events(rdma_create_event_channel());
    const identifier id = make_id(events.get());
    REQUIRE(resolve(id.get(), address("127.0.0.1"), address("239.1.2.3")) == 0);
    CHECK(std::string(ibv_get_device_name(id->verbs->device)) == "softnic0");
    errno = 0;
    CHECK(resolve(id.get(), std::nullopt, address("239.1.2.3")) == -1);
    CHECK(errno == EINVAL);  // it is resolved already
}

TEST_CASE("a route to no device is an event with the error, and the error of a synchronous id") {
    nic_test::child process({}, [](const nic_test::child::parent& parent) {
        // A network with loopback alone leads nowhere else.
        const int own_user = ::geteuid() == 0 ? 0 : CLONE_NEWUSER;
        if (::unshare(CLONE_NEWNET | own_user) != 0) throw std::runtime_error("unshare");
        const channel events(rdma_create_event_channel());
        const identifier id = make_id(events.get());
        std::ostringstream said;
        said << resolve(id.get(), std::nullopt, address("192.0.2.1")) << ' ';
        rdma_cm_event* event = nullptr;
        if (rdma_get_cm_event(events.get(), &event) != 0) throw std::runtime_error("rdma_get_cm_event");
        said << rdma_event_str(event->event) << ' ' << (event->status == -ENETUNREACH) << ' ';
        rdma_ack_cm_event(event);
        const identifier synchronous = make_id(nullptr);
        errno = 0;
        said << resolve(synchronous.get(), std::nullopt, address("192.0.2.1")) << ' ' << (errno == ENETUNREACH);
        parent.say(said.str());
    });
    CHECK(process.hear() == "0 RDMA_CM_EVENT_ADDR_ERROR 1 -1 1");
    CHECK(process.wait() == 0);
}

TEST_CASE("destroying an id waits until its events have been acknowledged, and takes those that nobody has taken") {
    const channel events(rdma_create_event_channel());
    identifier id = make_id(events.get());
    REQUIRE(resolve(id.get(), std::nullopt, address("127.0.0.1")) == 0);
    rdma_cm_event* event = nullptr;
    REQUIRE(rdma_get_cm_event(events.get(), &event) == 0);
    std::atomic<bool> destroyed{false};
    std::thread destroying([&] {
        id.reset();
        destroyed = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK_FALSE(destroyed);
    rdma_ack_cm_event(event);
    destroying.join();
    id = make_id(events.get());
    REQUIRE(resolve(id.get(), std::nullopt, address("127.0.0.1")) == 0);
    id.reset();
    REQUIRE(::fcntl(events->fd, F_SETFL, O_NONBLOCK) == 0);
    CHECK(rdma_get_cm_event(events.get(), &event) == -1);
}

TEST_CASE("the options of an id are taken, and others are ENOSYS") {
    const channel events(rdma_create_event_channel());
    const identifier id = make_id(events.get());
    int yes = 1;
    CHECK(rdma_set_option(id.get(), RDMA_OPTION_ID, RDMA_OPTION_ID_REUSEADDR, &yes, sizeof yes) == 0);
    errno = 0;
    CHECK(rdma_set_option(id.get(), RDMA_OPTION_ID, RDMA_OPTION_ID_REUSEADDR, &yes, 1) == -1);
    CHECK(errno == EINVAL);
    errno = 0;
    CHECK(rdma_set_option(id.get(), RDMA_OPTION_IB, RDMA_OPTION_IB_PATH, &yes, sizeof yes) == -1);
    CHECK(errno == ENOSYS);
}

TEST_CASE("rdma_get_devices lists the open devices, and ends with a null pointer") {
    int number = 0;
    ibv_context** list = rdma_get_devices(&number);
    REQUIRE(list != nullptr);
    CHECK(number == 1);
    CHECK(list[number] == nullptr);
    rdma_free_devices(list);
}

TEST_CASE("an event channel that does not block gives EAGAIN, and connections are ENOSYS") {
    const channel events(rdma_create_event_channel());
    REQUIRE(::fcntl(events->fd, F_SETFL, O_NONBLOCK) == 0);
    rdma_cm_event* event = nullptr;
    errno = 0;
    CHECK(rdma_get_cm_event(events.get(), &event) == -1);
    CHECK(errno == EAGAIN);
    const identifier id = make_id(events.get());
    errno = 0;
    CHECK(rdma_listen(id.get(), 1) == -1);
    CHECK(errno == ENOSYS);
    CHECK(std::string(rdma_event_str(RDMA_CM_EVENT_ESTABLISHED)) == "RDMA_CM_EVENT_ESTABLISHED");
}
