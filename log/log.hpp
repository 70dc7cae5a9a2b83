#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace pgchronicle::log {

enum class Level { trace, debug, info, warn, error };
enum class Format { text, json };

/// The word a level has in a log line: "trace" ... "error".
[[nodiscard]] std::string_view to_string(Level level);

/// One key and value of a log line.
///
/// Call sites write it as a pair: `log.info("batch_written", {{"rows", rows}})`. The key is a
/// literal and outlives the call; `time`, `level` and `event` are taken. Numbers and booleans stay
/// so in the JSON form, all else is a string.
struct Field {
    Field(std::string_view name, std::string text) : key{name}, value{std::move(text)} {}
    Field(std::string_view name, std::string_view text) : key{name}, value{text} {}
    Field(std::string_view name, const char* text) : key{name}, value{text} {}

    template <std::same_as<bool> Bool>
    Field(std::string_view name, Bool flag)
        : key{name}, value{flag ? "true" : "false"}, is_literal{true} {}

    template <std::integral Integer>
    requires(!std::same_as<Integer, bool> && !std::same_as<Integer, char>)
        Field(std::string_view name, Integer number)
        : key{name}, value{std::to_string(number)}, is_literal{true} {}

    /// Shortest form that reads back as the same number; infinities and NaN are strings.
    Field(std::string_view name, double number);

    std::string_view key;
    std::string value;
    bool is_literal{false};  ///< Stands unquoted in JSON.
};

/// The same as `Field{key, value}`, for places where braces alone do not say what they make.
template <typename Value>
[[nodiscard]] Field field(std::string_view key, Value&& value) {
    return Field{key, std::forward<Value>(value)};
}

/// Where events go: one line each, made of a level, an event name and fields.
///
/// Injected, so that tests assert lines. Thread: any.
/// Errors: none; a line that cannot be written is lost, and the service goes on.
class Logger {
public:
    Logger() = default;
    Logger(const Logger&) = delete;
    Logger& operator=(const Logger&) = delete;
    virtual ~Logger() = default;

    /// Writes one line, whatever the level set is. `event` is a lower_case name.
    virtual void
    write(Level level, std::string_view event, std::span<const Field> fields) noexcept = 0;

    /// True when lines of this level are wanted; ask before making expensive fields.
    [[nodiscard]] virtual bool enabled(Level level) const noexcept = 0;

    /// Takes effect at the next line; for reloading the configuration.
    virtual void set_level(Level level) noexcept = 0;

    using Fields = std::initializer_list<Field>;

    void trace(std::string_view event, Fields fields = {}) { log(Level::trace, event, fields); }
    void debug(std::string_view event, Fields fields = {}) { log(Level::debug, event, fields); }
    void info(std::string_view event, Fields fields = {}) { log(Level::info, event, fields); }
    void warn(std::string_view event, Fields fields = {}) { log(Level::warn, event, fields); }
    void error(std::string_view event, Fields fields = {}) { log(Level::error, event, fields); }

    /// As the five above, with the level as a value.
    void log(Level level, std::string_view event, Fields fields = {}) {
        if (enabled(level)) write(level, event, {fields.begin(), fields.size()});
    }
};

/// A logger on standard error; make it before anything opens a socket. A standard error that is
/// closed is replaced by /dev/null.
[[nodiscard]] std::unique_ptr<Logger> make_stderr_logger(Level level, Format format);

/// A logger on an open descriptor, which it does not close.
///
/// A reader that does not read must not stop the service: a line waits a short, bounded time for
/// room, then is dropped and counted, and the first line that fits again is preceded by
/// `log_lines_dropped count=N`. A closed descriptor or a full disk loses lines the same way.
/// Raises no SIGPIPE.
[[nodiscard]] std::unique_ptr<Logger> make_fd_logger(int descriptor, Level level, Format format);

/// A logger that writes nothing.
[[nodiscard]] std::unique_ptr<Logger> make_null_logger();

}  // namespace pgchronicle::log
