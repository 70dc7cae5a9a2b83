#include "tests/fuzz/text_seeds.hpp"

#include <string_view>

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

}  // namespace

std::vector<TextSeed> text_seeds() {
    std::vector<TextSeed> seeds;
    add_configs(seeds);
    add_connection_strings(seeds);
    add_identifiers(seeds);
    add_texts(seeds);
    return seeds;
}

}  // namespace pgchronicle::test
