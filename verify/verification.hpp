#pragma once

#include "config/settings.hpp"
#include "pq/connection.hpp"
#include "verify/report.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace pgchronicle::verify {

/// How many rows of each table: a part of them, or about so many.
struct SampleSize {
    std::optional<double> share;  ///< Above 0, at most 1.
    std::uint64_t rows{0};
    std::string asked;  ///< As it was asked for.
    std::uint32_t seed{0};
};

struct Progress {
    std::string table;  ///< Empty while the checkpoint is waited for.
    const char* step{""};
    std::uint64_t done{0};  ///< Of `total`; longer for a larger table.
    std::uint64_t total{0};
};

struct Options {
    pq::ConnectOptions source;
    pq::ConnectOptions target;
    std::vector<std::string> tables;  ///< Patterns schema.table, or a table alone; empty: all.
    std::optional<SampleSize> sample;
    std::chrono::seconds timeout{60};
    std::size_t keys_max{20};
    std::stop_token stop;  ///< Ends it, and what it runs on the servers.
    std::function<void(const Progress&)> on_progress{[](const Progress&) {}};
};

/// A verification that cannot be done.
class Impossible : public std::runtime_error {
public:
    enum class Reason : std::uint8_t {
        behind,        ///< The history does not reach the LSN, or there is none.
        no_table,      ///< What was asked for is no table of the pipeline.
        other_source,  ///< The history is another source's.
    };
    Impossible(Reason reason, std::string primary, std::string detail, std::string hint)
        : std::runtime_error{std::move(primary)},
          reason_{reason},
          detail_{std::move(detail)},
          hint_{std::move(hint)} {}
    [[nodiscard]] Reason reason() const { return reason_; }
    [[nodiscard]] const std::string& detail() const { return detail_; }
    [[nodiscard]] const std::string& hint() const { return hint_; }

private:
    Reason reason_;
    std::string detail_;
    std::string hint_;
};

/// Compares the source as of one LSN, now, with the history as of that LSN, and checks what must
/// hold of the history by itself. Only reads, but for the temporary slot whose snapshot it takes;
/// the pipeline's slot is looked into while nobody runs the pipeline.
/// Holds ACCESS SHARE locks on the source's tables, and a snapshot on each side, until it is done;
/// on a history table only while that one is read. Errors: Impossible; pq::Error, also when it was
/// asked to stop.
[[nodiscard]] Report verify(const config::Settings& settings, const Options& options);

}  // namespace pgchronicle::verify
