#include "commands/verify.hpp"

#include "commands/aligned_table.hpp"
#include "commands/connect.hpp"
#include "commands/refusal.hpp"
#include "commands/signal_stop.hpp"
#include "commands/verify_report.hpp"
#include "verify/verification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ostream>
#include <random>
#include <string_view>
#include <unistd.h>

namespace pgchronicle::commands {
namespace {

constexpr const char* command_name = "verify";

/// The number that all of `text` is.
std::optional<double> number_of(std::string_view text) {
    double number = 0;
    const auto [end, errc] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (errc != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::optional<verify::SampleSize> sample_of(const VerifyOptions& options) {
    std::string_view text{options.sample};
    const bool percent = text.ends_with('%');
    if (percent) text.remove_suffix(1);
    const auto number = number_of(text);
    constexpr double hundred = 100;
    constexpr double rows_max = 1e15;
    if (!number || !(*number > 0) || *number > (percent ? hundred : rows_max)) return std::nullopt;
    verify::SampleSize size;
    size.asked = options.sample;
    size.seed = options.seed ? *options.seed : std::random_device{}();
    if (percent) {
        size.share = *number / hundred;
    } else {
        size.rows = static_cast<std::uint64_t>(*number);
    }
    return size;
}

/// A line that is written again and again.
class Bar {
public:
    explicit Bar(std::ostream& err) : err_{err}, shown_{::isatty(STDERR_FILENO) == 1} {}
    ~Bar() { clear(); }
    Bar(const Bar&) = delete;
    Bar& operator=(const Bar&) = delete;

    void show(const verify::Progress& progress) {
        if (!shown_) return;
        constexpr std::size_t width = 40;
        const double share = progress.total == 0 ? 0
                                                 : static_cast<double>(progress.done) /
                                                       static_cast<double>(progress.total);
        const auto filled = std::min(width, static_cast<std::size_t>(share * width));
        err_ << fmt::format(
                    "\r\x1b[K[{:#<{}}{:.<{}}] {} {}",
                    "",
                    filled,
                    "",
                    width - filled,
                    one_line(progress.table),
                    progress.step
                )
             << std::flush;
        dirty_ = true;
    }

    void clear() {
        if (dirty_) err_ << "\r\x1b[K" << std::flush;
        dirty_ = false;
    }

private:
    std::ostream& err_;
    bool shown_;
    bool dirty_{false};
};

int exit_code_of(verify::Impossible::Reason reason) {
    switch (reason) {
    case verify::Impossible::Reason::behind:
        return exit_check_failed;
    case verify::Impossible::Reason::no_table:
        return exit_usage;
    case verify::Impossible::Reason::other_source:
        return exit_needs_operator;
    }
    return exit_needs_operator;
}

}  // namespace

int verify(
    const config::Settings& settings,
    const VerifyOptions& options,
    std::ostream& out,
    std::ostream& err
) {
    verify::Options asked;
    asked.source = connect_options(settings.source.connection, command_name);
    asked.target = connect_options(settings.target.connection, command_name);
    asked.tables = options.tables;
    asked.timeout = options.timeout;
    asked.keys_max = options.keys_max;
    if (!options.sample.empty()) {
        asked.sample = sample_of(options);
        if (!asked.sample) {
            return report(
                {.exit_code = exit_usage,
                 .primary = fmt::format("invalid sample \"{}\"", options.sample),
                 .detail = "It is a part of the rows, as 5%, or a number of rows, as 10000."},
                err
            );
        }
    }
    const SignalStop signals;
    asked.stop = signals.token();
    Bar bar{err};
    asked.on_progress = [&](const verify::Progress& progress) { bar.show(progress); };
    try {
        const auto found = verify::verify(settings, asked);
        bar.clear();
        if (options.json) {
            print_json(found, out);
        } else {
            print_text(found, out);
        }
        return found.sound() ? exit_done : exit_check_failed;
    } catch (const verify::Impossible& impossible) {
        bar.clear();
        return report(
            {.exit_code = exit_code_of(impossible.reason()),
             .primary = impossible.what(),
             .detail = impossible.detail(),
             .hint = impossible.hint()},
            err
        );
    } catch (const pq::Error&) {
        bar.clear();
        // What fails because of the stop is no error of its own.
        if (signals.token().stop_requested()) signals.end_process();
        throw;
    }
}

}  // namespace pgchronicle::commands
