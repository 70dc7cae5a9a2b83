#include "following/follower.hpp"
#include "http/as_of_token.hpp"
#include "http/endpoints.hpp"
#include "http/table_keys.hpp"
#include "http/table_sizes.hpp"
#include "reading/as_of.hpp"
#include "reading/checkpoint.hpp"
#include "reading/history_table.hpp"
#include "reading/output.hpp"
#include "reading/row_history.hpp"

#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace pgchronicle::http {

namespace {

constexpr std::uint64_t rows_default = 100;
constexpr std::uint64_t rows_max = 10'000;
constexpr std::uint64_t versions_default = 1'000;
constexpr std::uint64_t keys_default = 20;
constexpr std::uint64_t keys_max = 1'000;

reading::Limit page_bytes() {
    return {.bytes_max = answer_bytes_max, .hint = "A smaller \"limit\" makes smaller pages."};
}

Answer json(std::string body) {
    Answer answer;
    answer.body = std::move(body);
    return answer;
}

void add_string(std::string& out, const char* name, const std::string& text) {
    out += std::string{"\""} + name + "\":";
    reading::append_json_string(out, text);
}

void add_optional(std::string& out, const char* name, const std::optional<std::string>& text) {
    if (text) {
        add_string(out, name, *text);
    } else {
        out += std::string{"\""} + name + "\":null";
    }
}

std::optional<std::string> text_of(const std::optional<pgoutput::Lsn>& lsn) {
    return lsn ? std::optional{to_string(*lsn)} : std::nullopt;
}

void add_strings(std::string& out, const char* name, const std::vector<std::string>& items) {
    out += std::string{"\""} + name + "\":[";
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) out += ',';
        reading::append_json_string(out, items[i]);
    }
    out += ']';
}

void add_number(std::string& out, const char* name, const std::optional<std::int64_t>& number) {
    out += std::string{"\""} + name + "\":" + (number ? std::to_string(*number) : "null");
}

void add_table(std::string& out, const reading::HistoryTable& table, const TableSize& size) {
    out += '{';
    add_string(out, "name", table.name());
    out += ',';
    add_string(out, "history", table.history_name());
    out += ',';
    add_string(out, "state", table.state);
    out += ",\"imported\":";
    out += table.imported ? "true," : "false,";
    add_strings(out, "row_key", table.row_key);
    out += ",\"columns\":[";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        out += i > 0 ? ",{" : "{";
        add_string(out, "name", table.columns[i].name);
        out += ',';
        add_string(out, "type", table.columns[i].type);
        out += '}';
    }
    out += "],";
    add_number(out, "rows", size.rows);
    out += ',';
    add_number(out, "versions", size.versions);
    out += ',';
    add_optional(out, "consistent_from", text_of(table.consistent_from));
    out += '}';
}

Answer tables(pq::Connection& target, const config::Settings& settings) {
    const auto all = reading::history_tables(target, settings);
    const auto sizes = read_table_sizes(target, all);
    std::string out{"["};
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i > 0) out += ',';
        add_table(out, all[i], sizes[i]);
    }
    return json(out + ']');
}

/// Tokens of two endpoints are not mistaken for each other.
std::string history_name(const reading::HistoryTable& table) {
    return "history of " + table.name();
}

std::optional<reading::VersionPlace>
version_place(const Query& query, const reading::HistoryTable& table) {
    const auto token = query.one("after");
    if (!token) return std::nullopt;
    const auto place = parse_as_of_token(*token, history_name(table));
    std::int64_t seq = 0;
    const auto& text = place.after.front();
    const auto* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, seq);
    if (!place.lsn || read.ec != std::errc{} || read.ptr != end) {
        throw bad_request("invalid value for parameter \"after\"");
    }
    return reading::VersionPlace{*place.lsn, seq};
}

Answer history(pq::Connection& target, const config::Settings& settings, const Request& request) {
    const auto table = reading::find_table(target, settings, request.captured.at(0));
    const reading::VersionPage page{
        .after = version_place(request.query, table),
        .versions_max = request.query.number("limit", versions_default, 1, rows_max),
        .limit = page_bytes()};
    const auto row = reading::read_row_history(target, table, request.query.all("key"), page);
    const auto checkpoint = reading::read_checkpoint(target, settings.pipeline);
    auto out = reading::json_head(
        table, row.key, checkpoint ? std::optional{checkpoint->position} : std::nullopt
    );
    for (const auto& version : row.versions) {
        if (out.back() != '[') out += ',';
        reading::append_json(out, table, version);
    }
    std::optional<std::string> next;
    if (row.next) {
        const AsOfPlace place{row.next->lsn, std::nullopt, {std::to_string(row.next->change_seq)}};
        next = as_of_token(place, history_name(table));
    }
    out += "],";
    add_optional(out, "next", next);
    return json(out + '}');
}

