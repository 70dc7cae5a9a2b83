#pragma once

#include "pq/error.hpp"
#include "reading/error.hpp"

#include <iosfwd>
#include <string>

namespace pgchronicle::commands {

// The exit codes that commands return.
inline constexpr int exit_done = 0;
inline constexpr int exit_check_failed = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_needs_operator = 3;
inline constexpr int exit_try_again = 4;

/// Why a command does not do what it was asked to, in PostgreSQL's grammar.
struct Refusal {
    int exit_code{exit_needs_operator};
    std::string primary{};
    std::string detail{};
    std::string hint{};
};

/// Prints it as errors are printed; returns its exit code.
int report(const Refusal& refusal, std::ostream& err);

/// The same for an error that ended a command: 3 when only an operator can mend it, 4 when trying
/// again later may help.
int report(const pq::Error& error, std::ostream& err);

/// The same for a request that cannot be answered: 2 where it asks for what is not there, 1 where
/// the history does not reach, 4 where it will.
int report(const reading::Error& error, std::ostream& err);

}  // namespace pgchronicle::commands
