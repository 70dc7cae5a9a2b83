#include "commands/watch.hpp"

#include "commands/connect.hpp"
#include "commands/program_workers.hpp"
#include "commands/refusal.hpp"
#include "commands/signal_stop.hpp"
#include "commands/write_out.hpp"
#include "following/cursor.hpp"
#include "following/follower.hpp"
#include "log/printable.hpp"
#include "reading/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <ostream>
#include <poll.h>
#include <random>
#include <thread>
#include <unistd.h>

namespace pgchronicle::commands {
namespace {

using following::Change;
using following::Follower;
using following::Position;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// A position that only moved past what nobody wanted is kept this often: it saves reading, no
/// more.
constexpr auto idle_store_interval = 10s;

/// Ends the command with a refusal, from any depth.
struct Refused {
    Refusal refusal;
};

Refusal refusal_of(const reading::Error& error) {
    const bool wrong = error.kind != reading::ErrorKind::not_ready;
    return {
        .exit_code = wrong ? exit_usage : exit_needs_operator,
        .primary = error.primary,
        .detail = error.detail,
        .hint = error.hint};
}

class Watch {
public:
    Watch(const config::Settings& settings, const WatchOptions& options, std::ostream& err);

    int run(const std::stop_token& stop);

private:
    void attach(const std::stop_token& stop);
    void lock_cursor(const std::stop_token& stop);
    void begin_at(std::optional<Position> from);
    /// False when there is nothing more to do.
    bool step(const std::stop_token& stop);
    bool deliver(const std::stop_token& stop);
    void store(const Position& position);
    void store_idle();
    [[nodiscard]] bool has_passed_end() const;
    [[nodiscard]] bool reached_end();
    [[nodiscard]] bool reader_left() const;
    /// False when that has been tried for long enough.
    bool wait_to_reconnect(const pq::Error& error, const std::stop_token& stop);
    void warn(const std::string& message) const;

