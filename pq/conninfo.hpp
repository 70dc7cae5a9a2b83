#pragma once

#include "pq/connection.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

// From our options to libpq's keywords and back from libpq's text to an Error. No I/O.

namespace pgchronicle::pq {

/// libpq keywords with their values, e.g. {"host", "db1"}.
using Keywords = std::vector<std::pair<std::string, std::string>>;

/// The attempts that amount to `options`, in order: one per host, since libpq bounds the time of
/// each host only in its blocking call. Pinned settings win over those of the DSN, and those over
/// PGOPTIONS. Throws Error for a DSN that libpq cannot read; the text repeats nothing of a DSN that
/// may hold a password.
[[nodiscard]] std::vector<Keywords> attempts(const ConnectOptions& options);

/// The value of `keyword`, or "" when it is not there.
[[nodiscard]] std::string value_of(const Keywords& keywords, std::string_view keyword);

/// Reads PQerrorMessage() of a connection with PQERRORS_VERBOSE: the only way to learn the SQLSTATE
/// of a refused connection. Control characters become '?'.
[[nodiscard]] Error::Fields parse_error_message(std::string_view text);

/// Whether libpq's text for a failed connection, which has no SQLSTATE, tells of something that
/// only another configuration can mend, here or on the server: a certificate that does not fit, a
/// server without TLS, a way to ask for the password that is not allowed. The other failures may
/// pass.
[[nodiscard]] bool needs_other_configuration(std::string_view primary);

}  // namespace pgchronicle::pq
