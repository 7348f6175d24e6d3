// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/thread_pool.hpp>

#include <string>
#include <system_error>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <pthread.h>

#include <verbcast/error.hpp>

#include "src/binding.hpp"

namespace verbcast {
void thread_pool_config::validate() const {
    constexpr std::size_t threads_max = 1024;
    if (threads < 1 || threads > threads_max)
        throw config_error("threads", std::to_string(threads), "must be 1 to " + std::to_string(threads_max));
    place.validate();
}

class thread_pool::state {
public:
    explicit state(const thread_pool_config& config)
        : placed_(place_here(config.place, config.threads)),
          context_(std::make_shared<boost::asio::io_context>(static_cast<int>(config.threads))),
          work_(context_->get_executor()) {
        try {
            for (std::size_t i = 0; i < config.threads; ++i) start(config, i);
        } catch (...) {
            end();
            throw;
        }
    }
    ~state() { end(); }

    boost::asio::io_context& context() const noexcept { return *context_; }
    std::size_t threads() const noexcept { return threads_.size(); }
    const placement_report& placed() const noexcept { return placed_; }

private:
    void start(const thread_pool_config& config, std::size_t index) {
        // Each thread keeps the context: the one that is detached outlives this.
        std::thread& started = threads_.emplace_back([context = context_] { context->run(); });
        ::pthread_setname_np(started.native_handle(),
                             (config.name.substr(0, 12) + "/" + std::to_string(index)).substr(0, 15).c_str());
        if (!placed_.cores.empty()) bind_thread(started.native_handle(), placed_.cores[index % placed_.cores.size()]);
    }

    void end() noexcept {
        context_->stop();
        for (std::thread& each : threads_) {
            if (each.get_id() == std::this_thread::get_id())
                each.detach();  // it holds the last handle: it cannot wait for itself
            else
                each.join();
        }
    }

    const placement_report placed_;
    std::shared_ptr<boost::asio::io_context> context_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::vector<std::thread> threads_;
};

thread_pool::thread_pool(const thread_pool_config& config) {
    config.validate();
    state_ = std::make_shared<state>(config);
}

boost::asio::io_context& thread_pool::context() const noexcept { return state_->context(); }
std::size_t thread_pool::threads() const noexcept { return state_->threads(); }
const placement_report& thread_pool::placed() const noexcept { return state_->placed(); }
void thread_pool::stop() const noexcept { state_->context().stop(); }

}  // namespace verbcast
