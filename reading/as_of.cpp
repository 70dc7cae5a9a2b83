#include "reading/as_of.hpp"

#include "pq/quoting.hpp"
#include "reading/checkpoint.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace pgchronicle::reading {
namespace {

using pq::quote_identifier;

/// One snapshot for several statements, unless the caller has one.
class Snapshot {
public:
    explicit Snapshot(pq::Connection& target) : target_{target}, own_{!target.in_transaction()} {
        if (own_) target_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    }
    ~Snapshot() {
        if (!own_ || !target_.in_transaction()) return;
        try {
            target_.exec("ROLLBACK");
        } catch (const pq::Error&) {
            return;  // The connection is gone, and the transaction with it.
        }
    }
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;
    Snapshot(Snapshot&&) = delete;
    Snapshot& operator=(Snapshot&&) = delete;

private:
    pq::Connection& target_;
    bool own_;
};

Error bad_request(std::string primary, std::string detail = {}, std::string hint = {}) {
    return Error{
        {.kind = ErrorKind::bad_request,
         .primary = std::move(primary),
         .detail = std::move(detail),
         .hint = std::move(hint)}};
}

Error not_ready(const HistoryTable& table) {
    return Error{
        {.kind = ErrorKind::not_ready,
         .primary = fmt::format("history of table \"{}\" is not complete yet", table.name()),
         .detail = {},
         .hint = "Its rows are still to be copied from the source; see \"pgchronicle status\"."}};
}

Error too_early(const HistoryTable& table, const std::string& asked, const std::string& from) {
    return Error{
        {.kind = ErrorKind::too_early,
         .primary = fmt::format("history of table \"{}\" is not known at {}", table.name(), asked),
         .detail = fmt::format("It is complete from {} on.", from),
         .hint = {}}};
}

Error too_late(const HistoryTable& table, const std::string& asked, const std::string& end) {
    return Error{
        {.kind = ErrorKind::too_late,
         .primary = fmt::format("history of table \"{}\" is not known at {}", table.name(), asked),
         .detail = fmt::format("The table is in quarantine, and its history ends at {}.", end),
         .hint = R"(See "pgchronicle status", and "pgchronicle repair release".)"}};
}

Moment moment_of_lsn(
    const HistoryTable& table,
    const Checkpoint& checkpoint,
    std::optional<pgoutput::Lsn> asked
) {
    Moment moment{.lsn = asked.value_or(checkpoint.position), .at = std::nullopt, .final = true};
    if (*moment.lsn > checkpoint.position) moment.lsn = checkpoint.position;
    // Without a moment the next read gives another one.
    moment.final = asked && *asked <= checkpoint.position;
    const auto text = to_string(asked.value_or(checkpoint.position));
    if (!table.consistent_from) throw not_ready(table);
    if (*moment.lsn < *table.consistent_from) {
        throw too_early(table, text, to_string(*table.consistent_from));
    }
    if (table.left_at && *moment.lsn > *table.left_at) {
        throw too_late(table, text, to_string(*table.left_at));
    }
    return moment;
}

/// $1 is the time that is asked for: itself, and whether it is before, after, or past these.
pq::Result compare_times(
    pq::Connection& target,
    const HistoryTable& table,
    const Checkpoint& checkpoint,
    const std::string& asked
) {
    const auto param = [](const std::optional<std::string>& value) {
        return value ? pq::Param::text(*value) : pq::Param::null();
    };
    const std::vector<pq::Param> params{
        pq::Param::text(asked),
        param(table.consistent_from_time),
        param(table.left_at_time),
        param(checkpoint.last_commit_time),
    };
    try {
        return target.exec(
            "SELECT $1::timestamptz, $1::timestamptz < $2::timestamptz,"
            " coalesce($1::timestamptz > $3::timestamptz, false),"
            " coalesce($1::timestamptz < $4::timestamptz, false)",
            params
        );
    } catch (const pq::Error& error) {
        if (!error.sqlstate().starts_with("22")) throw;
        throw bad_request(
            "time is not valid: " + error.primary(),
            error.detail(),
            "A time looks like 2026-11-21, or 2026-11-21T11:55:29Z; it is UTC unless it says "
            "otherwise."
        );
    }
}

Moment moment_of_time(
    pq::Connection& target,
    const HistoryTable& table,
    const Checkpoint& checkpoint,
    const std::string& asked
) {
    const auto row = compare_times(target, table, checkpoint, asked);
    Moment moment{.lsn = std::nullopt, .at = row.str(0, 0), .final = row.boolean(0, 3)};
    if (!table.consistent_from_time) throw not_ready(table);
    if (row.boolean(0, 1)) throw too_early(table, *moment.at, *table.consistent_from_time);
    if (row.boolean(0, 2)) throw too_late(table, *moment.at, *table.left_at_time);
    // A commit of this very time may still come: it is seen when the position passes it.
    if (!moment.final) moment.lsn = checkpoint.position;
    return moment;
}

std::string column_list(const std::vector<Column>& columns) {
    std::string list;
    for (const Column& column : columns) {
        list += (list.empty() ? "" : ", ") + quote_identifier(column.name);
    }
    return list;
}

/// Which rows a page holds: SQL, and the parameters after $1.
struct PageSql {
    std::string order;
    std::string condition{};
    std::vector<pq::Param> params{};
    std::string offset{};
};

/// By key, after the key of the last row.
PageSql page_by_key(const std::vector<Column>& key, const std::vector<std::string>& after) {
    PageSql page{.order = column_list(key)};
    if (after.empty()) return page;
    std::string marks;
    for (std::size_t i = 0; i < key.size(); ++i) {
        marks += fmt::format("{}${}", i == 0 ? "" : ", ", i + 2);
        pq::Param value = pq::Param::text(after[i]);
        value.type = key[i].type_oid;
        page.params.push_back(value);
    }
    page.condition = fmt::format(" AND ROW({}) > ROW({})", page.order, marks);
    return page;
}

/// Rows without a key may be identical. They are ordered by their text form; a page begins with the
/// last row's, and passes over as many of it as were given.
PageSql page_by_row(const HistoryTable& table, const std::vector<std::string>& after) {
    PageSql page{.order = fmt::format("ROW({})::text COLLATE \"C\"", column_list(table.columns))};
    if (after.empty()) return page;
    page.condition = fmt::format(" AND {} >= $2", page.order);
    page.params.push_back(pq::Param::text(after[0]));
    page.offset = " OFFSET $3::bigint";
    page.params.push_back(pq::Param::text(after[1]));
    return page;
}

bool is_count(const std::string& text) {
    std::uint32_t count = 0;
    const auto [end, errc] = std::from_chars(text.data(), text.data() + text.size(), count);
    return errc == std::errc{} && end == text.data() + text.size();
}

void require_cursor(const HistoryTable& table, const std::vector<std::string>& after) {
    if (after.empty()) return;
    const bool keyed = !table.row_key.empty();
    const bool fits =
        keyed ? after.size() == table.row_key.size() : after.size() == 2 && is_count(after[1]);
    if (!fits) {
        throw bad_request(
            fmt::format(R"("after" does not fit table "{}")", table.name()),
            "It is what the page before gave as its next."
        );
    }
}

/// The cursor that goes on after the page's last row. Its last columns are those of the order.
std::vector<std::string> next_of(
    const HistoryTable& table,
    const std::vector<std::vector<Value>>& rows,
    const std::vector<std::vector<std::string>>& orders,
    const std::vector<std::string>& after
) {
    if (!table.row_key.empty()) return orders.back();
    std::uint64_t same = 0;
    for (std::size_t i = rows.size(); i > 0 && orders[i - 1] == orders.back(); --i) ++same;
    // All of the page may be the row that the page before ended with.
    const bool goes_on = !after.empty() && same == rows.size() && after[0] == orders.back()[0];
    if (goes_on) same += std::stoull(after[1]);
    return {orders.back()[0], std::to_string(same)};
}

AsOfPage read_page(
    pq::Connection& target,
    const HistoryTable& table,
    Moment moment,
    const AsOfRequest& request
) {
    const auto key = table.key_columns();
    const bool keyed = !key.empty();
    const auto page = keyed ? page_by_key(key, request.after) : page_by_row(table, request.after);
    const std::string shown = moment.lsn ? to_string(*moment.lsn) : moment.at.value_or("");
    std::vector<pq::Param> params{pq::Param::text(shown)};
    params.insert(params.end(), page.params.begin(), page.params.end());
    // One row more tells whether there is another page.
    const std::string limit =
        request.rows_max == 0 ? "" : fmt::format(" LIMIT {}", request.rows_max + 1);
    const auto result = target.exec(
        fmt::format(
            "SELECT {}{}{} FROM {} WHERE {}{} ORDER BY {}{}{}",
            column_list(table.columns),
            table.columns.empty() ? "" : ", ",
            page.order,
            pq::quote_qualified(table.target_schema, table.target_table),
            visible_sql(table, moment, ""),
            page.condition,
            page.order,
            limit,
            page.offset
        ),
        params
    );
    AsOfPage answer{.moment = std::move(moment), .rows = {}, .next = std::nullopt};
    answer.rows = rows_of(result);
    const std::size_t width = table.columns.size();
    std::vector<std::vector<std::string>> orders;
    for (auto& row : answer.rows.rows) {
        auto& order = orders.emplace_back();
        for (std::size_t i = width; i < row.size(); ++i) order.push_back(row[i].value_or(""));
        row.resize(width);
    }
    answer.rows.columns = table.columns;
    if (request.rows_max != 0 && answer.rows.rows.size() > request.rows_max) {
        answer.rows.rows.pop_back();
        orders.pop_back();
        answer.next = next_of(table, answer.rows.rows, orders, request.after);
    }
    return answer;
}

}  // namespace

