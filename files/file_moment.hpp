#pragma once

#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace pgchronicle::files {

/// What is asked for: a day (2026-03-03: the end of it), a time, or an LSN; exactly one of `as_of`
/// and `lsn`.
struct MomentRequest {
    std::optional<std::string> as_of{};
    std::optional<pgoutput::Lsn> lsn{};
    std::optional<std::string> day{};  ///< Of the folders; default: in which the moment lies.
    std::string time_zone{"UTC"};      ///< Of days, and of times that do not say it.
};

/// The moment that files are of. Of a time, everything committed up to it belongs to it.
struct FileMoment {
    std::optional<pgoutput::Lsn> lsn;
    std::string time;  ///< UTC, 2026-03-03T23:59:59.999999Z; empty with an LSN.
    std::string day;   ///< 2026-03-03; empty with an LSN that names none.

    /// As it is told: the LSN or the time.
    [[nodiscard]] std::string text() const { return lsn ? to_string(*lsn) : time; }
};

/// Throws Error where the request means no moment; pq::Error.
[[nodiscard]] FileMoment find_moment(pq::Connection& target, const MomentRequest& request);

/// Whether anything may still be added to the history of the moment.
class FinalMoment {
public:
    /// `source` is asked what time it is there, and where its WAL ends, when the history alone does
    /// not tell. `imported`: tables that are imported belong to it, too.
    FinalMoment(
        pq::Connection& target,
        pq::ConnectOptions source,
        std::string pipeline,
        FileMoment moment,
        bool imported
    );

    /// Returns when nothing can be added any more. Throws Error not_ready when that is still so
    /// after `patience`; pq::Error of the target.
    void wait(std::chrono::milliseconds patience);

    /// Whether it is so by now, which stays.
    [[nodiscard]] bool reached();

private:
    void ask_source();
    [[nodiscard]] std::string detail() const;

    pq::Connection& target_;
    pq::ConnectOptions source_options_;
    std::string pipeline_;
    FileMoment moment_;
    bool imported_;
    std::optional<pq::Connection> source_;
    /// The end of the source's WAL at a time when its clock had passed the moment.
    std::optional<pgoutput::Lsn> passed_at_;
    /// Nothing that is imported gets a time up to the moment any more.
    bool target_passed_{true};
    std::string source_trouble_;
    std::string stands_at_;
};

}  // namespace pgchronicle::files
