// SPDX-License-Identifier: BSD-3-Clause
/// An executor for completion handlers that the library posts through Asio: it posts them by sync::post, so that the
/// scheduler knows of them.
#pragma once

#include <utility>

#include <boost/asio/execution.hpp>
#include <boost/asio/io_context.hpp>

#include "src/sync.hpp"

namespace verbcast::explorer {

class scheduled_executor {
public:
    explicit scheduled_executor(boost::asio::io_context& context) noexcept : context_(&context) {}

    boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept { return *context_; }
    static constexpr boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) noexcept {
        return boost::asio::execution::blocking.never;
    }
    scheduled_executor require(boost::asio::execution::blocking_t::never_t) const noexcept { return *this; }

    template <class Function>
    void execute(Function&& function) const {
        sync::post(*context_, std::forward<Function>(function));
    }
    friend bool operator==(const scheduled_executor&, const scheduled_executor&) noexcept = default;

private:
    boost::asio::io_context* context_;
};

}  // namespace verbcast::explorer
