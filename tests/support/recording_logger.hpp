#pragma once

#include "log/line.hpp"
#include "log/log.hpp"

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::tests {

/// Keeps log lines for a test to assert, in their text form without time: `info  stopped rows=5`.
///
/// Thread: any.
class RecordingLogger : public log::Logger {
public:
    explicit RecordingLogger(log::Level level = log::Level::trace) : level_{level} {}

    void write(
        log::Level level,
        std::string_view event,
        std::span<const log::Field> fields
    ) noexcept override {
        std::string line;
        log::append_text(line, level, event, fields);
        const std::lock_guard lock{mutex_};
        lines_.push_back(std::move(line));
        events_.emplace_back(event);
    }

    [[nodiscard]] bool enabled(log::Level level) const noexcept override {
        const std::lock_guard lock{mutex_};
        return level >= level_;
    }

    void set_level(log::Level level) noexcept override {
        const std::lock_guard lock{mutex_};
        level_ = level;
    }

    [[nodiscard]] std::vector<std::string> lines() const {
        const std::lock_guard lock{mutex_};
        return lines_;
    }

    /// The event names alone, in order.
    [[nodiscard]] std::vector<std::string> events() const {
        const std::lock_guard lock{mutex_};
        return events_;
    }

    [[nodiscard]] std::size_t count(std::string_view event) const {
        const std::lock_guard lock{mutex_};
        return static_cast<std::size_t>(std::count(events_.begin(), events_.end(), event));
    }

    void clear() {
        const std::lock_guard lock{mutex_};
        lines_.clear();
        events_.clear();
    }

private:
    mutable std::mutex mutex_;
    log::Level level_;
    std::vector<std::string> lines_;
    std::vector<std::string> events_;
};

}  // namespace pgchronicle::tests
