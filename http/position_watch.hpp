#pragma once

#include "http/answer_cache.hpp"
#include "pgoutput/lsn.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <optional>
#include <vector>

namespace pgchronicle::http {

/// Where the checkpoint is known to be, and who waits for it to move. While somebody waits, the
/// target is asked again and again. Thread: the server's.
class PositionWatch {
public:
    using Position = std::optional<pgoutput::Lsn>;

    /// `ask` makes somebody call `note` soon.
    PositionWatch(boost::asio::io_context& io, std::function<void()> ask);

    /// A reading of the position, or that it is not known, and when that reading began. Readings
    /// overtake each other, and what one saw may be old by now: it counts as a step back, which a
    /// replay makes, only if it began after the position that is known had been seen.
    void note(Position position, Clock::time_point began);
    [[nodiscard]] Position position() const { return position_; }

    using Condition = std::function<bool(Position)>;
    /// Calls `then` with true when the condition holds, which may be at once; with false when it
    /// does not until `deadline`.
    void
    await(Condition condition, Clock::time_point deadline, std::function<void(bool reached)> then);

    /// Ends every waiting.
    void stop();

private:
    struct Waiter {
        Condition condition;
        Clock::time_point deadline;
        std::function<void(bool)> then;
    };
    void tick();
    void look();

    std::function<void()> ask_;
    boost::asio::steady_timer timer_;
    bool ticking_{false};
    bool stopped_{false};
    Position position_;
    Clock::time_point noted_at_;
    std::vector<Waiter> waiters_;
};

}  // namespace pgchronicle::http