/// In a query "+" is a blank; in 2026-03-03T10:00:00+02 it was meant as it stands.
void restore_plus(std::string& time) {
    const auto blank = time.rfind(' ');
    const bool behind_clock = blank != std::string::npos && time.find(':') < blank;
    if (behind_clock && time.find_first_not_of("0123456789:", blank + 1) == std::string::npos) {
        time[blank] = '+';
    }
}

reading::AsOfRequest as_of_request(const Query& query) {
    reading::AsOfRequest wanted;
    wanted.rows_max = query.number("limit", rows_default, 1, rows_max);
    wanted.limit = page_bytes();
    if (const auto text = query.one("lsn")) {
        wanted.lsn = pgoutput::parse_lsn(*text);
        if (!wanted.lsn) {
            throw bad_request(
                "invalid value \"" + *text + "\" for parameter \"lsn\"",
                "An LSN looks like 16/B374D848."
            );
        }
    }
    wanted.at = query.one("at");
    if (wanted.at) restore_plus(*wanted.at);
    if (wanted.lsn && wanted.at) {
        throw bad_request("parameters \"lsn\" and \"at\" exclude each other");
    }
    return wanted;
}

Answer as_of(pq::Connection& target, const config::Settings& settings, const Request& request) {
    const auto table = reading::find_table(target, settings, request.captured.at(0));
    auto wanted = as_of_request(request.query);
    // Later pages are of the first one's moment, whatever has happened since.
    if (const auto token = request.query.one("after")) {
        auto place = parse_as_of_token(*token, table.name());
        wanted.lsn = place.lsn;
        wanted.at = std::move(place.at);
        wanted.after = std::move(place.after);
    }
    const auto page = reading::read_as_of(target, settings, table, wanted);
    Answer answer;
    std::string out{"{"};
    add_string(out, "table", table.name());
    out += ',';
    add_optional(out, "lsn", text_of(page.moment.lsn));
    out += ',';
    add_optional(out, "at", page.moment.at);
    out += std::string{",\"final\":"} + (page.moment.final ? "true" : "false");
    out += ",\"rows\":" + reading::to_json(page.rows) + ',';
    std::optional<std::string> next;
    if (page.next) {
        const auto pinned = page.moment.pinned();
        next = as_of_token({pinned.lsn, pinned.at, *page.next}, table.name());
    }
    add_optional(out, "next", next);
    answer.body = out + '}';
    answer.headers.push_back({"X-Pgchronicle-Final", page.moment.final ? "true" : "false"});
    return answer;
}

Answer keys(pq::Connection& target, const config::Settings& settings, const Request& request) {
    const auto table = reading::find_table(target, settings, request.captured.at(0));
    const auto found = find_keys(
        target,
        table,
        request.query.one("prefix").value_or(""),
        request.query.number("limit", keys_default, 1, keys_max),
        page_bytes()
    );
    return json("{\"keys\":" + reading::to_json(found) + "}");
}

std::function<void(const Request&)> knows(std::vector<std::string> names) {
    return [names = std::move(names)](const Request& request) { request.query.only(names); };
}

const ParameterDoc& min_lsn() {
    static const ParameterDoc doc{
        .name = "min_lsn",
        .description = "Waits up to ten seconds until the history has reached this LSN"};
    return doc;
}

constexpr const char* tables_schema =
    R"({"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},)"
    R"("history":{"type":"string"},"state":{"type":"string"},)"
    R"("row_key":{"type":"array","items":{"type":"string"}},)"
    R"("columns":{"type":"array","items":{"type":"object","properties":)"
    R"({"name":{"type":"string"},"type":{"type":"string"}}}},)"
    R"("rows":{"type":"integer","nullable":true},"versions":{"type":"integer","nullable":true},)"
    R"("consistent_from":{"type":"string","nullable":true}}}})";

constexpr const char* history_schema =
    R"({"type":"object","properties":{"table":{"type":"string"},"key":{"type":"object"},)"
    R"("position":{"type":"string"},"versions":{"type":"array","items":{"type":"object",)"
    R"("properties":{"valid_from":{"type":"string"},"valid_to":{"type":"string","nullable":true},)"
    R"("is_current":{"type":"boolean"},"operation_type":{"type":"string"},)"
    R"("lsn_from":{"type":"string"},"lsn_to":{"type":"string","nullable":true},)"
    R"("change_seq":{"type":"integer"},"changed":{"type":"array","items":{"type":"string"}},)"
    R"("values":{"type":"object"}}}},"next":{"type":"string","nullable":true}}})";

