#pragma once

#include <ostream>
#include <string>

namespace pgchronicle::commands {

// The exit codes that commands return.
inline constexpr int exit_done = 0;
inline constexpr int exit_check_failed = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_needs_operator = 3;

/// Why a command does not do what it was asked to, in PostgreSQL's grammar.
struct Refusal {
    int exit_code{exit_needs_operator};
    std::string primary{};
    std::string detail{};
    std::string hint{};
};

/// Prints it as errors are printed; returns its exit code.
inline int report(const Refusal& refusal, std::ostream& err) {
    err << "pgchronicle: error: " << refusal.primary << '\n';
    if (!refusal.detail.empty()) err << "DETAIL:  " << refusal.detail << '\n';
    if (!refusal.hint.empty()) err << "HINT:  " << refusal.hint << '\n';
    return refusal.exit_code;
}

}  // namespace pgchronicle::commands
