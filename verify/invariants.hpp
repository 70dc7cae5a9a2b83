#pragma once

#include "config/settings.hpp"
#include "pq/connection.hpp"
#include "verify/digest_sql.hpp"
#include "verify/known_gaps.hpp"
#include "verify/report.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace pgchronicle::verify {

/// One of sql/checks, with its placeholders.
struct Check {
    const char* name;
    const char* sql;
    bool by_key{false};       ///< Does not apply to a table without a key.
    bool across_keys{false};  ///< A part of the rows without a key tells nothing.
    /// What lies between previous_from and lsn_from of its rows may have been missed.
    bool across_gaps{false};
    /// Looks at other keys of the transaction, too: those that a sample leaves out, or that
    /// intra_transaction: collapse has left nothing of, are missing.
    bool other_keys{false};
};
[[nodiscard]] std::span<const Check> all_checks();

/// What a check's comment says its rows are.
[[nodiscard]] std::string says(const Check& check);

struct CheckedHistory {
    std::string relation;                      ///< Quoted.
    std::vector<std::string> columns;          ///< The source's, as the history calls them.
    std::vector<std::string> lasting_columns;  ///< Of these, those whose texts never change.
    std::vector<std::string> key;
    config::HistoryColumnNames names;
    std::string pipeline;
    /// The beginning of every row, and whatever changes it, is known from here on; nothing where
    /// that is not so.
    std::optional<pgoutput::Lsn> complete_from;
    bool collapses{false};  ///< intra_transaction: collapse
    DigestForm form{DigestForm::fast};
    std::optional<Sample> sample;
    std::vector<KnownGaps::Gap> missed;
};

/// The check as a query of this history: columns go by our names and key_0, key_1, ... (or "key_0",
/// the row's text, without a key), for a source's column may have any name.
[[nodiscard]] std::string check_sql(const Check& check, const CheckedHistory& history);

/// Runs every check that applies, and says when it begins with one. Of each broken one, `rows_max`
/// rows are told. Errors: pq::Error.
void check_invariants(
    pq::Connection& target,
    const CheckedHistory& history,
    std::size_t rows_max,
    const std::function<void()>& on_check,
    TableReport& report
);

}  // namespace pgchronicle::verify
