#include "reading/output.hpp"

#include <algorithm>
#include <array>

namespace pgchronicle::reading {
namespace {

// OIDs of pg_type.dat, which never change.
constexpr std::uint32_t oid_of_bool = 16;
constexpr std::uint32_t oid_of_json = 114;
constexpr std::uint32_t oid_of_jsonb = 3802;
constexpr std::array<std::uint32_t, 7> oids_of_numbers{20, 21, 23, 26, 700, 701, 1700};

/// Bytes of the well-formed character at the front of `text`; 0 without one.
/// Source: The Unicode Standard, table 3-7.
std::size_t character_bytes(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
    const unsigned first = byte(0);
    if (first < 0x80U) return 1;
    if (first >= 0xC2U && first <= 0xDFU) return follows(1) ? 2 : 0;
    if (first >= 0xE0U && first <= 0xEFU) {
        const bool overlong = first == 0xE0U && byte(1) < 0xA0U;
        const bool surrogate = first == 0xEDU && byte(1) > 0x9FU;
        return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xF0U && first <= 0xF4U) {
        const bool overlong = first == 0xF0U && byte(1) < 0x90U;
        const bool beyond = first == 0xF4U && byte(1) > 0x8FU;
        return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

void append_escape(std::string& out, unsigned char c) {
    constexpr std::string_view digits{"0123456789abcdef"};
    switch (c) {
    case '\n':
        out += "\\n";
        return;
    case '\r':
        out += "\\r";
        return;
    case '\t':
        out += "\\t";
        return;
    default:
        out += "\\u00";
        out += digits[c >> 4U];
        out += digits[c & 0xFU];
    }
}

/// NaN and infinities, which JSON does not know, begin like this: as does no number.
bool is_finite(std::string_view number) {
    const auto digits = number.starts_with('-') ? number.substr(1) : number;
    return !digits.empty() && digits.front() >= '0' && digits.front() <= '9';
}

}  // namespace

std::optional<Format> parse_format(std::string_view text) {
    if (text == "table") return Format::table;
    if (text == "csv") return Format::csv;
    if (text == "json") return Format::json;
    return std::nullopt;
}

bool is_number(std::uint32_t type_oid) {
    return std::ranges::find(oids_of_numbers, type_oid) != oids_of_numbers.end();
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        const auto c = static_cast<unsigned char>(text.front());
        constexpr unsigned char first_printable = 0x20;
        constexpr unsigned char deleted = 0x7F;
        std::size_t length = 1;
        if (c == '"' || c == '\\') {
            out += '\\';
            out += text.front();
        } else if (c < first_printable || c == deleted) {
            append_escape(out, c);
        } else if (length = character_bytes(text); length == 0) {
            out += "\\ufffd";
            length = 1;
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    out += '"';
}

void append_json_value(
    std::string& out,
    std::uint32_t type_oid,
    std::optional<std::string_view> value
) {
    if (!value) {
        out += "null";
    } else if (type_oid == oid_of_bool) {
        out += *value == "t" ? "true" : "false";
    } else if (type_oid == oid_of_jsonb || (is_number(type_oid) && is_finite(*value))) {
        out += *value;
    } else if (type_oid == oid_of_json) {
        // It keeps its blanks; a line's end can only be one of them.
        for (const char c : *value) out += c == '\n' || c == '\r' ? ' ' : c;
    } else {
        append_json_string(out, *value);
    }
}

void append_json_object(
    std::string& out,
    const std::vector<Column>& columns,
    const std::vector<Value>& row
) {
    out += '{';
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (i != 0) out += ',';
        append_json_string(out, columns[i].name);
        out += ':';
        append_json_value(out, columns[i].type_oid, row[i]);
    }
    out += '}';
}

void append_csv_field(std::string& out, std::optional<std::string_view> value) {
    if (!value) return;
    if (!value->empty() && value->find_first_of("\",\r\n") == std::string_view::npos) {
        out += *value;
        return;
    }
    out += '"';
    for (const char c : *value) {
        if (c == '"') out += '"';
        out += c;
    }
    out += '"';
}

void append_csv_line(std::string& out, const std::vector<Value>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
        if (i != 0) out += ',';
        append_csv_field(out, row[i]);
    }
    out += "\r\n";
}

std::string to_json(const Rows& rows) {
    std::string out{"["};
    for (const auto& row : rows.rows) {
        if (out.size() > 1) out += ',';
        append_json_object(out, rows.columns, row);
    }
    return out + "]";
}

std::string to_csv(const Rows& rows) {
    std::string out;
    std::vector<Value> head;
    head.reserve(rows.columns.size());
    for (const Column& column : rows.columns) head.emplace_back(column.name);
    append_csv_line(out, head);
    for (const auto& row : rows.rows) append_csv_line(out, row);
    return out;
}

}  // namespace pgchronicle::reading
