#pragma once

#include "pq/error.hpp"

#include <string_view>

namespace pgchronicle::pq {

/// What to do about an error with this SQLSTATE. Codes and classes that are not in the table halt:
/// what we do not know cannot be assumed to pass by itself.
/// `connection_lost` turns `retry` into `reconnect`, and decides alone where `sqlstate` is empty.
/// Source: manual, errcodes-appendix.
[[nodiscard]] Disposition disposition_of(std::string_view sqlstate, bool connection_lost);

}  // namespace pgchronicle::pq
