#include "config/validate.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace pgchronicle::config;
using namespace std::chrono_literals;

Settings valid() {
    Settings settings;
    settings.source.connection.dsn = "host=a";
    settings.source.slot = "cdc_pgoutput";
    settings.source.publications = {"cdc_publication"};
    settings.target.connection.dsn = "host=b";
    return settings;
}

struct Case {
    std::function<void(Settings&)> spoil;
    std::string key;
    std::string message;
};

/// Spoils one thing at a time and expects exactly the problem that names it.
void check(const std::vector<Case>& cases) {
    for (const auto& [spoil, key, message] : cases) {
        CAPTURE(key, message);
        auto settings = valid();
        spoil(settings);
        const auto problems = validate(settings);
        REQUIRE(problems.size() == 1);
        CHECK(problems.front().key == key);
        CHECK(problems.front().message == message);
    }
}

void check_accepted(const std::vector<std::function<void(Settings&)>>& changes) {
    for (std::size_t index = 0; index < changes.size(); ++index) {
        CAPTURE(index);
        auto settings = valid();
        changes[index](settings);
        std::vector<std::string> messages;
        for (const auto& problem : validate(settings)) messages.push_back(to_string(problem));
        CHECK(messages == std::vector<std::string>{});
    }
}

const std::string too_long(64, 'x');

}  // namespace

TEST_CASE("the defaults are valid once the required keys are there", "[config]") {
    REQUIRE(validate(valid()).empty());
}

TEST_CASE("durations and numbers have bounds on both sides", "[config]") {
    check({
        {[](Settings& s) { s.source.connection.connect_timeout = 999ms; },
         "source.connect_timeout",
         "999ms is out of range"},
        {[](Settings& s) { s.target.connection.connect_timeout = 2h; },
         "target.connect_timeout",
         "2h is out of range"},
        {[](Settings& s) { s.target.connection.tcp_user_timeout = 0ms; },
         "target.tcp_user_timeout",
         "0ms is out of range"},
        {[](Settings& s) { s.source.receive_timeout = 0ms; },
         "source.receive_timeout",
         "0ms is out of range"},
        {[](Settings& s) { s.target.lock_timeout = 25h; },
         "target.lock_timeout",
         "25h is out of range"},
        {[](Settings& s) { s.batch.max_delay = 61min; },
         "batch.max_delay",
         "61min is out of range"},
        {[](Settings& s) { s.acknowledge.interval = 9ms; },
         "acknowledge.interval",
         "9ms is out of range"},
        {[](Settings& s) { s.acknowledge.hold_back.time = 24h * 366; },
         "acknowledge.hold_back",
         "366d is out of range"},
        {[](Settings& s) { s.retry.delay_min = 0ms; }, "retry.delay_min", "0ms is out of range"},
        {[](Settings& s) { s.batch.rows_max = 0; }, "batch.max_rows", "0 is too small"},
        {[](Settings& s) { s.batch.bytes_max = 1023; }, "batch.max_bytes", "1023B is too small"},
        {[](Settings& s) { s.copy.workers = 0; }, "copy.workers", "0 is out of range"},
        {[](Settings& s) { s.copy.workers = 33; }, "copy.workers", "33 is out of range"},
        {[](Settings& s) { s.copy.chunk_bytes = 8191; }, "copy.chunk", "8191B is too small"},
    });
    check_accepted({
        [](Settings& s) { s.batch.max_delay = 0ms; },
        [](Settings& s) { s.target.lock_timeout = 0ms; },
        [](Settings& s) { s.batch.rows_max = 1; },
        [](Settings& s) { s.copy.workers = 32; },
        [](Settings& s) { s.retry.delay_min = s.retry.delay_max; },
    });
}

TEST_CASE("memory must hold three batches", "[config]") {
    const std::string message = "memory_limit must be at least three times batch.max_bytes";
    check({
        {[](Settings& s) { s.batch.bytes_max = (256ULL << 20U) / 3 + 1; },
         "batch.max_bytes",
         message},
        {[](Settings& s) { s.memory_limit_bytes = 96ULL * (1U << 20U) - 1; },
         "memory_limit",
         message},
        {[](Settings& s) { s.batch.bytes_max = UINT64_MAX; }, "batch.max_bytes", message},
    });
    check_accepted({[](Settings& s) { s.memory_limit_bytes = 96ULL << 20U; }});
}

TEST_CASE("the shortest retry delay is not longer than the longest", "[config]") {
    check({
        {[](Settings& s) { s.retry.delay_min = 31s; },
         "retry.delay_min",
         "delay_min is longer than delay_max"},
    });
}

