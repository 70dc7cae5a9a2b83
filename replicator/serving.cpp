#include "replicator/serving.hpp"

#include "commands/connect.hpp"
#include "commands/status.hpp"
#include "config/error.hpp"
#include "http/metrics.hpp"
#include "http/server.hpp"
#include "reading/reader_options.hpp"
#include "reports/load_reports.hpp"

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

namespace pgchronicle::replicator {

namespace {

using Clock = std::chrono::steady_clock;

/// A server that does not answer must not keep the looks at the other one waiting for long.
constexpr std::chrono::milliseconds connect_timeout_max{2'000};
/// One that is not there is asked again after a while only.
constexpr std::chrono::seconds source_pause{10};

/// Looks at the pipeline, as `status` does, over connections that are kept.
class Looks {
public:
    explicit Looks(const config::Settings& settings)
        : settings_{settings}, connections_{reading::reader_options(settings), source_options()} {
        auto& target = connections_.target_options;
        target.application_name = "pgchronicle http status";
        target.connect_timeout = std::min(target.connect_timeout, connect_timeout_max);
    }

    http::Observation look() {
        const auto now = Clock::now();
        // Not tried: the last answer stands.
        const bool pauses = now < source_again_;
        connections_.asks_source = !pauses;
        auto report = commands::read_status(settings_, connections_, {});
        if (pauses) {
            report.source_error = source_error_;
        } else if (!report.source_error.empty()) {
            source_error_ = report.source_error;
            source_again_ = now + source_pause;
        }
        report.rows_per_second = rate(now);
        return observation_of(std::move(report));
    }

private:
    [[nodiscard]] pq::ConnectOptions source_options() const {
        auto options = commands::connect_options(settings_.source.connection, "http status");
        options.connect_timeout = std::min(options.connect_timeout, connect_timeout_max);
        return options;
    }

    std::optional<double> rate(Clock::time_point now) {
        const auto rows = connections_.versions_inserted;
        if (!rows) {
            counted_.reset();
            return std::nullopt;
        }
        std::optional<double> result;
        if (counted_) {
            const std::chrono::duration<double> time = now - counted_at_;
            result = static_cast<double>(std::max<std::int64_t>(0, *rows - *counted_)) /
                     std::max(time.count(), 0.001);
        }
        counted_ = rows;
        counted_at_ = now;
        return result;
    }

    [[nodiscard]] http::Observation observation_of(commands::StatusReport report) const {
        http::Observation seen;
        seen.state = report.state;
        seen.health = commands::health_of_history(report);
        seen.position = report.position;
        seen.lag_bytes = report.lag_bytes;
        seen.lag_seconds = report.lag_seconds;
        seen.retained_bytes = report.retained_bytes;
        if (report.slot) {
            seen.safe_wal_bytes = report.slot->safe_wal_bytes;
            seen.wal_status = report.slot->wal_status;
            seen.slot_active = report.slot->active;
        }
        seen.gaps = report.gaps.size();
        seen.quarantines = report.quarantines.size();
        seen.tables = report.tables.size();
        seen.versions_inserted = connections_.versions_inserted;
        // Where servers are, and why they refuse, is for those who read the log.
        if (!report.target_error.empty()) report.target_error = "it does not answer";
        if (!report.source_error.empty()) report.source_error = "it does not answer";
        seen.target_error = report.target_error;
        seen.source_error = report.source_error;
        std::ostringstream json;
        commands::print_json(report, json);
        seen.status_json = std::move(json).str();
        while (seen.status_json.ends_with('\n')) seen.status_json.pop_back();
        return seen;
    }

    const config::Settings& settings_;
    commands::StatusConnections connections_;
    Clock::time_point source_again_;
    std::string source_error_;
    std::optional<std::int64_t> counted_;
    Clock::time_point counted_at_;
};

[[noreturn]] void refuse(const config::Settings& settings, const std::string& message) {
    throw config::ConfigError{{{settings.file, 0, "http", message, {}, {}}}};
}

}  // namespace

struct Serving::Parts {
    Parts(const config::Settings& given, log::Logger& log, bool replicates)
        : settings{given},
          metrics{settings.pipeline, replicates},
          looks{settings},
          server{
              {settings,
               metrics,
               log,
               reports::load_reports(settings.reports_dir),
               [this] { return looks.look(); },
               reading::reader_options(settings),
               replicates}} {}

    config::Settings settings;
    http::Metrics metrics;
    Looks looks;
    http::Server server;
};

Serving::Serving(const config::Settings& settings, log::Logger& log, bool replicates) {
    if (!settings.http.listen) refuse(settings, "http.listen is not set");
    try {
        parts_ = std::make_unique<Parts>(settings, log, replicates);
        parts_->server.start();
    } catch (const config::ConfigError&) {
        throw;
    } catch (const std::exception& error) {
        refuse(settings, error.what());
    }
}

Serving::~Serving() = default;

Observer* Serving::observer() {
    return &parts_->metrics;
}

void Serving::stop(std::chrono::milliseconds patience) {
    parts_->server.stop(patience);
}

}  // namespace pgchronicle::replicator
