// SPDX-License-Identifier: BSD-3-Clause
#include "wire_memory.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <system_error>

namespace softnic {
namespace {

using namespace wire_layout;

constexpr int join_attempts_max = 50;
constexpr timeval answer_limit{.tv_sec = 0, .tv_usec = 200'000};

[[noreturn]] void fail(const char* call, int error = errno) {
    throw std::system_error(error, std::generic_category(), call);
}

struct socket_name {
    sockaddr_un address{};
    socklen_t bytes = 0;
};

socket_name name_of(const std::string& wire) {
    const std::string text = "verbcast-softnic/" + std::to_string(::geteuid()) + "/" + wire;
    socket_name name;
    name.address.sun_family = AF_UNIX;
    std::memcpy(name.address.sun_path + 1, text.data(), text.size());  // the leading zero makes it abstract
    name.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
    return name;
}

descriptor seqpacket_socket(int flags = 0) {
    descriptor result(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0));
    if (!result) fail("socket");
    return result;
}

/// The name belongs to whoever binds it first, so memory is taken only from a process of the same user.
bool same_user(int connection) noexcept {
    ucred peer{};
    socklen_t bytes = sizeof peer;
    return ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && peer.uid == ::geteuid();
}

union descriptor_message {
    cmsghdr header;
    std::array<char, CMSG_SPACE(2 * sizeof(int))> bytes;
};

struct shared_descriptors {
    descriptor listener;
    descriptor memory;
};

shared_descriptors receive_descriptors(int connection) {
    char byte = 0;
    iovec data{&byte, 1};
    descriptor_message control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    if (::recvmsg(connection, &message, MSG_CMSG_CLOEXEC) != 1) return {};
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(2 * sizeof(int)))
        return {};
    std::array<int, 2> numbers{};
    std::memcpy(numbers.data(), CMSG_DATA(header), sizeof numbers);
    return {descriptor(numbers[0]), descriptor(numbers[1])};
}

void send_descriptors(int connection, int listener, int memory) noexcept {
    char byte = 0;
    iovec data{&byte, 1};
    descriptor_message control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(2 * sizeof(int));
    const std::array<int, 2> numbers{listener, memory};
    std::memcpy(CMSG_DATA(header), numbers.data(), sizeof numbers);
    // A newcomer that has gone away again needs no answer, and one that waits in vain asks again.
    [[maybe_unused]] const ssize_t sent = ::sendmsg(connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/// Asks a process on the wire. Nothing when there is none, or when it died before it answered.
shared_descriptors ask(const socket_name& name) {
    const descriptor connection = seqpacket_socket();
    ::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &answer_limit, sizeof answer_limit);
    ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &answer_limit, sizeof answer_limit);
    if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&name.address), name.bytes) != 0) return {};
    if (!same_user(connection.get())) fail("wire", EACCES);
    return receive_descriptors(connection.get());
}

/// Takes the name. Nothing when another process has it.
descriptor take_name(const socket_name& name) {
    descriptor listener = seqpacket_socket(SOCK_NONBLOCK);
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&name.address), name.bytes) != 0) {
        if (errno == EADDRINUSE) return {};
        fail("bind");
    }
    if (::listen(listener.get(), 64) != 0) fail("listen");
    return listener;
}

descriptor make_memory() {
    descriptor memory(::memfd_create("verbcast-softnic-wire", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memory) fail("memfd_create");
    if (::ftruncate(memory.get(), memory_bytes) != 0) fail("ftruncate");
    // Nobody can take memory away under the feet of the others.
    if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) fail("F_ADD_SEALS");
    return memory;
}

std::shared_ptr<wire_memory> join_or_make(const std::string& wire) {
    const socket_name name = name_of(wire);
    for (int attempt = 0; attempt < join_attempts_max; ++attempt) {
        shared_descriptors shared = ask(name);
        if (shared.listener) return std::make_shared<wire_memory>(std::move(shared.listener), std::move(shared.memory));
        if (descriptor listener = take_name(name))
            return std::make_shared<wire_memory>(std::move(listener), make_memory());
    }
    fail("wire: no process on it answers", ETIMEDOUT);
}

struct wire_registry {
    std::mutex mutex;
    std::map<std::string, std::weak_ptr<wire_memory>> wires;
};

