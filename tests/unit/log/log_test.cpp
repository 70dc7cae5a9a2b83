#include "log/log.hpp"

#include "tests/support/recording_logger.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

namespace log = pgchronicle::log;

/// Both ends of a pipe; the logger under test writes into it.
class Pipe {
public:
    Pipe() { REQUIRE(::pipe(ends_.data()) == 0); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close_read_end();
        close_write_end();
    }

    [[nodiscard]] int write_end() const { return ends_[1]; }
    void close_read_end() { close_end(ends_[0]); }
    void close_write_end() { close_end(ends_[1]); }

    /// What is in the pipe now.
    [[nodiscard]] std::string read_available() const {
        const int flags = ::fcntl(ends_[0], F_GETFL);
        ::fcntl(ends_[0], F_SETFL, flags | O_NONBLOCK);
        std::string all;
        std::array<char, 4096> piece{};
        ssize_t count = 0;
        while ((count = ::read(ends_[0], piece.data(), piece.size())) > 0) {
            all.append(piece.data(), static_cast<std::size_t>(count));
        }
        ::fcntl(ends_[0], F_SETFL, flags);
        return all;
    }

private:
    static void close_end(int& end) {
        if (end >= 0) ::close(end);
        end = -1;
    }
    std::array<int, 2> ends_{-1, -1};
};

/// The text with each digit written as #, so that times compare.
std::string digits_hidden(std::string text) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    std::replace_if(text.begin(), text.end(), is_digit, '#');
    return text;
}

/// `2026-11-21T11` now.
std::string utc_hour() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H", &parts)};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::istringstream in{text};
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

}  // namespace

TEST_CASE("a text line begins with the UTC time in milliseconds", "[log]") {
    const Pipe pipe;
    const auto logger = log::make_fd_logger(pipe.write_end(), log::Level::info, log::Format::text);
    logger->info("stopped", {{"rows", 5}});
    REQUIRE(
        digits_hidden(pipe.read_available()) == "####-##-##T##:##:##.###Z info  stopped rows=#\n"
    );
}

TEST_CASE("the time is UTC, whatever the time zone", "[log]") {
    const char* const zone = std::getenv("TZ");
    const std::string before = zone != nullptr ? zone : "";
    ::setenv("TZ", "NOWHERE-13:30", 1);
    ::tzset();
    const Pipe pipe;
    const auto logger = log::make_fd_logger(pipe.write_end(), log::Level::info, log::Format::text);
    const auto hour_before = utc_hour();
    logger->info("stopped");
    const auto written = pipe.read_available().substr(0, hour_before.size());
    const auto hour_after = utc_hour();
    zone != nullptr ? ::setenv("TZ", before.c_str(), 1) : ::unsetenv("TZ");
    ::tzset();
    // The hour may end between two of the three.
    REQUIRE((written == hour_before || written == hour_after));
}

TEST_CASE("a JSON line is one object with time, level, event and fields", "[log]") {
    const Pipe pipe;
    const auto logger = log::make_fd_logger(pipe.write_end(), log::Level::info, log::Format::json);
    logger->warn("reconnecting", {{"attempt", 2}, {"reason", "a\nb {} %v"}});
    REQUIRE(
        digits_hidden(pipe.read_available()) ==
        R"({"time":"####-##-##T##:##:##.###Z","level":"warn",)"
        R"("event":"reconnecting","attempt":#,"reason":"a\nb {} %v"})"
        "\n"
    );
}

TEST_CASE("lines below the level are not written, and the level can change", "[log]") {
    const Pipe pipe;
    const auto logger = log::make_fd_logger(pipe.write_end(), log::Level::warn, log::Format::text);
    logger->info("hidden");
    logger->error("shown");
    logger->set_level(log::Level::trace);
    logger->trace("now_shown");
    const auto lines = lines_of(pipe.read_available());
    REQUIRE(lines.size() == 2);
    REQUIRE_THAT(lines[0], Catch::EndsWith("error shown"));
    REQUIRE_THAT(lines[1], Catch::EndsWith("trace now_shown"));
    REQUIRE(logger->enabled(log::Level::trace));
}

