#include "following/change.hpp"

#include "reading/output.hpp"

#include <algorithm>
#include <array>

namespace pgchronicle::following {

using reading::append_json_string;

namespace {

void append_member(std::string& out, const Change& change, std::size_t column) {
    if (out.back() != '{') out += ',';
    append_json_string(out, change.table->columns[column].name);
    out += ':';
    reading::append_json_value(out, change.table->columns[column].type_oid, change.values[column]);
}

/// Whether equal values of a type always read the same: 1.0 and 1.00 do not.
bool has_one_text(std::uint32_t type) {
    // bool, bytea, "char", name, int8, int2, int4, text, oid, bpchar, varchar, date, time,
    // timestamp, timestamptz, uuid. Source: pg_type.dat.
    constexpr std::array<std::uint32_t, 16> types{
        16, 17, 18, 19, 20, 21, 23, 25, 26, 1042, 1043, 1082, 1083, 1114, 1184, 2950};
    return std::ranges::find(types, type) != types.end();
}

}  // namespace

std::string Change::row_identity() const {
    std::string identity = table->name;
    const auto add = [&](std::size_t column) {
        if (!has_one_text(table->columns[column].type_oid)) return;
        const auto& value = values[column];
        // A length before each value keeps apart what would read the same together.
        identity += value ? ' ' + std::to_string(value->size()) + ' ' + *value : " -";
    };
    for (const auto column : table->key) add(column);
    if (table->key.empty()) {
        for (std::size_t column = 0; column < values.size(); ++column) add(column);
    }
    return identity;
}

void append_json(std::string& out, const Change& change) {
    out += R"({"table":)";
    append_json_string(out, change.table->name);
    out += R"(,"op":)";
    append_json_string(out, change.operation);
    out += R"(,"lsn":")" + pgoutput::to_string(change.position.lsn);
    out += R"(","seq":)" + std::to_string(change.position.seq);
    out += R"(,"position":")" + to_string(change.position);
    out += R"(","valid_from":)";
    append_json_string(out, change.valid_from);
    out += R"(,"key":{)";
    for (const auto column : change.table->key) append_member(out, change, column);
    out += R"(},"values":{)";
    for (std::size_t column = 0; column < change.values.size(); ++column) {
        append_member(out, change, column);
    }
    out += "}}";
}

}  // namespace pgchronicle::following
