#pragma once

#include "http/answer_cache.hpp"
#include "http/metrics.hpp"
#include "http/position_watch.hpp"
#include "http/reader_pool.hpp"
#include "http/router.hpp"
#include "log/log.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace pgchronicle::http {

/// From requests to answers: finds the endpoint, and has the target asked where that is needed,
/// once for equal requests that come together. Thread: the server's.
class Responder {
public:
    struct Parts {
        boost::asio::io_context& io;
        const Router& router;
        ReaderPool& readers;
        Metrics& metrics;
        log::Logger& log;
        std::string pipeline;
        CacheLimits cache;
        std::vector<std::string> hosts;   ///< Names under which it may be asked.
        std::function<bool()> is_public;  ///< Others than this host reach it: under any name.
    };

    explicit Responder(Parts parts);

    using Reply = std::function<void(const SharedAnswer&)>;
    /// For an endpoint that goes on: the request, with its route found.
    using Events = std::function<void(Request)>;

    /// Calls one of the two, now or later, on this thread.
    void answer(Request request, Reply reply, const Events& events);

    [[nodiscard]] PositionWatch& watch() { return watch_; }
    [[nodiscard]] ReaderPool& readers() { return parts_.readers; }
    [[nodiscard]] Metrics& metrics() { return parts_.metrics; }
    [[nodiscard]] log::Logger& log() { return parts_.log; }
    [[nodiscard]] boost::asio::io_context& io() { return parts_.io; }
    [[nodiscard]] const std::string& pipeline() const { return parts_.pipeline; }

    /// What waits is answered now, with an error where it has to be.
    void stop() { watch_.stop(); }

    /// The answer to what a failure amounts to; what a client is not told goes to the log.
    [[nodiscard]] SharedAnswer refuse(const std::exception_ptr& failure, const std::string& target);

private:
    struct Question;
    void route(const std::shared_ptr<Question>& question, const Events& events);
    static void take_least(Question& question);
    void await_position(const std::shared_ptr<Question>& question);
    void look_up(const std::shared_ptr<Question>& question);
    void give_up(const Question& question);
    void ask_target(const std::shared_ptr<Question>& question);
    void ask_position();
    void reply(const Question& question, const SharedAnswer& answer);

    Parts parts_;
    AnswerCache cache_;
    bool asking_position_{false};
    PositionWatch watch_;
};

}  // namespace pgchronicle::http