wire_registry& registry() {
    // Never destroyed: devices outlive static destruction.
    static wire_registry* const wires = [] {
        ::pthread_atfork([] { registry().mutex.lock(); }, [] { registry().mutex.unlock(); },
                         [] {
                             for (auto& [name, wire] : registry().wires) {
                                 if (const auto memory = wire.lock()) memory->abandon();
                             }
                             registry().mutex.unlock();
                         });
        return new wire_registry;
    }();
    return *wires;
}

}  // namespace

std::shared_ptr<wire_memory> wire_memory::join(const std::string& name) {
    wire_registry& wires = registry();
    const std::scoped_lock lock(wires.mutex);
    std::weak_ptr<wire_memory>& known = wires.wires[name];
    std::shared_ptr<wire_memory> memory = known.lock();
    if (!memory) known = memory = join_or_make(name);
    return memory;
}

wire_memory::wire_memory(descriptor listener, descriptor memory)
    : listener_(std::move(listener)), memory_(std::move(memory)) {
    struct stat status {};
    if (::fstat(memory_.get(), &status) != 0) fail("fstat");
    if (static_cast<std::size_t>(status.st_size) != memory_bytes) fail("wire of another version", EPROTO);
    void* mapped = ::mmap(nullptr, sizeof(wire_layout::header), PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
    if (mapped == MAP_FAILED) fail("mmap");
    header_ = static_cast<wire_layout::header*>(mapped);
    std::uint64_t expected = 0;
    if (!header_->magic.compare_exchange_strong(expected, wire_layout::magic) && expected != wire_layout::magic) {
        ::munmap(mapped, sizeof(wire_layout::header));
        fail("wire of another version", EPROTO);
    }
}

wire_memory::~wire_memory() {
    for (std::byte* ring : rings_) {
        if (ring != nullptr) ::munmap(ring, 2 * ring_bytes);
    }
    ::munmap(header_, sizeof(wire_layout::header));
}

std::byte* wire_memory::ring(unsigned port) {
    const std::scoped_lock lock(rings_mutex_);
    if (rings_[port] != nullptr) return rings_[port];
    void* reserved = ::mmap(nullptr, 2 * ring_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) fail("mmap");
    auto* base = static_cast<std::byte*>(reserved);
    for (std::byte* half : {base, base + ring_bytes}) {
        if (::mmap(half, ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory_.get(),
                   static_cast<off_t>(ring_offset(port))) == MAP_FAILED) {
            const int error = errno;
            ::munmap(base, 2 * ring_bytes);
            fail("mmap", error);
        }
    }
    rings_[port] = base;
    return base;
}

bool wire_memory::lock_port(unsigned port) const noexcept {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = port;
    lock.l_len = 1;
    return ::fcntl(memory_.get(), F_SETLK, &lock) == 0;
}

unsigned wire_memory::claim_port() {
    for (unsigned port = 0; port < ports_max; ++port) {
        const std::uint64_t bit = std::uint64_t{1} << port;
        // The record lock does not tell two ports of one process apart.
        if ((own_ports_.fetch_or(bit) & bit) != 0) continue;
        if (!lock_port(port)) {
            own_ports_.fetch_and(~bit);
            continue;
        }
        port_slot& slot = header_->ports[port];
        const std::uint64_t generation = (slot.listening.load() & ~std::uint64_t{state_mask}) + state_mask + 1;
        slot.listening.store(generation | idle);
        std::uint32_t used = header_->ports_used.load();
        while (used <= port && !header_->ports_used.compare_exchange_weak(used, port + 1)) {
        }
        return port;
    }
    fail("wire: all ports are taken", ENOSPC);
}

void wire_memory::give_back_port(unsigned port) noexcept {
    struct flock lock {};
    lock.l_type = F_UNLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = port;
    lock.l_len = 1;
    ::fcntl(memory_.get(), F_SETLK, &lock);
    own_ports_.fetch_and(~(std::uint64_t{1} << port));
}

bool wire_memory::alive(unsigned port) const noexcept {
    if ((own_ports_.load() >> port & 1) != 0) return true;
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = port;
    lock.l_len = 1;
    return ::fcntl(memory_.get(), F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

void wire_memory::answer() const noexcept {
    for (;;) {
        const descriptor connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!connection) return;
        if (same_user(connection.get())) send_descriptors(connection.get(), listener_.get(), memory_.get());
    }
}

void wire_memory::abandon() noexcept {
    listener_.close();
    memory_.close();
}

}  // namespace softnic