TEST_CASE("lines of several threads do not mix", "[log]") {
    const Pipe pipe;
    const auto logger = log::make_fd_logger(pipe.write_end(), log::Level::info, log::Format::text);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&logger, thread] {
            for (int line = 0; line < 50; ++line) {
                logger->info("tick", {{"thread", thread}, {"line", line}});
            }
        });
    }
    for (auto& thread : threads) thread.join();
    std::multiset<std::string> written;
    for (const auto& line : lines_of(pipe.read_available())) {
        written.insert(line.substr(line.find(' ') + 1));
    }
    std::multiset<std::string> expected;
    for (int thread = 0; thread < 4; ++thread) {
        for (int line = 0; line < 50; ++line) {
            const auto numbers = std::to_string(thread) + " line=" + std::to_string(line);
            expected.insert("info  tick thread=" + numbers);
        }
    }
    REQUIRE(written == expected);
}

TEST_CASE("a reader that does not read costs lines, not time, and the loss is told", "[log]") {
    const Pipe pipe;
    const auto logger = log::make_fd_logger(pipe.write_end(), log::Level::info, log::Format::text);
    const std::string wide(10'000, 'x');
    const auto started = std::chrono::steady_clock::now();
    for (int line = 0; line < 100; ++line) logger->info("wide", {{"line", line}, {"text", wide}});
    REQUIRE(std::chrono::steady_clock::now() - started < std::chrono::seconds{2});

    const auto before = lines_of(pipe.read_available());
    logger->info("after");
    const auto lines = lines_of(pipe.read_available());
    // The line that was cut short is ended before the next one begins.
    const auto whole = std::count_if(before.begin(), before.end(), [](const auto& line) {
        return line.size() > 10'000;
    });
    REQUIRE(lines.size() == 3);
    REQUIRE(lines[0].empty());
    REQUIRE_THAT(
        lines[1], Catch::EndsWith("warn  log_lines_dropped count=" + std::to_string(100 - whole))
    );
    REQUIRE_THAT(lines[2], Catch::EndsWith("info  after"));
}

TEST_CASE("a reader that is gone raises no signal", "[log]") {
    Pipe pipe;
    const auto logger = log::make_fd_logger(pipe.write_end(), log::Level::info, log::Format::text);
    pipe.close_read_end();
    auto* const before = std::signal(SIGPIPE, SIG_DFL);  // Would end this process.
    logger->info("unheard");
    logger->info("unheard");
    sigset_t pending;
    sigpending(&pending);
    REQUIRE(sigismember(&pending, SIGPIPE) == 0);
    std::signal(SIGPIPE, before);
}

TEST_CASE("a closed or full descriptor loses the line and nothing else", "[log]") {
    Pipe pipe;
    const int closed = pipe.write_end();
    pipe.close_write_end();
    log::make_fd_logger(closed, log::Level::info, log::Format::text)->info("lost");

    const int full = ::open("/dev/full", O_WRONLY);
    REQUIRE(full >= 0);
    log::make_fd_logger(full, log::Level::info, log::Format::json)->info("lost");
    ::close(full);
}

TEST_CASE("a closed standard error is not left to the next socket", "[log]") {
    const int saved = ::dup(STDERR_FILENO);
    ::close(STDERR_FILENO);
    const auto logger = log::make_stderr_logger(log::Level::info, log::Format::text);
    const int next = ::open("/dev/null", O_RDONLY);
    logger->info("lost");
    ::dup2(saved, STDERR_FILENO);
    ::close(saved);
    ::close(next);
    REQUIRE(next != STDERR_FILENO);
}

TEST_CASE("a null logger wants nothing", "[log]") {
    const auto logger = log::make_null_logger();
    REQUIRE_FALSE(logger->enabled(log::Level::error));
    logger->error("lost");
}

TEST_CASE("a recording logger keeps lines for tests to compare", "[log]") {
    pgchronicle::tests::RecordingLogger logger{log::Level::info};
    logger.debug("hidden");
    logger.info("copy_done", {{"tables", 3}});
    logger.error("error", {log::field("message", "a b")});
    REQUIRE(
        logger.lines() ==
        std::vector<std::string>{"info  copy_done tables=3", R"(error error message="a b")"}
    );
    REQUIRE(logger.events() == std::vector<std::string>{"copy_done", "error"});
    REQUIRE(logger.count("copy_done") == 1);
    logger.clear();
    REQUIRE(logger.lines().empty());
}
