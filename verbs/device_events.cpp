// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/device_events.hpp"

#include <cerrno>

#include <fcntl.h>

#include "verbs/verbs_error.hpp"

namespace verbcast::verbs {
namespace {

device_event_kind kind_of(const ibv_async_event& event, std::uint8_t port) noexcept {
    switch (event.event_type) {
    case IBV_EVENT_CQ_ERR:
    case IBV_EVENT_QP_FATAL:
    case IBV_EVENT_QP_REQ_ERR:
    case IBV_EVENT_QP_ACCESS_ERR: return device_event_kind::queue_dead;
    case IBV_EVENT_DEVICE_FATAL: return device_event_kind::device_dead;
    case IBV_EVENT_PORT_ACTIVE:
        return event.element.port_num == port ? device_event_kind::port_active : device_event_kind::other;
    case IBV_EVENT_PORT_ERR:
        return event.element.port_num == port ? device_event_kind::port_down : device_event_kind::other;
    default: return device_event_kind::other;
    }
}

}  // namespace

device_events::device_events(const device& owner) : owner_(owner) {
    const int flags = ::fcntl(descriptor(), F_GETFL);
    if (flags < 0 || ::fcntl(descriptor(), F_SETFL, flags | O_NONBLOCK) != 0)
        throw_verbs_error(errno, "fcntl(O_NONBLOCK) of asynchronous events", owner.name());
}

std::optional<device_event> device_events::next() {
    ibv_async_event event{};
    if (ibv_get_async_event(owner_.get(), &event) != 0) return {};
    device_event result{kind_of(event, owner_.port()), ibv_event_type_str(event.event_type)};
    ibv_ack_async_event(&event);
    return result;
}

int port_trouble(const device& owner) noexcept {
    ibv_port_attr ignored{};
    return ibv_query_port(owner.get(), owner.port(), &ignored);
}

}  // namespace verbcast::verbs
