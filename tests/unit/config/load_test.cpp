#include "config/load.hpp"

#include "config/map_reader.hpp"
#include "config/read_settings.hpp"
#include "tests/unit/config/temporary_file.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace pgchronicle::config;
using namespace std::chrono_literals;
using pgchronicle::tests::TemporaryFile;

std::optional<std::string> passwords(const std::string& name) {
    if (name == "SOURCE_PASSWORD") return "source secret";
    if (name == "TARGET_PASSWORD") return "target secret";
    if (name == "EMPTY") return "";
    return std::nullopt;
}

const std::string minimal = R"(
source: {dsn: host=a, slot: s, publication: p}
target: {dsn: host=b}
)";

Settings parsed(const std::string& text) {
    return parse(text, "pgchronicle.yaml", passwords);
}

std::string example_path() {
    const auto here = std::filesystem::path{__FILE__}.parent_path();
    return (here / "../../../config/pgchronicle.example.yaml").lexically_normal().string();
}

}  // namespace

TEST_CASE("four keys are enough, and the rest has defaults", "[config]") {
    const auto settings = parsed(minimal);
    CHECK(settings.file == "pgchronicle.yaml");
    CHECK(settings.source.connection.dsn == "host=a");
    CHECK(settings.source.connection.password.empty());
    CHECK(settings.source.slot == "s");
    CHECK(settings.source.publications == std::vector<std::string>{"p"});
    CHECK(settings.source.create_slot == CreateSlot::never);
    CHECK(settings.source.receive_timeout == 5min);
    CHECK(settings.target.schema == "analytics");
    CHECK(settings.tables.include == std::vector<std::string>{"*.*"});
    CHECK(settings.tables.on_error == OnError::stop);
    CHECK(settings.batch.bytes_max == 32ULL << 20U);
    CHECK(settings.retry.elapsed_max == 0s);
    CHECK_FALSE(settings.http.listen.has_value());
    CHECK(settings.warnings.empty());
}

