#pragma once

#include "config/settings.hpp"
#include "pq/connection.hpp"
#include "verify/report.hpp"
#include "verify/source_at.hpp"
#include "verify/verification.hpp"

#include <vector>

namespace pgchronicle::verify {

/// Verifies one table after the other, ordered by name: those of `source`, and histories whose
/// table is not among them. `target` is in a transaction with one snapshot, at or behind the
/// source's LSN. Errors: pq::Error.
[[nodiscard]] std::vector<TableReport> verify_each_table(
    const config::Settings& settings,
    const Options& options,
    SourceAt& source,
    pq::Connection& target
);

}  // namespace pgchronicle::verify
