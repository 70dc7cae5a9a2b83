#include "pq/sqlstate.hpp"

#include <algorithm>
#include <array>

namespace pgchronicle::pq {
namespace {

struct Rule {
    std::string_view prefix;  ///< A whole SQLSTATE, or the two characters of a class.
    Disposition disposition;
};

constexpr std::string_view protocol_violation = "08P01";

// The longest prefix that matches wins. Whole codes stand before their class, so the first one
// does.
constexpr std::array rules{
    Rule{"08", Disposition::reconnect},     // connection exceptions
    Rule{"25006", Disposition::reconnect},  // read-only: a standby, or a primary about to fail over
    Rule{"25P03", Disposition::reconnect},  // idle_in_transaction_session_timeout ends the session
    Rule{"25P04", Disposition::reconnect},  // transaction_timeout ends the session
    Rule{"40001", Disposition::retry},      // serialization_failure
    Rule{"40003", Disposition::reconnect},  // statement_completion_unknown
    Rule{"40P01", Disposition::retry},      // deadlock_detected
    Rule{"53300", Disposition::reconnect},  // too_many_connections
    Rule{"53", Disposition::retry},         // disk full, out of memory, ...
    Rule{"55006", Disposition::reconnect},  // object_in_use: a slot whose last user is not gone yet
    Rule{"55P03", Disposition::retry},      // lock_not_available
    Rule{"57014", Disposition::retry},      // query_canceled, statement_timeout
    Rule{"57P01", Disposition::reconnect},  // admin_shutdown
    Rule{"57P02", Disposition::reconnect},  // crash_shutdown
    Rule{"57P03", Disposition::reconnect},  // cannot_connect_now
    Rule{"57P05", Disposition::reconnect},  // idle_session_timeout
    Rule{"58000", Disposition::reconnect},  // system_error
    Rule{"58030", Disposition::reconnect},  // io_error
    Rule{"72000", Disposition::retry},      // snapshot_too_old
};

}  // namespace

Disposition disposition_of(std::string_view sqlstate, bool connection_lost) {
    if (sqlstate.empty()) return connection_lost ? Disposition::reconnect : Disposition::halt;
    // Where the connection lives on, a value has not the form that its column takes.
    if (sqlstate == protocol_violation && !connection_lost) return Disposition::halt;
    const auto* const rule = std::ranges::find_if(rules, [&](const Rule& candidate) {
        return sqlstate.starts_with(candidate.prefix);
    });
    if (rule == rules.end()) return Disposition::halt;
    if (rule->disposition == Disposition::retry && connection_lost) return Disposition::reconnect;
    return rule->disposition;
}

}  // namespace pgchronicle::pq
