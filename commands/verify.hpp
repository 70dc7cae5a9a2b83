#pragma once

#include "config/settings.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::commands {

struct VerifyOptions {
    std::vector<std::string> tables;  ///< Patterns schema.table, or a table alone; empty: all.
    std::string sample;               ///< "5%" or a number of rows; empty: every row.
    std::optional<std::uint32_t> seed;
    std::chrono::seconds timeout{60};
    std::size_t keys_max{20};
    bool json{false};
};

/// Proves that target and source are equal at one LSN, and that the history holds what it must.
/// Returns 0; 1 when something differs or is broken, or the history does not reach the LSN in time;
/// 2 for options that mean nothing; 3 when the history is another source's. Reasons go to `err`,
/// and a bar if that is a terminal. Throws pq::Error. A signal ends the process as it would have,
/// once the servers know.
int verify(
    const config::Settings& settings,
    const VerifyOptions& options,
    std::ostream& out,
    std::ostream& err
);

}  // namespace pgchronicle::commands