std::string
visible_sql(const HistoryTable& table, const Moment& moment, const std::string& prefix) {
    const auto& names = table.names;
    const bool by_lsn = moment.lsn.has_value();
    const auto from = prefix + quote_identifier(by_lsn ? names.lsn_from : names.valid_from);
    const auto to = prefix + quote_identifier(by_lsn ? names.lsn_to : names.valid_to);
    return fmt::format(
        "{0} <= $1::{2} AND ({1} > $1::{2} OR {1} IS NULL)",
        from,
        to,
        by_lsn ? "pg_lsn" : "timestamptz"
    );
}

Moment find_moment(
    pq::Connection& target,
    const config::Settings& settings,
    const HistoryTable& table,
    const AsOfRequest& request
) {
    if (request.lsn && request.at) {
        throw bad_request("as of an LSN or as of a time, not both");
    }
    const auto checkpoint = read_checkpoint(target, settings.pipeline);
    if (!checkpoint || table.columns.empty()) throw not_ready(table);
    if (request.at) return moment_of_time(target, table, *checkpoint, *request.at);
    return moment_of_lsn(table, *checkpoint, request.lsn);
}

AsOfPage read_as_of(
    pq::Connection& target,
    const config::Settings& settings,
    const HistoryTable& table,
    const AsOfRequest& request
) {
    require_cursor(table, request.after);
    const Snapshot snapshot{target};
    auto moment = find_moment(target, settings, table, request);
    try {
        return read_page(target, table, std::move(moment), request);
    } catch (const pq::Error& error) {
        // Of what enters the statement, only the cursor's values come from the request.
        if (!error.sqlstate().starts_with("22") || request.after.empty()) throw;
        throw bad_request(
            fmt::format(R"("after" does not fit table "{}": {})", table.name(), error.primary()),
            error.detail()
        );
    }
}

}  // namespace pgchronicle::reading
