#include "reading/output.hpp"
#include "reading/row_history.hpp"

namespace pgchronicle::reading {
namespace {

// OIDs of pg_type.dat, which never change.
constexpr std::uint32_t oid_of_bool = 16;
constexpr std::uint32_t oid_of_int8 = 20;
constexpr std::uint32_t oid_of_text = 25;
constexpr std::uint32_t oid_of_timestamptz = 1184;
constexpr std::uint32_t oid_of_pg_lsn = 3220;

Value text_of(const std::optional<pgoutput::Lsn>& lsn) {
    return lsn ? Value{to_string(*lsn)} : std::nullopt;
}

/// Our own values, in the order of the history's own columns.
std::vector<Value> own_values(const Version& version) {
    return {
        version.valid_from,
        version.valid_to,
        version.is_current ? "t" : "f",
        version.operation_type,
        text_of(version.lsn_from),
        text_of(version.lsn_to),
        std::to_string(version.change_seq),
    };
}

std::vector<Column> own_columns(const config::HistoryColumnNames& names) {
    return {
        {names.valid_from, "timestamp with time zone", oid_of_timestamptz},
        {names.valid_to, "timestamp with time zone", oid_of_timestamptz},
        {names.is_current, "boolean", oid_of_bool},
        {names.operation_type, "text", oid_of_text},
        {names.lsn_from, "pg_lsn", oid_of_pg_lsn},
        {names.lsn_to, "pg_lsn", oid_of_pg_lsn},
        {names.change_seq, "bigint", oid_of_int8},
    };
}

}  // namespace

std::string json_head(
    const HistoryTable& table,
    const std::vector<std::string>& key,
    std::optional<pgoutput::Lsn> position
) {
    std::string out{"{\"table\":"};
    append_json_string(out, table.name());
    out += ",\"key\":";
    append_json_object(out, table.key_columns(), {key.begin(), key.end()});
    out += ",\"position\":";
    append_json_value(out, oid_of_pg_lsn, text_of(position));
    return out + ",\"versions\":[";
}

void append_json(std::string& out, const HistoryTable& table, const Version& version) {
    // Whatever the columns are called in the table.
    append_json_object(out, own_columns({}), own_values(version));
    out.pop_back();
    out += ",\"changed\":[";
    for (const auto& column : version.changed) {
        if (out.back() != '[') out += ',';
        append_json_string(out, column);
    }
    out += "],\"values\":";
    append_json_object(out, table.columns, version.values);
    out += '}';
}

std::vector<Column> version_columns(const HistoryTable& table) {
    auto columns = own_columns(table.names);
    columns.insert(columns.end(), table.columns.begin(), table.columns.end());
    return columns;
}

std::vector<Value> to_row(const Version& version) {
    auto values = own_values(version);
    values.insert(values.end(), version.values.begin(), version.values.end());
    return values;
}

}  // namespace pgchronicle::reading
