// SPDX-License-Identifier: BSD-3-Clause
/// Everything that can fail fails once, at each point where it is called: memory, threads, callbacks. Nothing leaks,
/// hangs or ends the process; whoever called is told, or the stream ends with the error; and the next stream works.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <memory_resource>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>
#include <verbcast/stream.hpp>
#include <verbcast/thread_pool.hpp>

#include "support/datagram_sender.hpp"
#include "support/flood_reader.hpp"
#include "support/network_namespace.hpp"

using namespace verbcast;
using namespace verbcast::test;
using namespace std::chrono_literals;

namespace {

/// Lets one call of many fail, of those that are made while it is armed.
class fuse {
public:
    /// The call after `calls` more fails.
    void arm(std::int64_t calls) {
        blown_ = false;
        left_ = calls;
    }
    void disarm() { left_ = never; }
    /// Whether a call has failed since arm().
    bool blown() const { return blown_; }
    /// True for the call that is to fail.
    bool blows() noexcept {
        if (left_.load(std::memory_order_relaxed) == never || left_.fetch_sub(1) != 0) return false;
        blown_ = true;
        return true;
    }

private:
    static constexpr std::int64_t never = INT64_MIN;
    std::atomic<std::int64_t> left_{never};
    std::atomic<bool> blown_{false};
};

fuse memory;
fuse threads;
std::atomic<std::int64_t> blocks{0};  ///< that operator new has given and that were not given back

extern "C" {
// The linker's names, by its --wrap: Asio has the memory of its operations from there.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
void* __real_aligned_alloc(std::size_t alignment, std::size_t bytes);
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t bytes) {
    return memory.blows() ? nullptr : __real_aligned_alloc(alignment, bytes);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
}

void* allocate(std::size_t bytes, std::size_t alignment) {
    if (memory.blows()) throw std::bad_alloc();
    void* const block = alignment == 0
                            ? std::malloc(bytes)
                            : __real_aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (!block) throw std::bad_alloc();
    blocks.fetch_add(1, std::memory_order_relaxed);
    return block;
}

void* allocate_or_null(std::size_t bytes) noexcept {
    try {
        return allocate(bytes, 0);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

void deallocate(void* block) noexcept {
    if (!block) return;
    blocks.fetch_sub(1, std::memory_order_relaxed);
    std::free(block);
}

}  // namespace

// All that there are: sanitizers bring those that are missing here, and would find them mixed.
void* operator new(std::size_t bytes) { return allocate(bytes, 0); }
void* operator new[](std::size_t bytes) { return allocate(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
    return allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return allocate_or_null(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return allocate_or_null(bytes); }
void operator delete(void* block) noexcept { deallocate(block); }
void operator delete[](void* block) noexcept { deallocate(block); }
void operator delete(void* block, std::size_t) noexcept { deallocate(block); }
void operator delete[](void* block, std::size_t) noexcept { deallocate(block); }
void operator delete(void* block, std::align_val_t) noexcept { deallocate(block); }
void operator delete[](void* block, std::align_val_t) noexcept { deallocate(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { deallocate(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { deallocate(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { deallocate(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { deallocate(block); }

// std::thread's start, by the linker's --wrap. Its arguments are passed on as they are: the state by reference.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker's names
extern "C" {
void __real__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(void*, void*, void*);
void __wrap__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(void* thread,
                                                                                                  void* state,
                                                                                                  void* depends) {
    if (threads.blows()) throw std::system_error(EAGAIN, std::generic_category(), "a thread that is to fail");
    __real__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(thread, state,
                                                                                                 depends);
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace {

/// What came of a stream: whether someone was told of a failure, and how many heaps came.
struct account_of_one {
    bool told = false;
    std::uint64_t heaps = 0;
};

/// Runs one stream to its end.
using life = std::function<void(account_of_one&)>;

void run(const life& lived, account_of_one& seen) {
    try {
        lived(seen);
    } catch (const std::exception&) {  // whoever called was told
        seen.told = true;
    }
}

/// The life with each of its calls to `failing` failing once, until there is none left that could.
/// `silent`: a call whose failure costs speed only may fail unheard.
void fail_at_each_call(fuse& failing, const life& lived, bool silent) {
    account_of_one well;
    for (int i = 0; i < 3; ++i) {  // what is made once and kept is there then
        well = {};
        run(lived, well);
    }
    REQUIRE_FALSE(well.told);
    REQUIRE(well.heaps > 0);
    constexpr std::int64_t calls_max = 5000;
    std::int64_t call = 0;
    for (bool blown = true; blown; ++call) {
        REQUIRE(call < calls_max);
        const std::int64_t blocks_before = blocks;
        account_of_one seen;
        failing.arm(call);
        run(lived, seen);
        blown = failing.blown();
        failing.disarm();
        const std::int64_t leaked = blocks - blocks_before;
        INFO("call " << call << " fails");
        CHECK(leaked <= 0);
        if (blown && !silent) CHECK(seen.told);
        if (!seen.told) CHECK(seen.heaps == well.heaps);
        account_of_one next;
        run(lived, next);
        CHECK_FALSE(next.told);
        CHECK(next.heaps == well.heaps);
    }
    CHECK(call > 1);
}

const bytes& input() {
    static const bytes packets = [] {
        std::vector<bytes> all;
        for (std::uint64_t cnt = 1; cnt <= 6; ++cnt)
            for (bytes& each : encode(wire_heap{.cnt = cnt, .values = {{0x1000, pattern(2000, cnt)}}}.split()))
                all.push_back(std::move(each));
        return join(all);
    }();
    return packets;
}

/// A ring with a reader of memory, and a consumer that blocks.
void live_with_a_ring(account_of_one& seen) {
    const thread_pool pool{{.threads = 1}};
    ring_stream ring(pool, {.heaps = 2});
    if (!ring.add_reader(memory_reader_config{.bytes = input()})) throw std::runtime_error("stopped at once");
    for (pop_result popped = ring.pop(); popped; popped = ring.pop()) ++seen.heaps;
    seen.told = ring.reason().failed();
    if (!ring.stats().account.balanced()) throw std::logic_error("the account does not balance");
    ring.wait_released(std::chrono::steady_clock::now() + 10ms);
}

/// A sink, statistics and a memory resource of the user's, whose calls can fail.
struct user {
    fuse calls;

    void call(const char* what) {
        if (calls.blows()) throw std::runtime_error(what);
    }
};

class user_memory final : public std::pmr::memory_resource {
public:
    explicit user_memory(user& of) : of_(of) {}

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        of_.call("allocate");
        return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
    }
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    user& of_;
};

void live_with_a_user(user& calls, account_of_one& seen) {
    boost::asio::io_context context;
    stream receiver(context,
                    [&](const heap_ref&) {
                        calls.call("sink");
                        ++seen.heaps;
                    },
                    {.memory = std::make_shared<user_memory>(calls),
                     .place_payload = [&](const payload_placement&) { calls.call("placer"); },
                     .on_event = [&](const stream_event&) { calls.call("event"); }});
    receiver.add_reader(memory_reader_config{.bytes = input()});
    context.run();
    if (!receiver.reason().stopped()) throw std::logic_error("it has not stopped");
    if (!receiver.stats().account.balanced()) throw std::logic_error("the account does not balance");
    seen.told = receiver.reason().failed();
}

}  // namespace

// NOLINTBEGIN(clang-analyzer-unix.Malloc): the analyzer sees malloc behind operator new, and not who owns what it gives
TEST_CASE("memory that runs out once, anywhere, ends one stream at most", "[failures]") {
    fail_at_each_call(memory, live_with_a_ring, true);
}

TEST_CASE("memory that runs out once in the life of a reader of sockets ends one stream at most", "[failures]") {
    enter_network_namespace();
    // A group's: nobody says that a port is closed, which the next send would be told.
    datagram_sender sender({.address = "239.1.1.1", .interface = "lo"});
    const bytes heap = wire_packet{.heap_cnt = 1, .heap_length = 8, .payload = pattern(8)}.encode();
    const bytes stop = stop_packet(2).encode();
    fail_at_each_call(
        memory,
        [&](account_of_one& seen) {
            const thread_pool pool{{.threads = 1}};
            ring_stream ring(pool);
            ring.add_reader(udp_reader_config{.groups = {{"239.1.1.1", 7148, {}}}, .interface = "lo"});
            sender.send(heap);
            sender.send(stop);
            while (ring.pop()) ++seen.heaps;
            seen.told = ring.reason().failed();
            if (!ring.stats().account.balanced()) throw std::logic_error("the account does not balance");
        },
        true);
}

TEST_CASE("a pop that makes room for a reader takes no memory", "[failures]") {
    boost::asio::io_context context;
    ring_stream ring(context, {.heaps = 1});
    ring.add_reader(std::make_unique<flood_reader>(context, flood_packets(), true));
    context.run_for(1ms);
    for (int round = 0; round < 10; ++round) {
        context.restart();
        context.poll();  // until the reader is parked, having nothing else to do
        memory.arm(0);
        const pop_result popped = ring.try_pop();
        memory.disarm();
        REQUIRE(popped);
        CHECK_FALSE(memory.blown());
    }
}

TEST_CASE("an asynchronous pop completes, whenever memory runs out", "[failures]") {
    fail_at_each_call(
        memory,
        [](account_of_one& seen) {
            boost::asio::io_context consumers;
            bool completed = false;
            {
                const thread_pool pool{{.threads = 1}};
                ring_stream ring(pool);
                ring.source().size();
                heap_source source = ring.source();
                source.async_pop(boost::asio::bind_executor(
                    consumers.get_executor(), [&](const boost::system::error_code& error, const heap_ref&) {
                        completed = true;
                        seen.told = seen.told || (error && error != boost::asio::error::operation_aborted);
                        seen.heaps += !error;
                    }));
                ring.add_reader(memory_reader_config{.bytes = input()});
                while (!ring.reason().stopped()) std::this_thread::yield();
                seen.told = seen.told || ring.reason().failed();
            }
            consumers.run();
            if (!completed) throw std::logic_error("the pop did not complete");
        },
        true);
}

TEST_CASE("threads that cannot be started are told to whoever makes a pool", "[failures]") {
    fail_at_each_call(
        threads,
        [](account_of_one& seen) {
            const thread_pool pool{{.threads = 3}};
            live_with_a_ring(seen);
        },
        false);
}

TEST_CASE("a callback that throws once, whichever and whenever, ends its stream with the exception", "[failures]") {
    user calls;
    fail_at_each_call(
        calls.calls, [&calls](account_of_one& seen) { live_with_a_user(calls, seen); }, false);
}
// NOLINTEND(clang-analyzer-unix.Malloc)
