#pragma once

#include "http/answer.hpp"

#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::http {

using Clock = std::chrono::steady_clock;

struct CacheLimits {
    /// How long an answer may be given again at all.
    std::chrono::milliseconds time_max{1'000};
    /// So long it may be given again even when the history has gone on: without that, a busy
    /// source would make every request a query.
    std::chrono::milliseconds time_min{100};
    std::size_t entries_max{512};
    std::size_t bytes_max{32U << 20U};
};

/// Answers that were given just now, and questions that are being answered: equal requests that
/// come meanwhile wait for the one answer. Thread: one. No clock of its own.
class AnswerCache {
public:
    explicit AnswerCache(CacheLimits limits) : limits_{limits} {}

    using Waiting = std::function<void(const SharedAnswer&)>;

    /// An answer that may be given now. `position` is where the history is known to be; `least`
    /// where it has to be.
    [[nodiscard]] SharedAnswer find(
        const std::string& key,
        Clock::time_point now,
        std::optional<pgoutput::Lsn> position,
        std::optional<pgoutput::Lsn> least
    ) const;

    /// Waits for the answer to `key`; true for the first, who has to find it.
    [[nodiscard]] bool join(const std::string& key, Waiting waiting);

    /// Keeps the answer, if it is one to keep, and hands it to all who wait.
    void settle(const std::string& key, const SharedAnswer& answer, Clock::time_point now);

    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        std::string key;
        SharedAnswer answer;
        Clock::time_point made_at;
    };
    void keep(const std::string& key, const SharedAnswer& answer, Clock::time_point now);
    void drop_oldest();

    CacheLimits limits_;
    std::list<Entry> entries_;  ///< Oldest first.
    std::map<std::string, std::list<Entry>::iterator> by_key_;
    std::map<std::string, std::vector<Waiting>> waiting_;
    std::size_t bytes_{0};
};

}  // namespace pgchronicle::http
