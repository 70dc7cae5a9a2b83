#include "files/import_lock.hpp"

namespace pgchronicle::files {

void lock_imports(pq::Connection& target, const std::string& pipeline, ImportLock lock) {
    const std::string function =
        lock == ImportLock::writes ? "pg_advisory_xact_lock" : "pg_advisory_lock_shared";
    target.exec(
        "SELECT " + function + "(hashtextextended('pgchronicle import/' || $1, 0))", {pipeline}
    );
}

}  // namespace pgchronicle::files
