#pragma once

#include "config/error.hpp"
#include "config/settings.hpp"

#include <vector>

namespace pgchronicle::config {

/// Judges values, alone and together: ranges, forms of names, contradictions.
///
/// Returns every problem with its key path, without file and line, which the loader knows.
/// Pure: opens nothing, asks no server; whether things exist is for `pgchronicle check`.
[[nodiscard]] std::vector<Problem> validate(const Settings& settings);

}  // namespace pgchronicle::config
