#pragma once

#include "replicator/preflight_facts.hpp"

#include <string>
#include <vector>

namespace pgchronicle::replicator {

/// `fatal` stops `run`, `warning` will surprise, `note` is good to know.
enum class Severity { fatal, warning, note };

enum class Side { source, target, configuration };

/// One thing that would stop or surprise `run`, in PostgreSQL's grammar: `what` is lower-case
/// without a full stop, `detail` and `hint` are sentences.
struct Problem {
    Severity severity{Severity::fatal};
    Side where{Side::source};
    std::string what{};
    std::string detail{};
    std::string hint{};
    /// Statements that mend it, one a line, to be run on the side where the problem is.
    std::string mending_sql{};

    friend bool operator==(const Problem&, const Problem&) = default;
};

/// Everything that would stop or surprise `run`, the source's problems first, then the tables',
/// then the target's. Pure: equal facts give equal problems. Never holds a secret.
[[nodiscard]] std::vector<Problem> preflight(const Facts& facts);

/// The published tables that the configuration keeps, with where they go.
[[nodiscard]] std::vector<history_writer::HistoryTable> planned_tables(const Facts& facts);

}  // namespace pgchronicle::replicator
