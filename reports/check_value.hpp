#pragma once

#include "reports/report.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace pgchronicle::reports {

/// Why `value` is none for `parameter`, in one or two words: "is out of range"; nothing when it is
/// one. Pure: what it lets through the server takes, too.
[[nodiscard]] std::optional<std::string>
fault_of(const Parameter& parameter, std::string_view value);

/// What a value of `parameter` has to be, as a sentence: "It is an integer from 1 to 100."
[[nodiscard]] std::string expectation(const Parameter& parameter);

}  // namespace pgchronicle::reports