constexpr const char* as_of_schema =
    R"({"type":"object","properties":{"table":{"type":"string"},)"
    R"("lsn":{"type":"string","nullable":true},"at":{"type":"string","nullable":true},)"
    R"("final":{"type":"boolean"},"rows":{"type":"array","items":{"type":"object"}},)"
    R"("next":{"type":"string","nullable":true}}})";

constexpr const char* keys_schema =
    R"({"type":"object","properties":{"keys":{"type":"array","items":{"type":"object"}}}})";

void add_history(Router& router, const config::Settings& settings) {
    router.add(
        {.path = "/tables/{table}/history",
         .name = "row_history",
         .summary = "The versions of one row, oldest first, and what each changed",
         .answer = [&settings](
                       pq::Connection& target, const Request& request
                   ) { return history(target, settings, request); },
         .check =
             [](const Request& request) {
                 request.query.only({"key", "limit", "after"});
                 (void)request.query.number("limit", versions_default, 1, rows_max);
             },
         .parameters =
             {{.name = "key",
               .description = "A value for each column of the row key, in order",
               .required = true,
               .repeated = true},
              {.name = "limit",
               .description = "Versions of a page",
               .type = "integer",
               .default_value = std::to_string(versions_default),
               .min = 1,
               .max = rows_max},
              {.name = "after", .description = "next of the page before"},
              min_lsn()},
         .schema = history_schema,
         .group = "history"}
    );
}

void add_as_of(Router& router, const config::Settings& settings) {
    router.add(
        {.path = "/tables/{table}/as-of",
         .name = "table_as_of",
         .summary = "The rows of a table as they were",
         .answer = [&settings](
                       pq::Connection& target, const Request& request
                   ) { return as_of(target, settings, request); },
         .check =
             [](const Request& request) {
                 request.query.only({"at", "lsn", "limit", "after"});
                 (void)as_of_request(request.query);
             },
         .parameters =
             {{.name = "at",
               .description = "A moment, UTC unless it says otherwise; default: now",
               .format = "date-time"},
              {.name = "lsn", .description = "An LSN, in place of a moment"},
              {.name = "limit",
               .description = "Rows of a page",
               .type = "integer",
               .default_value = std::to_string(rows_default),
               .min = 1,
               .max = rows_max},
              {.name = "after",
               .description = "next of the page before; it holds that page's moment, too"},
              min_lsn()},
         .schema = as_of_schema,
         .group = "history"}
    );
}

}  // namespace

void add_table_endpoints(Router& router, const config::Settings& settings) {
    router.add(
        {.path = "/tables",
         .name = "tables",
         .summary = "The tables that have a history",
         .answer =
             [&settings](pq::Connection& target, const Request&) {
                 return tables(target, settings);
             },
         .check = knows({}),
         .parameters = {min_lsn()},
         .schema = tables_schema,
         .group = "history"}
    );
    add_history(router, settings);
    add_as_of(router, settings);
    router.add(
        {.path = "/tables/{table}/keys",
         .name = "table_keys",
         .summary = "Keys that begin with a text, those of rows that are gone included",
         .answer = [&settings](
                       pq::Connection& target, const Request& request
                   ) { return keys(target, settings, request); },
         .check =
             [](const Request& request) {
                 request.query.only({"prefix", "limit"});
                 (void)request.query.number("limit", keys_default, 1, keys_max);
             },
         .parameters =
             {{.name = "prefix",
               .description = "How the key's text begins; values of several columns are joined "
                              "with commas"},
              {.name = "limit",
               .type = "integer",
               .default_value = std::to_string(keys_default),
               .min = 1,
               .max = keys_max},
              min_lsn()},
         .schema = keys_schema,
         .group = "history"}
    );
}

void add_change_endpoints(Router& router) {
    router.add(
        {.path = "/changes",
         .name = "changes",
         .summary = "New versions as server-sent events; Last-Event-ID resumes exactly after one",
         .answer = AnswerWithEvents{},
         .parameters =
             {{.name = "table",
               .description = "schema.table or table, with * and ?; all without",
               .repeated = true},
              {.name = "op",
               .description = "Only these operations",
               .repeated = true,
               .allowed = {following::operations.begin(), following::operations.end()}},
              {.name = "from",
               .description = "The id of an event, an LSN, or \"beginning\"; default: from now on"},
              {.name = "cursor", .description = "Begin where this durable cursor stands"},
              {.name = "snapshot",
               .description = "The rows that were copied first, too",
               .type = "boolean",
               .default_value = "false"}},
         .type = "text/event-stream",
         .schema = R"({"type":"string"})",
         .group = "history"}
    );
}

}  // namespace pgchronicle::http
