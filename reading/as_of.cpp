#include "reading/as_of.hpp"

#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace pgchronicle::reading {
namespace {

using pq::quote_identifier;

/// How much of a row's text its order and its cursor take before its digest.
constexpr std::size_t row_begin_length = 64;

/// Keys that are wider than that, in bytes, are named by their digest in a cursor.
constexpr std::size_t cursor_key_bytes = 1024;

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

/// Rows without a key may be identical. They are ordered by how their text form begins, and by its
/// digest; a page begins with the last row's, and passes over as many of them as were given.
PageSql page_by_row(const HistoryTable& table, const std::vector<std::string>& after) {
    const auto text = fmt::format("ROW({})::text", column_list(table.columns));
    PageSql page{
        .order = fmt::format(
            R"(left({0}, {1}) COLLATE "C", md5({0}) COLLATE "C")", text, row_begin_length
        )};
    if (after.empty()) return page;
    page.condition = fmt::format(" AND ROW({}) >= ROW($2, $3)", page.order);
    page.params.push_back(pq::Param::text(after[0]));
    page.params.push_back(pq::Param::text(after[1]));
    page.offset = " OFFSET $4::bigint";
    page.params.push_back(pq::Param::text(after[2]));
    return page;
}

bool is_count(const std::string& text) {
    std::uint32_t count = 0;
    const auto [end, errc] = std::from_chars(text.data(), text.data() + text.size(), count);
    return errc == std::errc{} && end == text.data() + text.size();
}

Error wrong_cursor(const HistoryTable& table) {
    return bad_request(
        fmt::format(R"("after" does not fit table "{}")", table.name()),
        "It is what the page before gave as its next."
    );
}

/// In place of a wide key's values: nothing for each, and their digest.
bool is_key_digest(const HistoryTable& table, const std::vector<std::string>& after) {
    const auto width = table.key_columns().size();
    return width > 0 && after.size() == width + 1;
}

void require_cursor(const HistoryTable& table, const std::vector<std::string>& after) {
    if (after.empty()) return;
    const auto width = table.key_columns().size();
    const bool fits = width > 0 ? after.size() == width || is_key_digest(table, after)
                                : after.size() == 3 && is_count(after[2]);
    if (!fits) throw wrong_cursor(table);
}

/// The cursor that goes on after the last row of a table without a key.
std::vector<std::string> next_row(
    const std::vector<std::vector<std::string>>& orders,
    const std::vector<std::string>& after
) {
    const auto& last = orders.back();
    std::uint64_t same = 0;
    for (std::size_t i = orders.size(); i > 0 && orders[i - 1] == last; --i) ++same;
    // All of the page may be the row that the page before ended with.
    const bool goes_on =
        !after.empty() && same == orders.size() && after[0] == last[0] && after[1] == last[1];
    if (goes_on) same += std::stoull(after[2]);
    return {last[0], last[1], std::to_string(same)};
}

/// Where the versions are, and which are visible at the moment: parameter $1.
std::string visible_rows(const HistoryTable& table, const Moment& moment) {
    return fmt::format(
        "{} WHERE {}",
        pq::quote_qualified(table.target_schema, table.target_table),
        visible_sql(table, moment, "")
    );
}

std::string shown_at(const Moment& moment) {
    const auto pinned = moment.pinned();
    return pinned.lsn ? to_string(*pinned.lsn) : pinned.at.value_or("");
}

/// The digest that stands for a wide key in a cursor.
std::string digest_of_key(
    pq::Connection& target,
    const HistoryTable& table,
    const Moment& moment,
    const std::vector<std::string>& key
) {
    const auto columns = table.key_columns();
    std::string marks;
    const auto shown = shown_at(moment);
    std::vector<pq::Param> params{pq::Param::text(shown)};
    for (std::size_t i = 0; i < key.size(); ++i) {
        marks += fmt::format("{}${}", i == 0 ? "" : ", ", i + 2);
        params.push_back(pq::Param::text(key[i]));
        params.back().type = columns[i].type_oid;
    }
    const auto row = target.exec(
        fmt::format(
            "SELECT md5(ROW({0})::text) FROM {1} AND ROW({0}) = ROW({2})",
            column_list(columns),
            visible_rows(table, moment),
            marks
        ),
        params
    );
    return row.str(0, 0);
}

/// The key that a cursor means.
std::vector<std::string> key_of_digest(
    pq::Connection& target,
    const HistoryTable& table,
    const Moment& moment,
    const std::string& digest
) {
    const auto columns = table.key_columns();
    const auto row = target.exec(
        fmt::format(
            "SELECT {0} FROM {1} AND md5(ROW({0})::text) = $2 LIMIT 1",
            column_list(columns),
            visible_rows(table, moment)
        ),
        {shown_at(moment), digest}
    );
    if (row.rows() == 0) throw wrong_cursor(table);
    std::vector<std::string> key;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        key.push_back(row.str(0, static_cast<int>(i)));
    }
    return key;
}

/// The cursor for what follows after a page whose rows have these orders.
std::vector<std::string> next_page(
    pq::Connection& target,
    const HistoryTable& table,
    const Moment& moment,
    const std::vector<std::vector<std::string>>& orders,
    const std::vector<std::string>& after
) {
    if (table.key_columns().empty()) return next_row(orders, after);
    const auto& last = orders.back();
    std::size_t bytes = 0;
    for (const auto& value : last) bytes += value.size();
    if (bytes <= cursor_key_bytes) return last;
    std::vector<std::string> next(last.size());
    next.push_back(digest_of_key(target, table, moment, last));
    return next;
}

AsOfPage read_page(
    pq::Connection& target,
    const HistoryTable& table,
    Moment moment,
    const AsOfRequest& request
) {
    const auto key = table.key_columns();
    const auto after = is_key_digest(table, request.after)
                           ? key_of_digest(target, table, moment, request.after.back())
                           : request.after;
    const auto page = key.empty() ? page_by_row(table, after) : page_by_key(key, after);
    const auto shown = shown_at(moment);
    std::vector<pq::Param> params{pq::Param::text(shown)};
    params.insert(params.end(), page.params.begin(), page.params.end());
    // One row more tells whether there is another page.
    const std::string limit =
        request.rows_max == 0 ? "" : fmt::format(" LIMIT {}", request.rows_max + 1);
    AsOfPage answer{.moment = std::move(moment), .rows = {}, .next = std::nullopt};
    answer.rows = read_rows(
        target,
        fmt::format(
            "SELECT {}{}{} FROM {}{} ORDER BY {}{}{}",
            column_list(table.columns),
            table.columns.empty() ? "" : ", ",
            page.order,
            visible_rows(table, answer.moment),
            page.condition,
            page.order,
            limit,
            page.offset
        ),
        params,
        request.limit
    );
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
        answer.next = next_page(target, table, answer.moment, orders, after);
    }
    return answer;
}

}  // namespace

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
