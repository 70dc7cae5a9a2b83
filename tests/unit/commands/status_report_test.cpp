#include "commands/status_report.hpp"

#include <catch2/catch.hpp>

#include <sstream>

using namespace pgchronicle::commands;
using pgchronicle::pgoutput::Lsn;

namespace {

StatusReport streaming() {
    StatusReport report;
    report.pipeline = "finance";
    report.state = "streaming";
    report.lock_holder = "process 7 (\"pgchronicle finance h 1\") from local";
    report.position = Lsn{0x100};
    report.last_commit_end = Lsn{0xF0};
    report.source_position = Lsn{0x700};
    report.lag_bytes = 1536;
    report.lag_seconds = 0.25;
    report.slot_name = "cdc";
    report.slot.emplace();
    report.slot->name = "cdc";
    report.slot->active = true;
    report.slot->confirmed_flush_lsn = Lsn{0x100};
    report.slot->wal_status = "reserved";
    report.retained_bytes = 3U << 20U;
    report.tables = {{"operations.orders", "analytics.orders_history", "copied", 12, Lsn{0x10}}};
    report.gaps = {{7, "", Lsn{1}, Lsn{2}, "skipped", "why \"so\"", "2026-01-01T00:00:00Z"}};
    report.kept = {
        {"bookmark", "june", "pgchronicle_bookmark_1", "reserved", Lsn{0x90}, 1U << 20U},
        {"replay", "", "pgchronicle_replay_2", "unfinished", {}, {}}};
    return report;
}

}  // namespace

TEST_CASE("the text form says state, lag and slot on a line each", "[commands]") {
    std::ostringstream out;
    print_text(streaming(), out);
    const std::string text = out.str();
    CHECK(text.find("state      streaming, by process 7") != std::string::npos);
    CHECK(text.find("lag        1.5 KiB, 0.2 s") != std::string::npos);
    CHECK(
        text.find("slot       cdc: active, confirmed 0/100, retains 3.0 MiB, WAL reserved") !=
        std::string::npos
    );
    CHECK(
        text.find("operations.orders  analytics.orders_history  copied  12           0/10") !=
        std::string::npos
    );
    CHECK(
        text.find("bookmark june  0/90      1.0 MiB  reserved    pgchronicle_bookmark_1") !=
        std::string::npos
    );
    CHECK(text.find("7    every table  0/1   0/2  skipped  why \"so\"") != std::string::npos);
    CHECK(text.find("health     red") != std::string::npos);
}

TEST_CASE("the JSON form is one object a line, with null for what is not known", "[commands]") {
    std::ostringstream out;
    print_json(streaming(), out);
    const std::string text = out.str();
    CHECK(text.find("\"state\": \"streaming\"") != std::string::npos);
    CHECK(text.find("\"lag_bytes\": 1536") != std::string::npos);
    CHECK(text.find("\"lag_seconds\": 0.250") != std::string::npos);
    CHECK(text.find("\"rows_per_second\": null") != std::string::npos);
    CHECK(text.find("\"detail\": \"why \\\"so\\\"\"") != std::string::npos);
    CHECK(text.find("\"gaps\": [{\"id\": 7, \"table\": null, ") != std::string::npos);
    CHECK(text.find("\"health\": \"red\"") != std::string::npos);
    CHECK(
        text.find("\"kept\": [{\"purpose\": \"bookmark\", \"name\": \"june\", \"slot\": "
                  "\"pgchronicle_bookmark_1\", \"state\": \"reserved\", \"position\": \"0/90\", "
                  "\"retained_bytes\": 1048576}, {\"purpose\": \"replay\", \"name\": null, "
                  "\"slot\": \"pgchronicle_replay_2\", \"state\": \"unfinished\", \"position\": "
                  "null, \"retained_bytes\": null}]}") != std::string::npos
    );
    CHECK(text.find('\n') == text.size() - 1);
}

TEST_CASE("health is red for what is missing, and unknown without the target", "[commands]") {
    auto report = streaming();
    CHECK(health_of(report) == "red");
    report.gaps.clear();
    CHECK(health_of(report) == "green");
    report.quarantines.emplace_back();
    CHECK(health_of(report) == "red");
    report.target_error = "no";
    CHECK(health_of(report).empty());
    std::ostringstream out;
    print_json(report, out);
    CHECK(out.str().find("\"health\": null") != std::string::npos);
}

TEST_CASE("health is red where run would stop, and unknown without the source", "[commands]") {
    auto report = streaming();
    report.gaps.clear();
    report.source_error = "no";
    CHECK(health_of(report) == "unknown");
    report.obstacle = "replication slot \"cdc\" does not exist";
    CHECK(health_of(report) == "red");
    CHECK(health_of_history(report) == "green");
    std::ostringstream text;
    print_text(report, text);
    CHECK(
        text.str().find("health     red\nobstacle   replication slot \"cdc\" does not exist\n") !=
        std::string::npos
    );
    std::ostringstream json;
    print_json(report, json);
    CHECK(
        json.str().find(R"("health": "red", "obstacle": "replication slot \"cdc\" does not exist")"
        ) != std::string::npos
    );
}

TEST_CASE("a table that is left behind has a line, and says why", "[commands]") {
    auto report = streaming();
    report.quarantines = {
        {"operations.orders",
         Lsn{0xF0},
         "2026-01-02T00:00:00Z",
         "no \"more\"",
         "",
         "mend it",
         false}};
    std::ostringstream text;
    print_text(report, text);
    CHECK(text.str().find("quarantine 1\n") != std::string::npos);
    CHECK(
        text.str().find("operations.orders  0/F0  2026-01-02T00:00:00Z  left behind  no \"more\""
        ) != std::string::npos
    );
    std::ostringstream json;
    print_json(report, json);
    CHECK(
        json.str().find(
            "\"quarantines\": [{\"table\": \"operations.orders\", \"from_lsn\": \"0/F0\", "
            "\"since\": \"2026-01-02T00:00:00Z\", \"message\": \"no \\\"more\\\"\", "
            "\"detail\": null, \"hint\": \"mend it\", \"released\": false}]"
        ) != std::string::npos
    );
    std::ostringstream none;
    print_text(streaming(), none);
    CHECK(none.str().find("quarantine") == std::string::npos);
}

TEST_CASE("sides that cannot be asked say why", "[commands]") {
    StatusReport report;
    report.pipeline = "finance";
    report.target_error = "no";
    report.source_error = "neither";
    report.slot_name = "cdc";
    std::ostringstream out;
    print_text(report, out);
    CHECK(
        out.str() ==
        "pipeline   finance\n"
        "state      unknown\n"
        "target     cannot be asked: no\n"
        "source     cannot be asked: neither\n"
    );
}

TEST_CASE("bytes are shown in the unit that suits them", "[commands]") {
    CHECK(bytes_text(0) == "0 B");
    CHECK(bytes_text(1023) == "1023 B");
    CHECK(bytes_text(1024) == "1.0 KiB");
    CHECK(bytes_text(5ULL << 40U) == "5.0 TiB");
    CHECK(bytes_text(5ULL << 50U) == "5120.0 TiB");
}
