#include "http/as_of_token.hpp"

#include "http/refusal.hpp"
#include "http/request.hpp"

#include <cstddef>

namespace pgchronicle::http {

namespace {

constexpr char lsn_mark = 'L';
constexpr char time_mark = 'T';
constexpr std::size_t fields_min = 3;  // Table, moment, and one value.

}  // namespace

std::string as_of_token(const AsOfPlace& place, const std::string& table) {
    // No text of PostgreSQL's holds a NUL.
    std::string bytes = table + '\0';
    bytes += place.lsn ? lsn_mark + to_string(*place.lsn) : time_mark + place.at.value_or("");
    for (const auto& value : place.after) bytes += '\0' + value;
    return to_token(bytes);
}

AsOfPlace parse_as_of_token(std::string_view token, const std::string& table) {
    const auto refuse = [] {
        return bad_request(
            "invalid value for parameter \"after\"",
            "It is the value of \"next\" of a page of the same table."
        );
    };
    const auto bytes = from_token(token);
    if (!bytes) throw refuse();
    std::vector<std::string> fields{""};
    for (const char c : *bytes) {
        if (c == '\0') {
            fields.emplace_back();
        } else {
            fields.back() += c;
        }
    }
    if (fields.size() < fields_min || fields[0] != table || fields[1].size() < 2) throw refuse();
    AsOfPlace place;
    const auto moment = fields[1].substr(1);
    if (fields[1].front() == lsn_mark) {
        place.lsn = pgoutput::parse_lsn(moment);
        if (!place.lsn) throw refuse();
    } else if (fields[1].front() == time_mark) {
        place.at = moment;
    } else {
        throw refuse();
    }
    place.after.assign(fields.begin() + 2, fields.end());
    return place;
}

}  // namespace pgchronicle::http