TEST_CASE("every key reaches its setting", "[config]") {
    const auto settings = parsed(R"(
source:
  dsn: host=localhost port=5432 dbname=finance_db user=cdc_user
  password: ${SOURCE_PASSWORD}
  connect_timeout: 3s
  tcp_user_timeout: 4s
  slot: cdc_pgoutput
  publication: [one, two]
  create_slot: if_missing
  on_slot_lost: stop
  receive_timeout: 6s
target:
  dsn: postgresql://u:${TARGET_PASSWORD}@localhost:5433/analytics_db
  connect_timeout: 7s
  tcp_user_timeout: 8s
  schema: "{schema}_hist"
  table_suffix: _h
  lock_timeout: 0
pipeline: finance
tables:
  include: [operations.*]
  exclude: [cron.*, "*.tmp_?"]
  overrides:
    operations.order_items:
      rename: {quanity: quantity}
      exclude: [note]
      target: items_h
      on_unknown_key: open
      on_error: stop
  on_error: quarantine
  history_columns:
    valid_from: a
    valid_to: b
    is_current: c
    operation_type: d
    lsn_from: e
    lsn_to: f
    change_seq: g
snapshot: never
batch: {max_delay: 51ms, max_rows: 52, max_bytes: 53KiB}
memory_limit: 54MiB
copy: {workers: 5, chunk: 55MiB}
retry: {delay_min: 56ms, delay_max: 57s, max_elapsed: 58min}
acknowledge: {interval: 59s, hold_back: 60MiB}
spool_dir: /var/spool
http:
  listen: 127.0.0.1:8000
  dsn: host=replica user=reader
  password: reader-password
  role: web
  connections: 61
  statement_timeout: 62ms
  cache_time: 63ms
  request_timeout: 64s
  idle_timeout: 65s
  max_clients: 66
  cors_origins: [https://a.example]
  hosts: [history.example]
export: {time_zone: Europe/Berlin}
reports: {dir: sql/reports}
log: {level: debug, format: json}
)");
    const auto& source = settings.source;
    CHECK(source.connection.dsn == "host=localhost port=5432 dbname=finance_db user=cdc_user");
    CHECK(source.connection.password.reveal() == "source secret");
    CHECK(source.connection.connect_timeout == 3s);
    CHECK(source.connection.tcp_user_timeout == 4s);
    CHECK(source.slot == "cdc_pgoutput");
    CHECK(source.publications == std::vector<std::string>{"one", "two"});
    CHECK(source.create_slot == CreateSlot::if_missing);
    CHECK(source.on_slot_lost == OnSlotLost::stop);
    CHECK(source.receive_timeout == 6s);
    const auto& target = settings.target;
    CHECK(target.connection.dsn == "postgresql://u@localhost:5433/analytics_db");
    CHECK(target.connection.password.reveal() == "target secret");
    CHECK(target.connection.connect_timeout == 7s);
    CHECK(target.connection.tcp_user_timeout == 8s);
    CHECK(target.schema == "{schema}_hist");
    CHECK(target.table_suffix == "_h");
    CHECK(target.lock_timeout == 0s);
    CHECK(settings.pipeline == "finance");
    const auto& tables = settings.tables;
    CHECK(tables.include == std::vector<std::string>{"operations.*"});
    CHECK(tables.exclude == std::vector<std::string>{"cron.*", "*.tmp_?"});
    REQUIRE(tables.overrides.size() == 1);
    const auto& items = tables.overrides.at("operations.order_items");
    CHECK(items.rename == std::map<std::string, std::string>{{"quanity", "quantity"}});
    CHECK(items.exclude_columns == std::vector<std::string>{"note"});
    CHECK(items.target_table == "items_h");
    CHECK(items.on_unknown_key == OnUnknownKey::open);
    CHECK(items.on_error == OnError::stop);
    CHECK(tables.on_error == OnError::quarantine);
    const auto& columns = tables.history_columns;
    CHECK(
        columns.valid_from + columns.valid_to + columns.is_current + columns.operation_type +
            columns.lsn_from + columns.lsn_to + columns.change_seq ==
        "abcdefg"
    );
    CHECK(settings.snapshot == Snapshot::never);
    CHECK(settings.batch.max_delay == 51ms);
    CHECK(settings.batch.rows_max == 52);
    CHECK(settings.batch.bytes_max == 53ULL << 10U);
    CHECK(settings.memory_limit_bytes == 54ULL << 20U);
    CHECK(settings.copy.workers == 5);
    CHECK(settings.copy.chunk_bytes == 55ULL << 20U);
    CHECK(settings.retry.delay_min == 56ms);
    CHECK(settings.retry.delay_max == 57s);
    CHECK(settings.retry.elapsed_max == 58min);
    CHECK(settings.acknowledge.interval == 59s);
    CHECK(settings.acknowledge.hold_back == HoldBack{60ULL << 20U, 0ms});
    CHECK(settings.spool_dir == "/var/spool");
    Http http;
    http.listen = "127.0.0.1:8000";
    http.reader = settings.target.connection;
    http.reader->dsn = "host=replica user=reader";
    http.reader->password = Secret{"reader-password"};
    http.role = "web";
    http.connections = 61;
    http.statement_timeout = 62ms;
    http.cache_time = 63ms;
    http.request_timeout = 64s;
    http.idle_timeout = 65s;
    http.clients_max = 66;
    http.cors_origins = {"https://a.example"};
    http.hosts = {"history.example"};
    CHECK(settings.http == http);
    CHECK(settings.exports.time_zone == "Europe/Berlin");
    CHECK(settings.reports_dir == "sql/reports");
    CHECK(settings.log.level == LogLevel::debug);
    CHECK(settings.log.format == LogFormat::json);
}

TEST_CASE(
    "a variable may stand anywhere in a value, and a key's type is judged after",
    "[config]"
) {
    const auto environment = [](const std::string& name) -> std::optional<std::string> {
        if (name == "ROWS") return "77";
        if (name == "SLOT") return "finance";
        return std::nullopt;
    };
    const auto settings = parse(
        "source: {dsn: host=a, slot: 'cdc_${SLOT}', publication: ['${SLOT}']}\n"
        "target: {dsn: host=b, password: a$$b$c}\n"
        "batch: {max_rows: '${ROWS}'}\n",
        "x.yaml",
        environment
    );
    CHECK(settings.source.slot == "cdc_finance");
    CHECK(settings.source.publications == std::vector<std::string>{"finance"});
    CHECK(settings.target.connection.password.reveal() == "a$b$c");
    CHECK(settings.batch.rows_max == 77);
}

TEST_CASE("an empty section and an empty password count as absent", "[config]") {
    const auto settings = parsed(
        "source: {dsn: host=a, slot: s, publication: p, password: '${EMPTY}'}\n"
        "target: {dsn: host=b}\nbatch:\ntables:\nlog:\n"
    );
    CHECK(settings.source.connection.password.empty());
    CHECK(settings.batch.rows_max == 50'000);
}

TEST_CASE("what makes a version is said for all tables and for one", "[config]") {
    const auto tables = parsed(
                            minimal +
                            "tables:\n"
                            "  intra_transaction: collapse\n"
                            "  overrides:\n"
                            "    a.b: {intra_transaction: keep, track: [c, d]}\n"
                            "    a.c: {track: []}\n"
                            "    a.d: {}\n"
    )
                            .tables;
    REQUIRE(tables.intra_transaction == IntraTransaction::collapse);
    REQUIRE(tables.overrides.at("a.b").intra_transaction == IntraTransaction::keep);
    REQUIRE(tables.overrides.at("a.b").track == std::vector<std::string>{"c", "d"});
    REQUIRE(tables.overrides.at("a.c").track == std::vector<std::string>{});
    REQUIRE_FALSE(tables.overrides.at("a.d").track.has_value());
    REQUIRE_FALSE(tables.overrides.at("a.d").intra_transaction.has_value());
}

TEST_CASE("what is the only way yet may be said", "[config]") {
    const auto said = parsed(
        minimal +
        "tables:\n"
        "  on_type_change: stop\n"
        "  overrides: {a.b: {on_type_change: stop}}\n"
    );
    auto silent = parsed(minimal);
    silent.tables.overrides["a.b"] = {};
    REQUIRE(said == silent);
}

TEST_CASE("a password comes from its file", "[config]") {
    const TemporaryFile secret{"from a file\n"};
    const auto settings = parsed(
        "source: {dsn: host=a, slot: s, publication: p, password_file: " + secret.path() +
        "}\ntarget: {dsn: host=b}\n"
    );
    CHECK(settings.source.connection.password.reveal() == "from a file");
}

TEST_CASE("a password spelt out in a file that everybody can read is warned of", "[config]") {
    const std::filesystem::perms open_to_all{0644};
    const auto with = [](const std::string& dsn, const std::string& rest) {
        return "source: {dsn: '" + dsn + "', slot: s, publication: p" + rest +
               "}\ntarget: {dsn: host=b}\n";
    };
    const auto warnings = [](const TemporaryFile& file) {
        return load(file.path(), passwords).warnings;
    };
    const TemporaryFile in_key{with("host=a", ", password: hunter2"), open_to_all};
    const auto warned = warnings(in_key);
    REQUIRE(warned.size() == 1);
    CHECK(
        warned.front() == in_key.path() +
                              ": holds a password and can be read by every user; "
                              "take that right away (chmod o-r), or use password_file or ${VAR}"
    );
    CHECK(warnings(TemporaryFile{with("postgresql://u:p@a", ""), open_to_all}).size() == 1);
    CHECK(warnings(TemporaryFile{with("password=p$$x", ""), open_to_all}).size() == 1);
    // Not where others cannot read it, nor where the password is elsewhere.
    CHECK(warnings(TemporaryFile{with("host=a", ", password: p")}).empty());
    const TemporaryFile variable{with("host=a", ", password: \"${SOURCE_PASSWORD}\""), open_to_all};
    CHECK(warnings(variable).empty());
    const TemporaryFile in_uri{with("postgresql://u:${SOURCE_PASSWORD}@a", ""), open_to_all};
    CHECK(warnings(in_uri).empty());
}

TEST_CASE("the folder of reports is beside the file, unless it is absolute", "[config]") {
    const auto dir = [](const char* file, const char* text) {
        return parse(minimal + text, file, passwords).reports_dir;
    };
    CHECK(dir("/etc/p/p.yaml", "reports: {dir: sql/reports}") == "/etc/p/sql/reports");
    CHECK(dir("p/p.yaml", "reports: {dir: ../r}") == "p/../r");
    CHECK(dir("/etc/p/p.yaml", "reports: {dir: /srv/r}") == "/srv/r");
    CHECK(dir("/etc/p/p.yaml", "").empty());
}

TEST_CASE("the example loads, and what it gives is the default", "[config]") {
    auto example = load(example_path(), passwords);
    auto defaults = parsed(
        "source: {dsn: host=localhost port=5432 dbname=finance_db user=cdc_user,\n"
        "         slot: cdc_pgoutput, publication: cdc_publication}\n"
        "target: {dsn: 'postgresql://analytics_user@localhost:5433/analytics_db'}\n"
    );
    CHECK(example.source.connection.password.reveal() == "source secret");
    CHECK(example.target.connection.password.reveal() == "target secret");
    defaults.file = example.file;
    defaults.source.connection.password = example.source.connection.password;
    defaults.target.connection.password = example.target.connection.password;
    CHECK(example.warnings.empty());
    REQUIRE(example == defaults);
}

TEST_CASE("the example names every key there is, commented out or not", "[config]") {
    std::ifstream in{example_path()};
    std::set<std::string> written;
    for (std::string line; std::getline(in, line);) {
        const auto start = line.find_first_not_of(" #");
        const auto colon = line.find(':');
        if (start < colon && colon != std::string::npos) {
            written.insert(line.substr(start, colon - start));
        }
    }
    // Reading one document that has an override asks for every key once.
    DocumentNode override_map{DocumentNode::Kind::map, 1, {}, {}, {}};
    DocumentNode overrides{DocumentNode::Kind::map, 1, {}, {}, {{"a.b", 1, override_map}}};
    DocumentNode tables{DocumentNode::Kind::map, 1, {}, {}, {{"overrides", 1, overrides}}};
    const DocumentNode document{DocumentNode::Kind::map, 1, {}, {}, {{"tables", 1, tables}}};
    Reading reading;
    reading.environment = passwords;
    (void)read_settings(document, reading);
    REQUIRE(reading.known.size() > 50);
    for (const auto& path : reading.known) {
        CAPTURE(path);
        const auto dot = path.rfind('.');
        CHECK(written.contains(dot == std::string::npos ? path : path.substr(dot + 1)));
    }
}

TEST_CASE("the configuration file is the one named, else the first that exists", "[config]") {
    const auto before = std::filesystem::current_path();
    const TemporaryFile unique{""};
    const std::filesystem::path directory = unique.path() + ".d";
    std::filesystem::create_directory(directory);
    std::filesystem::current_path(directory);
    CHECK(find_config_file("given.yaml") == "given.yaml");
    if (!std::filesystem::exists("/etc/pgchronicle/pgchronicle.yaml")) {
        CHECK_THROWS_WITH(
            find_config_file(std::nullopt),
            Catch::StartsWith("could not find a configuration file\nDETAIL:  Neither ")
        );
    }
    std::ofstream{"pgchronicle.yaml"} << minimal;
    CHECK(find_config_file(std::nullopt) == "./pgchronicle.yaml");
    std::filesystem::current_path(before);
    std::filesystem::remove_all(directory);
}