TEST_CASE("slot and publications have names that PostgreSQL takes", "[config]") {
    check({
        {[](Settings& s) { s.source.slot = ""; }, "source.slot", "invalid slot name \"\""},
        {[](Settings& s) { s.source.slot = "Slot"; }, "source.slot", "invalid slot name \"Slot\""},
        {[](Settings& s) { s.source.slot = "a\nb"; }, "source.slot", "invalid slot name \"a?b\""},
        {[](Settings& s) { s.source.slot = std::string(64, 'x'); },
         "source.slot",
         "invalid slot name \"" + too_long + "\""},
        {[](Settings& s) { s.source.publications = {}; },
         "source.publication",
         "at least one publication is needed"},
        {[](Settings& s) {
             s.source.publications = {"p", ""};
         },
         "source.publication[1]",
         "name must not be empty"},
        {[](Settings& s) {
             s.source.publications = {"p", "q", "p"};
         },
         "source.publication[2]",
         "publication \"p\" is listed twice"},
        {[](Settings& s) { s.source.publications = {too_long}; },
         "source.publication[0]",
         "name \"" + too_long + "\" is too long"},
    });
    check_accepted({[](Settings& s) { s.source.publications = {"My Publication", "p"}; }});
}

TEST_CASE("the target schema knows one placeholder and keeps off reserved names", "[config]") {
    check({
        {[](Settings& s) { s.target.schema = "{table}_hist"; },
         "target.schema",
         "invalid pattern \"{table}_hist\""},
        {[](Settings& s) { s.target.schema = "{schema"; },
         "target.schema",
         "invalid pattern \"{schema\""},
        {[](Settings& s) { s.target.schema = ""; }, "target.schema", "name must not be empty"},
        {[](Settings& s) { s.target.schema = "pgchronicle"; },
         "target.schema",
         "schema \"pgchronicle\" is reserved"},
        {[](Settings& s) { s.target.schema = "pg_catalog"; },
         "target.schema",
         "schema \"pg_catalog\" is reserved"},
        {[](Settings& s) { s.target.schema = too_long; },
         "target.schema",
         "name \"" + too_long + "\" is too long"},
        {[](Settings& s) { s.target.table_suffix = ""; },
         "target.table_suffix",
         "name must not be empty"},
        {[](Settings& s) { s.pipeline = ""; }, "pipeline", "name must not be empty"},
        {[](Settings& s) { s.spool_dir = ""; }, "spool_dir", "name must not be empty"},
        {[](Settings& s) { s.exports.time_zone = ""; },
         "export.time_zone",
         "name must not be empty"},
    });
    check_accepted({
        [](Settings& s) { s.target.schema = "{schema}"; },
        [](Settings& s) { s.target.schema = "{schema}_hist"; },
        [](Settings& s) { s.target.schema = "Mixed Case"; },
    });
}

TEST_CASE("a history table has another name than its view and functions", "[config]") {
    for (const std::string suffix : {"_current", "_as_of", "_as_of_lsn"}) {
        check({
            {[&](Settings& s) { s.target.table_suffix = suffix; },
             "target.table_suffix",
             "suffix \"" + suffix + "\" is reserved"},
        });
    }
    check_accepted({[](Settings& s) { s.target.table_suffix = "_currently"; }});
}

TEST_CASE("patterns name a schema, overrides name one table", "[config]") {
    check({
        {[](Settings& s) { s.tables.include = {}; },
         "tables.include",
         "at least one pattern is needed"},
        {[](Settings& s) {
             s.tables.include = {"a.*", "*"};
         },
         "tables.include[1]",
         "pattern \"*\" names no schema"},
        {[](Settings& s) { s.tables.exclude = {".b"}; },
         "tables.exclude[0]",
         "pattern \".b\" names no schema"},
        {[](Settings& s) { s.tables.exclude = {"a."}; },
         "tables.exclude[0]",
         "pattern \"a.\" names no schema"},
        {[](Settings& s) { s.tables.overrides["orders"] = {}; },
         "tables.overrides.orders",
         "override is not for one table"},
        {[](Settings& s) { s.tables.overrides["a.*"] = {}; },
         "tables.overrides.a.*",
         "override is not for one table"},
    });
}

TEST_CASE("our columns have names of their own", "[config]") {
    check({
        {[](Settings& s) { s.tables.history_columns.valid_to = "valid_from"; },
         "tables.history_columns.valid_to",
         "\"valid_from\" is the name of \"valid_from\" already"},
        {[](Settings& s) { s.tables.history_columns.lsn_to = ""; },
         "tables.history_columns.lsn_to",
         "name must not be empty"},
        {[](Settings& s) { s.tables.history_columns.lsn_to = too_long; },
         "tables.history_columns.lsn_to",
         "name \"" + too_long + "\" is too long"},
        {[](Settings& s) { s.tables.history_columns.change_seq = "ctid"; },
         "tables.history_columns.change_seq",
         "\"ctid\" is a system column of PostgreSQL"},
    });
    check_accepted({[](Settings& s) { s.tables.history_columns.valid_from = "Gültig ab"; }});
}

