#pragma once

#include "replicator/io/loop.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace pgchronicle::replicator::io {

/// The loop of a process: Asio's, and the steady clock. Serves one session.
class AsioLoop : public Loop {
public:
    AsioLoop() : timer_{context_} {}

    [[nodiscard]] Clock::time_point now() const override { return Clock::now(); }
    void post(Call call) override;
    void call_at(Clock::time_point time, Call call) override;
    void run() override { context_.run(); }
    void stop() override { context_.stop(); }

    [[nodiscard]] boost::asio::any_io_executor executor() { return context_.get_executor(); }

private:
    boost::asio::io_context context_;
    boost::asio::steady_timer timer_;
};

}  // namespace pgchronicle::replicator::io
