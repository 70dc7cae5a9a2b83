#pragma once

#include "pq/connection.hpp"

namespace pgchronicle::history_writer::pg {

/// A transaction of its own, or part of the one that is open: a large transaction of the source
/// may be under way in the target.
template <typename Act>
void in_transaction(pq::Connection& target, Act act) {
    if (target.in_transaction()) {
        act();
        return;
    }
    target.exec("BEGIN");
    try {
        act();
        target.exec("COMMIT");
    } catch (...) {
        if (target.ok()) target.exec("ROLLBACK");
        throw;
    }
}

}  // namespace pgchronicle::history_writer::pg