TEST_CASE("renames meet no other column that is known here", "[config]") {
    const auto with = [](TableOverride rules) {
        return [rules](Settings& s) { s.tables.overrides["a.b"] = rules; };
    };
    const std::string key = "tables.overrides.a.b.rename.";
    check({
        {with({.rename = {{"x", "valid_to"}}}),
         key + "x",
         "\"valid_to\" is a column of pgchronicle's own"},
        {with({.rename = {{"x", "z"}, {"y", "z"}}}), key + "y", "two columns are renamed to \"z\""},
        {with({.rename = {{"x", ""}}}), key + "x", "name must not be empty"},
        {with({.rename = {{"x", "z"}}, .exclude_columns = {"x"}}),
         key + "x",
         "column \"x\" is excluded as well as renamed"},
    });
    // Two columns may change places, and a renamed column of ours frees its name.
    check_accepted({
        with({.rename = {{"x", "y"}, {"y", "x"}}}),
        [](Settings& s) {
            s.tables.history_columns.valid_to = "until";
            s.tables.overrides["a.b"] = {.rename = {{"x", "valid_to"}}};
        },
    });
}

TEST_CASE("two tables never share a history table", "[config]") {
    const auto both = [](const std::string& other) {
        return [other](Settings& s) {
            s.tables.overrides["a.b"] = {.target_table = "h"};
            s.tables.overrides[other] = {.target_table = "h"};
        };
    };
    check({
        {both("c.b"), "tables.overrides.c.b.target", "\"h\" is the target of two tables"},
        {[&](Settings& s) {
             s.target.schema = "{schema}_hist";
             both("a.c")(s);
         },
         "tables.overrides.a.c.target",
         "\"h\" is the target of two tables"},
        {[](Settings& s) { s.tables.overrides["a.b"] = {.target_table = too_long}; },
         "tables.overrides.a.b.target",
         "name \"" + too_long + "\" is too long"},
    });
    check_accepted({[&](Settings& s) {
        s.target.schema = "{schema}_hist";
        both("c.b")(s);
    }});
}

TEST_CASE("a listen address is host and port", "[config]") {
    for (const auto* address :
         {"127.0.0.1:8000", "localhost:1", "[::1]:8000", "0.0.0.0:0", "my-host.example:65535"}) {
        check_accepted({[address](Settings& s) { s.http.listen = address; }});
    }
    for (const auto* address :
         {"",
          "8000",
          ":8000",
          "localhost",
          "localhost:",
          "localhost:http",
          "localhost:65536",
          "::1:8000",
          "[]:8000",
          "[::1]",
          "a b:80",
          "http://localhost:80",
          "localhost:-1"}) {
        check({
            {[address](Settings& s) { s.http.listen = address; },
             "http.listen",
             "invalid address \"" + std::string{address} + "\""},
        });
    }
}

TEST_CASE("what is served has limits, and origins are what browsers send", "[config]") {
    check_accepted({
        [](Settings& s) { s.http.cors_origins = {"*"}; },
        [](Settings& s) {
            s.http.cors_origins = {"https://a.example", "http://[::1]:8080"};
        },
    });
    check({
        {[](Settings& s) { s.http.connections = 0; }, "http.connections", "0 is out of range"},
        {[](Settings& s) { s.http.clients_max = 10'001; },
         "http.max_clients",
         "10001 is out of range"},
        {[](Settings& s) { s.http.role = too_long; },
         "http.role",
         "name \"" + too_long + "\" is too long"},
        {[](Settings& s) { s.http.cors_origins = {"https://a.example/path"}; },
         "http.cors_origins[0]",
         "invalid origin \"https://a.example/path\""},
        {[](Settings& s) { s.http.hosts = {"history.example:80"}; },
         "http.hosts[0]",
         "invalid name \"history.example:80\""},
        {[](Settings& s) {
             s.http.hosts = {"a.example", ""};
         },
         "http.hosts[1]",
         "invalid name \"\""},
    });
}

TEST_CASE("a lost slot is reconciled by a snapshot, which never taking one forbids", "[config]") {
    check_accepted({[](Settings& s) { s.source.on_slot_lost = OnSlotLost::reconcile; }});
    check({
        {[](Settings& s) {
             s.source.on_slot_lost = OnSlotLost::reconcile;
             s.snapshot = Snapshot::never;
         },
         "source.on_slot_lost",
         "\"reconcile\" compares the tables with a snapshot, and snapshot is never"},
    });
}

TEST_CASE("every problem is returned, not the first", "[config]") {
    auto settings = valid();
    settings.copy.workers = 0;
    settings.source.slot = "";
    settings.tables.include = {"a", "b"};
    REQUIRE(validate(settings).size() == 4);
}
