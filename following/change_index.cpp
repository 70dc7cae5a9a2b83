#include "following/change_index.hpp"

#include "history_writer/history_table.hpp"
#include "history_writer/pg/metadata.hpp"
#include "pq/quoting.hpp"
#include "reading/error.hpp"

#include <fmt/format.h>

#include <exception>
#include <utility>

namespace pgchronicle::following {

using history_writer::pg::try_lock_pipeline;

namespace {

/// Holds back others who would make the same index, and take ours, half made, for a broken one.
class IndexLock {
public:
    IndexLock(pq::Connection& target, std::string name)
        : target_{target}, name_{std::move(name)}, taken_{try_lock_pipeline(target, name_)} {}
    ~IndexLock() {
        if (!taken_ || !target_.ok()) return;
        try {
            target_.exec(
                "SELECT pg_advisory_unlock(hashtextextended($1, 0))", {"pgchronicle/" + name_}
            );
        } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
            // It ends with the connection.
        }
    }
    IndexLock(const IndexLock&) = delete;
    IndexLock& operator=(const IndexLock&) = delete;

    [[nodiscard]] bool taken() const { return taken_; }

private:
    pq::Connection& target_;
    std::string name_;
    bool taken_;
};

/// Readers' connections are read-only by default and their statements limited in time; the index is
/// no request's own, and takes what it takes.
class Unlimited {
public:
    explicit Unlimited(pq::Connection& target) : target_{target} {
        target_.exec("SET default_transaction_read_only = off");
        target_.exec("SET statement_timeout = 0");
        target_.exec("SET lock_timeout = 0");
    }
    ~Unlimited() {
        if (!target_.ok()) return;
        try {
            target_.exec("RESET default_transaction_read_only");
            target_.exec("RESET statement_timeout");
            target_.exec("RESET lock_timeout");
        } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
            // The connection is lost.
        }
    }
    Unlimited(const Unlimited&) = delete;
    Unlimited& operator=(const Unlimited&) = delete;

private:
    pq::Connection& target_;
};

}  // namespace

bool make_change_index(
    pq::Connection& target,
    const std::string& pipeline,
    const FollowedTable& table,
    const config::HistoryColumnNames& names
) {
    const IndexLock lock{target, pipeline + "/change index"};
    if (!lock.taken()) return false;
    const auto name = history_writer::shortened(table.target_table + "_changes");
    const auto create = fmt::format(
        "CREATE INDEX CONCURRENTLY {} ON {} ({}, {})",
        pq::quote_identifier(name),
        pq::quote_qualified(table.target_schema, table.target_table),
        pq::quote_identifier(names.lsn_from),
        pq::quote_identifier(names.change_seq)
    );
    const auto index = pq::quote_qualified(table.target_schema, name);
    try {
        const Unlimited unlimited{target};
        // One that was given up half way is there and not valid.
        const auto made = target.exec(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", {index}
        );
        if (made.rows() > 0 && made.boolean(0, 0)) return true;
        if (made.rows() > 0) target.exec("DROP INDEX CONCURRENTLY " + index);
        target.exec(create);
    } catch (const pq::Error& error) {
        constexpr const char* insufficient_privilege = "42501";
        constexpr const char* read_only_sql_transaction = "25006";
        if (error.sqlstate() != insufficient_privilege &&
            error.sqlstate() != read_only_sql_transaction) {
            throw;
        }
        throw reading::Error{
            {.kind = reading::ErrorKind::not_ready,
             .primary = fmt::format("table \"{}\" has no index to follow it by", table.name),
             .detail = "This role may not make one.",
             .hint = "Its owner may: " + create + ";"}};
    }
    return true;
}

}  // namespace pgchronicle::following