    const config::Settings& settings_;
    const WatchOptions& options_;
    std::ostream& err_;
    std::optional<Position> from_;
    std::optional<following::Cursor> cursor_;
    ProgramWorkers workers_;
    replicator::Backoff backoff_;
    std::optional<Clock::time_point> lost_;  ///< Since when there is no connection.
    std::optional<pq::Connection> target_;
    std::optional<Follower> follower_;
    std::vector<Change> page_;          ///< Read from the target, and
    std::size_t delivered_{0};          ///< so many of them delivered.
    std::optional<Position> stored_;    ///< What the cursor says, as far as we know.
    std::optional<Position> to_store_;  ///< What it may not say yet.
    Clock::time_point stored_at_{Clock::now()};
    std::optional<pgoutput::Lsn> end_;  ///< Of `until_current`.
};

std::optional<Position> position_of(const std::string& text) {
    if (text.empty()) return std::nullopt;
    auto position = following::parse_position(text);
    if (position) return position;
    throw Refused{
        {.exit_code = exit_usage,
         .primary = fmt::format("invalid position \"{}\"", text),
         .hint = "Give an LSN such as 16/B374D848, with the seq of a change as in "
                 "16/B374D848/12, or the word \"beginning\"."}};
}

Watch::Watch(const config::Settings& settings, const WatchOptions& options, std::ostream& err)
    : settings_{settings},
      options_{options},
      err_{err},
      from_{position_of(options.from)},
      workers_{
          {.command = options.program,
           .jobs = options.jobs,
           .backoff = {settings.retry.delay_min, settings.retry.delay_max},
           .elapsed_max = settings.retry.elapsed_max,
           .warn = [this](const std::string& message) { warn(message); }}},
      backoff_{{settings.retry.delay_min, settings.retry.delay_max}} {
    if (!options.cursor.empty()) cursor_.emplace(settings.pipeline, options.cursor);
}

void Watch::warn(const std::string& message) const {
    err_ << "pgchronicle: warning: " << log::one_line(message) << std::endl;
}

void Watch::lock_cursor(const std::stop_token& stop) {
    // The connection of one that was killed may live for a moment.
    const auto until = Clock::now() + settings_.target.lock_timeout;
    while (!cursor_->try_lock(*target_)) {
        if (stop.stop_requested()) return;
        if (Clock::now() >= until) {
            throw Refused{
                {.exit_code = exit_needs_operator,
                 .primary = fmt::format("cursor \"{}\" is in use", options_.cursor),
                 .detail = fmt::format("It is held by {}.", cursor_->holder(*target_)),
                 .hint = "Stop that one, or follow with a cursor of another name."}};
        }
        std::this_thread::sleep_for(following::poll_interval);
    }
}

void Watch::begin_at(std::optional<Position> from) {
    following::FollowOptions options;
    options.tables = options_.tables;
    options.operations = options_.operations;
    // A cursor that began at the beginning has seen copied rows, and goes on with them.
    options.snapshot = options_.snapshot || from_ == Position::beginning();
    options.from = from;
    options.on_index = [this](const std::string& table) {
        err_ << "pgchronicle: making the index that following table \"" << log::one_line(table)
             << "\" takes; writing goes on meanwhile" << std::endl;
    };
    follower_.emplace(settings_, std::move(options));
    page_.clear();
    delivered_ = 0;
    to_store_.reset();
}

void Watch::attach(const std::stop_token& stop) {
    auto options = connect_options(settings_.target.connection, "watch");
    // What is stored in the cursor must not come again, also after a crash of the target.
    options.settings.emplace_back("synchronous_commit", "on");
    target_ = pq::Connection::open(options);
    if (!cursor_) {
        if (!follower_) begin_at(from_);
        return;
    }
    lock_cursor(stop);
    const auto kept = cursor_->read(*target_);
    const bool ours = follower_ && (kept == stored_ || kept == to_store_);
    if (!ours) begin_at(kept ? kept : from_);
    stored_ = kept;
    if (to_store_) store(*to_store_);
}

void Watch::store(const Position& position) {
    if (!cursor_ || stored_ == position) return;
    to_store_ = position;
    cursor_->store(*target_, position);
    stored_ = position;
    stored_at_ = Clock::now();
    to_store_.reset();
}

void Watch::store_idle() {
    const auto& position = follower_->position();
    if (!cursor_ || !position) return;
    // A new cursor is kept at once: what comes while nobody follows is to be found again.
    if (!stored_ || Clock::now() - stored_at_ > idle_store_interval) store(*position);
}

bool Watch::has_passed_end() const {
    // Where changes come faster than they are delivered, no page is ever empty.
    return end_ && delivered_ == page_.size() && follower_->position() >= Position::after(*end_);
}

bool Watch::reached_end() {
    if (!options_.until_current) return false;
    if (!end_) end_ = follower_->horizon();
    return (follower_->caught_up() && !follower_->held()) || has_passed_end();
}

bool Watch::reader_left() const {
    pollfd output{.fd = STDOUT_FILENO, .events = 0, .revents = 0};
    const int count = options_.program.empty() ? 1 : 0;
    constexpr int interval = static_cast<int>(following::poll_interval.count());
    return ::poll(&output, static_cast<nfds_t>(count), interval) > 0 &&
           (output.revents & POLLERR) != 0;
}

bool Watch::deliver(const std::stop_token& stop) {
    const auto left = std::span<const Change>{page_}.subspan(delivered_);
    if (options_.program.empty()) {
        std::string lines;
        for (const auto& change : left) {
            append_json(lines, change);
            lines += '\n';
        }
        if (!write_out(lines)) return false;
        delivered_ = page_.size();
        to_store_ = page_.back().position;
        store(page_.back().position);
        return true;
    }
    const auto before = delivered_;
    const auto outcome = workers_.run(left, stop, [&](std::size_t done) {
        delivered_ = before + done;
        to_store_ = page_[delivered_ - 1].position;
        store(*to_store_);
    });
    // What was in hand when the position could not be stored is done as well.
    delivered_ = before + outcome.done;
    if (outcome.done > 0) to_store_ = page_[delivered_ - 1].position;
    if (outcome.thrown) std::rethrow_exception(outcome.thrown);
    if (to_store_) store(*to_store_);
    if (outcome.failure) {
        throw Refused{
            {.exit_code = outcome.failure->passes ? exit_try_again : exit_needs_operator,
             .primary = outcome.failure->primary,
             .detail = outcome.failure->detail}};
    }
    return true;
}

bool Watch::step(const std::stop_token& stop) {
    if (!target_) attach(stop);
    if (stop.stop_requested()) return false;
    if (delivered_ == page_.size()) {
        page_ = follower_->next(*target_);
        delivered_ = 0;
        if (options_.until_current && !end_) end_ = follower_->horizon();
    }
    if (lost_) {
        lost_.reset();
        backoff_.reset();
    }
    if (!page_.empty()) return deliver(stop) && !has_passed_end();
    store_idle();
    if (reached_end()) return false;
    return !reader_left();
}

bool Watch::wait_to_reconnect(const pq::Error& error, const std::stop_token& stop) {
    const auto now = Clock::now();
    if (!lost_) {
        lost_ = now;
        warn(fmt::format("connection to target is lost, trying again: {}", error.primary()));
    }
    const auto most = settings_.retry.elapsed_max;
    if (most.count() > 0 && now - *lost_ > most) return false;
    thread_local std::minstd_rand random{std::random_device{}()};
    const auto until = now + backoff_.next(std::uniform_real_distribution<>{}(random));
    while (Clock::now() < until && !stop.stop_requested()) {
        std::this_thread::sleep_for(following::poll_interval);
    }
    return true;
}

int Watch::run(const std::stop_token& stop) {
    attach(stop);
    while (!stop.stop_requested()) {
        try {
            if (!step(stop)) break;
        } catch (const pq::Error& error) {
            if (error.disposition() == pq::Disposition::halt) throw;
            target_.reset();
            if (!wait_to_reconnect(error, stop)) throw;
        }
    }
    return exit_done;
}

}  // namespace

int watch(const config::Settings& settings, const WatchOptions& options, std::ostream& err) {
    // Who reads us, or a program that does not read all, may go.
    std::signal(SIGPIPE, SIG_IGN);
    const SignalStop signals;
    try {
        return Watch{settings, options, err}.run(signals.token());
    } catch (const Refused& refused) {
        return report(refused.refusal, err);
    } catch (const reading::Error& error) {
        return report(refusal_of(error), err);
    }
}

}  // namespace pgchronicle::commands
