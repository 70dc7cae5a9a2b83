#include "tests/fuzz/text_seeds.hpp"

#include <string_view>
#include <utility>

namespace pgchronicle::test {

namespace {

using namespace std::string_literals;

constexpr std::string_view small_config =
    "source:\n"
    "  dsn: host=a dbname=b user=c\n"
    "  password: hunter2!Canary\n"
    "  slot: s\n"
    "  publication: [p, q]\n"
    "target:\n"
    "  dsn: postgresql://u:hunter2!Canary@h:5433/db?sslmode=require\n";

constexpr std::string_view large_config =
    "source: {dsn: \"host=a password='hunter2!Canary'\", slot: s, publication: p,\n"
    "  create_slot: if_missing, streaming: parallel, two_phase: on, receive_timeout: 5min}\n"
    "target:\n"
    "  dsn: host=b\n"
    "  password: ${SOURCE_PASSWORD}\n"
    "  schema: \"{schema}_hist\"\n"
    "  table_suffix: _h\n"
    "  lock_timeout: 10s\n"
    "pipeline: one\n"
    "tables:\n"
    "  include: [a.*, \"b.c\"]\n"
    "  exclude: x.y\n"
    "  overrides:\n"
    "    a.b: {rename: {c: d}, exclude: [e], target: t, on_unknown_key: open, track: [f]}\n"
    "  intra_transaction: collapse\n"
    "  history_columns: {valid_from: von, valid_to: bis}\n"
    "snapshot: never\n"
    "batch: {max_delay: 50ms, max_rows: 50000, max_bytes: 32MiB}\n"
    "memory_limit: 1GiB\n"
    "copy: {workers: 4, chunk: 256MiB}\n"
    "retry: {delay_min: 200ms, delay_max: 30s, max_elapsed: 0}\n"
    "acknowledge: {interval: 2s}\n"
    "spool_dir: /var/tmp\n"
    "http: {listen: 127.0.0.1:8000}\n"
    "reports: {dir: /tmp}\n"
    "log: {level: debug, format: json}\n";

void add_configs(std::vector<TextSeed>& seeds) {
    const std::string small{small_config};
    const auto add = [&](const char* name, const std::string& text) {
        seeds.push_back({"yaml", name, text});
    };
    add("small", small);
    add("large", std::string{large_config});
    add("empty", "");
    add("not_a_map", "- a\n- b\n");
    add("unknown_key", small + "  pasword: hunter2!Canary\n");
    add("alias", "source:\n  password: *hunter2!Canary\n");
    add("anchor", "source: &a {slot: s}\ntarget: *a\n");
    add("bad_quote", "source:\n  password: \"hunter2!Canary\n");
    add("duplicate", small + "  dsn: host=c\n");
    add("block", "source:\n  password: |\n    hunter2!Canary\n    second\n  slot: >\n    s\n");
    add("two_documents", small + "---\n" + small);
    add("list_of_secrets", "source:\n  password: [hunter2!Canary, {a: hunter2!Canary}]\n");
    add("override_with_newline", small + "tables:\n  overrides: {\"a\\nb\": {renam: 1}}\n");
}

void add_connection_strings(std::vector<TextSeed>& seeds) {
    const auto add = [&](const char* name, const char* text) {
        seeds.push_back({"dsn", name, text});
    };
    add("keywords", "host=localhost port=5432 dbname=finance_db user=cdc_user password=hunter2");
    add("quoted", R"(host = a password = 'it\'s \\ two words'user=b)");
    add("escaped", R"(password=a\ b\\c user=\'x)");
    add("twice", "password=one host=a password=two");
    add("uri", "postgresql://user:p%40ss%2Fword@host:5433/db?sslmode=require&application_name=x");
    add("uri_hosts", "postgres://a,b:5433,[::1]:5432/db?target_session_attrs=read-write");
    add("uri_password_parameter", "postgresql://u@h/db?password=hunter2&host=/run/postgresql");
    add("uri_bad_at", "postgresql://u:p@ss@h/db");
    add("uri_no_host", "postgresql:///db?ssl=true");
    add("unknown", "host=a pasword=hunter2");
    add("open_quote", "host=a password='hunter2");
    add("other_secret", "host=a sslpassword=hunter2");
}

void add_identifiers(std::vector<TextSeed>& seeds) {
    const auto add = [&](const char* name, const std::string& text) {
        seeds.push_back({"identifier", name, text});
    };
    add("plain", "orders");
    add("empty", "");
    add("quote", "a\"b");
    add("quotes_only", "\"\"");
    add("apostrophe", "it's");
    add("injection", "x\"; DROP TABLE canary; --");
    add("literal_injection", "x'; DROP TABLE canary; --");
    add("dollars", "$$");
    add("backslash", "back\\slash\\");
    add("backslash_quote", "\\'; --");
    add("meta_command", "a\n\\! id");
    add("format", "%s {} %I");
    add("right_to_left", "a\u202Eb");
    add("no_break_space", "\u00A0");
    add("catalog", "pg_catalog");
    add("keyword", "select");
    add("dotted", "\"Quoted_\"\". Table\"");
    add("two_byte_characters",
        std::string(31, 'a') +
            "\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9"
            "\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9");
    add("four_byte_character", "\U0001F600");
    add("last_code_point", "\U0010FFFF");
    add("nul", "a\0b"s);
    add("overlong", "\xC0\xAF");
    add("surrogate", "\xED\xA0\x80");
    add("beyond_unicode", "\xF4\x90\x80\x80");
    add("cut_character", "a\xE2\x82");
    add("lone_continuation", "\x80");
    add("carriage_return", "a\r\nb\tc");
}

void add_texts(std::vector<TextSeed>& seeds) {
    const auto add = [&](char kind, const char* name, const std::string& text) {
        seeds.push_back({"text", name, std::string(1, kind) + text});
    };
    add('\0', "position", "16/B374D848");
    add('\0', "position_longest", "FFFFFFFF/FFFFFFFF");
    add('\0', "position_too_long", "1/123456789");
    add('\0', "position_signed", "+1/-0x2");
    add('\1',
        "array",
        "a\xFF\xFF"
        "b\"c\xFF{d,e}\xFFNULL\xFF\\");
    add('\1', "array_printed", R"({a,"b\"c",NULL,"","x,y"})");
    add('\1', "array_open", R"({"a\)");
    add('\2', "publications", "one\xFFt\"w'o\xFFth,ree\xFF\\");
    add('\2', "publications_bad", "one\xFF\xFFtwo");
    add('\3',
        "error",
        "connection to server at \"h\" (127.0.0.1), port 5432 failed: FATAL:  28P01: "
        "password authentication failed for user \"u\"\nLOCATION:  auth_failed, auth.c:330\n");
    add('\3', "error_detail_first", "DETAIL:  something\n");
    add('\3', "error_many", "a: Connection refused\n\tIs the server running?\nFATAL:  57P03: x\n");
    add('\4', "duration", "50ms");
    add('\4', "duration_large", "106751991167d");
    add('\4', "size", "32 MiB");
    add('\4', "count", "18446744073709551616");
}

void add_csv_files(std::vector<TextSeed>& seeds) {
    const auto add = [&](const char* name, unsigned delimiter, unsigned piece, std::string text) {
        const std::string choices{static_cast<char>(delimiter), static_cast<char>(piece)};
        seeds.push_back({"csv", name, choices + std::move(text)});
    };
    add("plain", 0, 0, "id,name\n1,a\n2,b\n");
    add("no_end", 0, 1, "id,name\n1,");
    add("crlf", 0, 2, "id,name\r\n1,a\r\n");
    add("quotes", 0, 3, "id,name\n1,\"a \"\"b\"\", c\"\n2,\"\"\n3,\n");
    add("line_ends_in_quotes", 0, 4, "id,name\n1,\"a\nb\r\nc\rd\"\n");
    add("semicolons", 1, 5, "id;name\n1;a,b\n");
    add("tabs", 2, 6, "id\tname\n1\t\n");
    add("byte_order_mark", 0, 0, "\xEF\xBB\xBFid\n1\n");
    add("half_mark", 0, 0, "\xEF\xBB");
    add("mark_like", 0, 1, "\xEF\xBB\xBEid\n");
    add("characters", 0, 0, "id\n\u00E9\u20AC\U0001F600\n");
    add("overlong", 0, 0, "id\n\xC0\xAF\n");
    add("cut_character", 0, 0, "id\n\xE2\x82");
    add("nul", 0, 0, "id\na\0b\n"s);
    add("lone_return", 0, 0, "id\ra\n");
    add("open_quote", 0, 0, "id\n\"a\n");
    add("text_after_quote", 0, 0, "id\n\"a\"b\n");
    add("quote_in_field", 0, 0, "id\na\"b\"\n");
    add("blank_lines", 0, 0, "\n\nid\n\n\"\"\n");
    add("too_many_fields", 0, 0, "1,2,3,4,5,6,7,8,9\n");
    add("too_long", 0, 0, std::string(65, 'a') + "\n");
}

void add_requests(std::vector<TextSeed>& seeds) {
    const auto add = [&](char kind, const char* name, const std::string& text) {
        seeds.push_back({"http", name, std::string(1, kind) + text});
    };
    add('\0', "head", "GET /orders/top?limit=3 HTTP/1.1\r\nHost: localhost:8000\r\n\r\n");
    add('\0',
        "head_fields",
        "GET /tables HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br;q=0\r\n"
        "If-None-Match: W/\"a\", \"b\"\r\nOrigin: http://a\r\nLast-Event-ID: 0/1/2\r\n\r\n");
    add('\0', "head_old", "GET / HTTP/1.0\r\n\r\n");
    add('\0', "head_two_hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    add('\0', "head_folded", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n");
    add('\0', "head_body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    add('\0',
        "head_two_lengths",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n");
    add('\0',
        "head_chunked",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    add('\0', "head_version", "GET / HTTP/9.9\r\n\r\n");
    add('\0', "head_space", "GET  / HTTP/1.1\r\n\r\n");
    add('\1', "target", "/tables/operations.orders/history?key=1&key=a%20b+c");
    add('\1', "target_escaped_slash", "/tables/a%2Fb/history?key=%C3%A9");
    add('\1', "target_dots", "/a/%2e%2E/b");
    add('\1', "target_empty_segments", "//a//?&&a&=b&a==");
    add('\1', "target_bad_escape", "/%zz?%");
    add('\1', "target_nul", "/%00");
    add('\1', "target_overlong", "/%C0%AF");
    add('\1', "target_long", "/" + std::string(4096, 'a'));
    add('\2', "token_lsn", "L0/16B3748\0"s + "1"s);
    add('\2', "token_time", "T2026-03-03T10:00:00Z\0a\0b"s);
    add('\2', "token_digits", "YWJj-_09");
    add('\3', "list_gzip", "br;q=1, gzip ; q=0.001 , *;q=0");
    add('\3', "list_tags", "W/\"a\" , \"b\"");
    add('\4', "host_name", "LocalHost:8000");
    add('\4', "host_v4", "127.0.0.1:8000");
    add('\4', "host_v6", "[::1]:8000");
    add('\4', "host_other", "127.0.0.1.example.com");
}

void add_reports(std::vector<TextSeed>& seeds) {
    const auto add = [&](const char* name, const std::string& text) {
        seeds.push_back({"report", name, text});
    };
    add("plain", "SELECT 1;\n");
    add("whole",
        "-- name: orders_top\n-- path: /orders/top\n-- description: The dates\n"
        "-- description: with orders.\n"
        "-- param: limit integer = 3 min 1 max 100 -- how many\n"
        "-- param: state text = 'OPEN' one of 'OPEN', 'it''s', B\n\n"
        "SELECT a, count(*) FROM t WHERE s = :state GROUP BY 1 LIMIT :limit;\n\xFF"
        "7\xFFOPEN");
    add("types",
        "-- param: a number = 1.5 min -1\n-- param: b boolean\n-- param: c date = 2026-02-28\n"
        "-- param: d timestamp\nVALUES (:a, :b, :c, :d)\xFF-1e2\xFFtrue\xFF"
        "2024-02-29\xFF"
        "2026-03-03T10:00:00.5+02:00");
    add("quotes",
        "-- param: a text\nWITH x AS (SELECT ':a', E'\\':a', $$ :a; $$, $q$ $$ $q$, \":a\" /* "
        ";/*:a*/ */)"
        "\nSELECT x::text, :a::date -- :a\nFROM x\xFF'; DROP TABLE t; --");
    add("no_blank", "-- param: a bigint\n-- param: b integer\nSELECT x[1:b], $:b");
    add("two_statements", "SELECT 1; SELECT 2");
    add("number", "SELECT $1");
    add("unknown_word", "-- nam: a\n-- note that: b\nTABLE t");
    add("open_quote", "-- param: a text = 'b\nSELECT '");
    add("contradiction", "-- param: a integer = 5 max 4 min 6\nSELECT :a");
    add("not_a_select", "\xEF\xBB\xBF-- name: a\nDELETE FROM t");
}

}  // namespace

std::vector<TextSeed> text_seeds() {
    std::vector<TextSeed> seeds;
    add_configs(seeds);
    add_connection_strings(seeds);
    add_identifiers(seeds);
    add_texts(seeds);
    add_csv_files(seeds);
    add_requests(seeds);
    add_reports(seeds);
    return seeds;
}

}  // namespace pgchronicle::test
