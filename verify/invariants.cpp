#include "verify/invariants.hpp"

#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

namespace pgchronicle::embedded {
extern const char* const check_known_operation;
extern const char* const check_times_follow_stream;
extern const char* const check_tombstone_shape;
extern const char* const check_v02_one_current;
extern const char* const check_v03_is_current;
extern const char* const check_v04_chain_begins;
extern const char* const check_v04_insert_begins;
extern const char* const check_v04_no_hole;
extern const char* const check_v04_no_overlap;
extern const char* const check_v04_tombstone_alone;
extern const char* const check_v04_tombstone_follows;
extern const char* const check_v04_tombstone_values;
extern const char* const check_v05_end_is_a_begin;
extern const char* const check_v05_no_negative_interval;
extern const char* const check_v06_change_seq;
extern const char* const check_v06_no_duplicate;
extern const char* const check_v06_one_change;
extern const char* const check_v07_not_beyond_checkpoint;
}  // namespace pgchronicle::embedded

namespace pgchronicle::verify {
namespace {

using pq::quote_identifier;

/// The text with each {{name}} replaced by what `value` says; what comes in is not looked at.
template <typename Value>
std::string filled(std::string_view text, Value value) {
    std::string sql;
    for (;;) {
        const auto open = text.find("{{");
        sql += text.substr(0, open);
        if (open == std::string_view::npos) return sql;
        const auto close = text.find("}}", open);
        sql += value(text.substr(open + 2, close - open - 2));
        text.remove_prefix(close + 2);
    }
}

std::vector<std::string> of_t(const std::vector<std::string>& names) {
    std::vector<std::string> quoted;
    for (const auto& name : names) quoted.push_back("t." + quote_identifier(name));
    return quoted;
}

/// What stands for {{values}}. Collations that differ could not be in one array.
std::string row_values(const CheckedHistory& history) {
    std::string list;
    for (const auto& column : of_t(history.lasting_columns)) {
        list += fmt::format("{}{}::text COLLATE \"C\"", list.empty() ? "" : ", ", column);
    }
    return "ARRAY[" + list + "]::text[]";
}

/// The history as the checks know it.
std::string as_checked(const CheckedHistory& history, bool with_values) {
    std::string list;
    const auto add = [&](const std::string& expression, const std::string& name) {
        list += fmt::format("{}{} AS {}", list.empty() ? "" : ", ", expression, name);
    };
    const auto key = of_t(history.key);
    for (std::size_t i = 0; i < key.size(); ++i) add(key[i], fmt::format("key_{}", i));
    if (key.empty()) {
        add(fmt::format(
                "pg_catalog.left(ROW({})::text, {})",
                fmt::join(of_t(history.columns), ", "),
                shown_characters
            ),
            "key_0");
    }
    const auto& n = history.names;
    const auto ours = std::array{
        std::pair{&n.valid_from, "valid_from"},
        std::pair{&n.valid_to, "valid_to"},
        std::pair{&n.is_current, "is_current"},
        std::pair{&n.operation_type, "operation_type"},
        std::pair{&n.lsn_from, "lsn_from"},
        std::pair{&n.lsn_to, "lsn_to"},
        std::pair{&n.change_seq, "change_seq"}};
    for (const auto& [name, known_as] : ours) add("t." + quote_identifier(*name), known_as);
    if (with_values) {
        add(row_values(history), "row_values");
        add("t.ctid", "ctid");
    }
    std::string where;
    if (history.sample) {
        const auto hash = hash_sql(key.empty() ? of_t(history.columns) : key, history.form);
        where = " WHERE " + sample_sql(hash, *history.sample);
    }
    return fmt::format("(SELECT {} FROM {} t{})", list, history.relation, where);
}

/// The rows of `sql` that no gap lies in the middle of.
std::string unexcused(const std::string& sql, const std::vector<KnownGaps::Gap>& missed) {
    std::string list;
    for (const auto& gap : missed) {
        list += fmt::format(
            " AND NOT (previous_from <= '{}'::pg_lsn AND lsn_from >= '{}'::pg_lsn)",
            to_string(gap.to),
            to_string(gap.from)
        );
    }
    return "SELECT * FROM (" + sql + ") AS around WHERE true" + list;
}

Fields fields_of(const pq::Result& rows, int row, const CheckedHistory& history) {
    Fields fields;
    for (int i = 0; i < rows.columns(); ++i) {
        std::string name = rows.name(i);
        for (std::size_t k = 0; k < history.key.size(); ++k) {
            if (name != fmt::format("key_{}", k)) continue;
            name = history.key[k];
            break;
        }
        if (history.key.empty() && name == "key_0") name = "row";
        fields.push_back(
            {std::move(name), rows.null(row, i) ? std::nullopt : std::optional{rows.str(row, i)}}
        );
    }
    return fields;
}

}  // namespace

std::span<const Check> all_checks() {
    using namespace embedded;
    static const std::array checks{
        Check{"known_operation", check_known_operation},
        Check{"tombstone_shape", check_tombstone_shape},
        Check{"v02_one_current", check_v02_one_current, true},
        Check{"v03_is_current", check_v03_is_current},
        Check{
            .name = "v04_chain_begins",
            .sql = check_v04_chain_begins,
            .by_key = true,
            .other_keys = true},
        Check{"v04_insert_begins", check_v04_insert_begins, true},
        Check{"v04_no_hole", check_v04_no_hole, true},
        Check{"v04_no_overlap", check_v04_no_overlap, true},
        Check{"v04_tombstone_alone", check_v04_tombstone_alone, true},
        Check{"v04_tombstone_follows", check_v04_tombstone_follows, true, false, true},
        Check{"v04_tombstone_values", check_v04_tombstone_values, true},
        Check{"v05_end_is_a_begin", check_v05_end_is_a_begin, false, true},
        Check{"v05_no_negative_interval", check_v05_no_negative_interval},
        Check{"v06_change_seq", check_v06_change_seq},
        Check{"v06_no_duplicate", check_v06_no_duplicate, true},
        Check{"v06_one_change", check_v06_one_change},
        Check{"v07_not_beyond_checkpoint", check_v07_not_beyond_checkpoint},
        Check{"times_follow_stream", check_times_follow_stream},
    };
    return checks;
}

std::string says(const Check& check) {
    std::string text;
    std::string_view rest{check.sql};
    while (rest.starts_with("-- ")) {
        const auto end = rest.find('\n');
        text += (text.empty() ? "" : " ") + std::string{rest.substr(3, end - 3)};
        rest.remove_prefix(end + 1);
    }
    return text;
}

std::string check_sql(const Check& check, const CheckedHistory& history) {
    std::string key;
    for (std::size_t i = 0; i < history.key.size(); ++i) {
        key += fmt::format("{}key_{}", i == 0 ? "" : ", ", i);
    }
    const bool with_values = std::string_view{check.sql}.find("{{values}}") != std::string::npos;
    return filled(check.sql, [&](std::string_view name) {
        if (name == "key_columns") return key;
        if (name == "pipeline") return pq::quote_literal(history.pipeline);
        if (name == "values") return std::string{"row_values"};
        if (name == "complete_from") {
            constexpr pgoutput::Lsn never{std::numeric_limits<std::uint64_t>::max()};
            return fmt::format("'{}'::pg_lsn", to_string(history.complete_from.value_or(never)));
        }
        return as_checked(history, with_values);
    });
}

void check_invariants(
    pq::Connection& target,
    const CheckedHistory& history,
    std::size_t rows_max,
    const std::function<void()>& on_check,
    TableReport& report
) {
    const auto count_of = [&](const std::string& sql) {
        const auto count = target.exec("SELECT count(*) FROM (" + sql + ") AS broken");
        return static_cast<std::uint64_t>(count.int64(0, 0));
    };
    // A history that grows fast is larger than its statistics say, by far if it is young: for a few
    // rows a nested loop would do, for the many that there are it takes hours.
    target.exec("SET LOCAL enable_nestloop = off");
    for (const auto& check : all_checks()) {
        on_check();
        if (history.key.empty() && (check.by_key || (check.across_keys && history.sample)))
            continue;
        if (check.other_keys && (history.sample || history.collapses)) continue;
        ++report.invariants;
        auto sql = check_sql(check, history);
        auto count = count_of(sql);
        if (count > 0 && check.across_gaps && !history.missed.empty()) {
            sql = unexcused(sql, history.missed);
            const auto rest = count_of(sql);
            report.gaps += count - rest;
            count = rest;
        }
        if (count == 0) continue;
        BrokenInvariant broken{
            .check = check.name, .says = says(check), .count = count, .rows = {}};
        const auto rows = target.exec(
            fmt::format("SELECT * FROM ({}) AS broken ORDER BY 1 LIMIT {}", sql, rows_max)
        );
        for (int i = 0; i < rows.rows(); ++i) broken.rows.push_back(fields_of(rows, i, history));
        report.broken.push_back(std::move(broken));
    }
}

}  // namespace pgchronicle::verify
