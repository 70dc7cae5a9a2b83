#include "files/file_moment.hpp"

#include "files/error.hpp"
#include "reading/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace pgchronicle::files {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* iso_time = R"('YYYY-MM-DD"T"HH24:MI:SS.US"Z"')";

/// How long a history may take to hear of what the source has passed already: a process that runs
/// stores an idle position every two seconds.
constexpr std::chrono::seconds hearsay{6};

bool is_day(const std::string& text) {
    constexpr std::string_view form{"0000-00-00"};
    return text.size() == form.size() &&
           std::equal(text.begin(), text.end(), form.begin(), [](char c, char f) {
               return f == '0' ? c >= '0' && c <= '9' : c == f;
           });
}

Error invalid(const std::string& primary, const std::string& detail = {}) {
    return Error{
        {.fault = Fault::request,
         .primary = primary,
         .detail = detail,
         .hint = "A moment looks like 2026-03-03, which is the end of that day, or like "
                 "2026-03-03T12:00:00Z."}};
}

/// Has the server read a text; what it does not take is an error of the request.
pq::Result
ask(pq::Connection& target, const std::string& sql, std::initializer_list<std::string> params) {
    try {
        return target.exec(sql, params);
    } catch (const pq::Error& error) {
        if (!error.sqlstate().starts_with("22")) throw;
        throw invalid(error.primary(), error.detail());
    }
}

std::string checked_day(pq::Connection& target, const std::string& day) {
    if (!is_day(day)) throw invalid(fmt::format("invalid day \"{}\"", day));
    return ask(target, "SELECT to_char($1::date, 'YYYY-MM-DD')", {day}).str(0, 0);
}

/// Times without an offset are of the session's zone, within one transaction.
FileMoment
read_time(pq::Connection& target, const std::string& text, const std::string& time_zone) {
    ask(target, "SELECT set_config('TimeZone', $1, true)", {time_zone});
    const auto time = is_day(text)
                          ? fmt::format("($1::date + 1)::timestamptz - interval '1 microsecond'")
                          : std::string{"$1::timestamptz"};
    const auto row =
        ask(target,
            fmt::format(
                "SELECT to_char(t AT TIME ZONE 'UTC', {}), to_char(t, 'YYYY-MM-DD'), isfinite(t)"
                " FROM (SELECT {} AS t) AS moment",
                iso_time,
                time
            ),
            {text});
    if (!row.boolean(0, 2)) throw invalid(fmt::format("\"{}\" is no moment", text));
    return {.lsn = std::nullopt, .time = row.str(0, 0), .day = row.str(0, 1)};
}

}  // namespace

FileMoment find_moment(pq::Connection& target, const MomentRequest& request) {
    FileMoment moment{.lsn = request.lsn, .time = {}, .day = {}};
    if (!request.lsn) {
        target.exec("BEGIN READ ONLY");
        try {
            moment = read_time(target, request.as_of.value_or(""), request.time_zone);
            target.exec("ROLLBACK");
        } catch (...) {
            if (target.in_transaction()) target.exec("ROLLBACK");
            throw;
        }
    }
    if (request.day) moment.day = checked_day(target, *request.day);
    return moment;
}

FinalMoment::FinalMoment(
    pq::Connection& target,
    pq::ConnectOptions source,
    std::string pipeline,
    FileMoment moment,
    bool imported
)
    : target_{target},
      source_options_{std::move(source)},
      pipeline_{std::move(pipeline)},
      moment_{std::move(moment)},
      imported_{imported} {}

/// A commit takes its time just before its record is written: a second is far more than that.
void FinalMoment::ask_source() {
    source_trouble_.clear();
    try {
        if (!source_ || !source_->ok()) source_ = pq::Connection::open(source_options_);
        const auto row = source_->exec(
            "SELECT CASE WHEN NOT pg_is_in_recovery() AND"
            " clock_timestamp() > $1::timestamptz + interval '1 second'"
            " THEN pg_current_wal_flush_lsn() END",
            {moment_.time}
        );
        if (!row.null(0, 0)) passed_at_ = pgoutput::parse_lsn(row.text(0, 0));
    } catch (const pq::Error& error) {
        source_.reset();
        source_trouble_ = error.primary();
    }
}

bool FinalMoment::reached() {
    const auto checkpoint = reading::read_checkpoint(target_, pipeline_);
    if (!checkpoint) {
        throw Error{
            {.fault = Fault::not_ready,
             .primary = fmt::format("pipeline \"{}\" has no history yet", pipeline_),
             .hint = "Start \"pgchronicle run\", and export when the tables are copied."}};
    }
    const auto last = checkpoint->last_commit_time.value_or("");
    stands_at_ = fmt::format(
        "The history reaches up to {}{}.",
        to_string(checkpoint->position),
        last.empty() ? "" : ", its last transaction is of " + last
    );
    if (moment_.lsn) {
        // Rows may still be imported at the position itself.
        return imported_ ? checkpoint->position > *moment_.lsn
                         : checkpoint->position >= *moment_.lsn;
    }
    // Files get the target's time, and never one before the last transaction's.
    const auto later = target_.exec(
        "SELECT coalesce(nullif($1, '')::timestamptz > $2::timestamptz, false),"
        " clock_timestamp() > $2::timestamptz",
        {last, moment_.time}
    );
    target_passed_ = !imported_ || later.boolean(0, 1);
    return later.boolean(0, 0) ||
           (passed_at_ && checkpoint->position >= *passed_at_ && target_passed_);
}

std::string FinalMoment::detail() const {
    if (moment_.lsn) return stands_at_;
    if (!source_trouble_.empty()) {
        return stands_at_ + " The source could not be asked: " + source_trouble_ + ".";
    }
    if (!target_passed_)
        return stands_at_ + " By its own clock the target is not past that moment yet.";
    return stands_at_ + (passed_at_
                             ? " The source was past that moment at " + to_string(*passed_at_) + "."
                             : " By its own clock the source is not past that moment yet.");
}

void FinalMoment::wait(std::chrono::milliseconds patience) {
    constexpr std::chrono::milliseconds poll{100};
    const auto begun = Clock::now();
    for (;;) {
        if (reached()) return;
        if (!moment_.lsn && !passed_at_) ask_source();
        const auto limit =
            passed_at_ ? std::max<std::chrono::milliseconds>(patience, hearsay) : patience;
        if (Clock::now() - begun >= limit) break;
        std::this_thread::sleep_for(poll);
    }
    throw Error{
        {.fault = Fault::not_ready,
         .primary = fmt::format("the history has not passed {} yet", moment_.text()),
         .detail = detail(),
         .hint = "--wait SECONDS waits for it, while \"pgchronicle run\" goes on."}};
}

}  // namespace pgchronicle::files
