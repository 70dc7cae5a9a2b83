#pragma once

#include "config/settings.hpp"
#include "replicator/preflight.hpp"

#include <iosfwd>
#include <span>

namespace pgchronicle::commands {

struct CheckOptions {};

/// Everything that would stop or surprise `run`, with the SQL that mends it, on `out`.
/// Returns the exit code: 0, or 1 when something is fatal.
int check(const config::Settings& settings, const CheckOptions& options, std::ostream& out);

/// What `check` prints of problems: fatal ones first, each with DETAIL, HINT and its SQL on lines
/// of their own.
void print_problems(std::span<const replicator::Problem> problems, std::ostream& out);

}  // namespace pgchronicle::commands
