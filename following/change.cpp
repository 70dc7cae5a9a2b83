#include "following/change.hpp"

#include "reading/output.hpp"

namespace pgchronicle::following {

using reading::append_json_string;

namespace {

void append_member(std::string& out, const Change& change, std::size_t column) {
    if (out.back() != '{') out += ',';
    append_json_string(out, change.table->columns[column].name);
    out += ':';
    reading::append_json_value(out, change.table->columns[column].type_oid, change.values[column]);
}

}  // namespace

std::string Change::row_identity() const {
    std::string identity = table->name;
    const auto add = [&](const reading::Value& value) {
        // A length before each value keeps apart what would read the same together.
        identity += value ? ' ' + std::to_string(value->size()) + ' ' + *value : " -";
    };
    for (const auto column : table->key) add(values[column]);
    if (table->key.empty()) {
        for (const auto& value : values) add(value);
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
