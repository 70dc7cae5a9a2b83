#include "config/load.hpp"
#include "tests/unit/config/temporary_file.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace pgchronicle::config;
using pgchronicle::tests::TemporaryFile;

/// Every secret of these tests holds "hunter", so that none may be in any message.
std::optional<std::string> variables(const std::string& name) {
    if (name == "PASSWORD") return "hunter2";
    return std::nullopt;
}

/// What the loader says of a text, or nothing when it accepts it.
std::string complaint(const std::string& text) {
    try {
        (void)parse(text, "x.yaml", variables);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return {};
}

/// Four good lines; what a case adds begins at line 5.
const std::string good =
    "source: {dsn: host=a, slot: s, publication: p}\n"
    "target:\n"
    "  dsn: host=b\n"
    "\n";

/// Lines to stand under `source:`; what a case adds begins at line 5.
const std::string good_source =
    "target: {dsn: host=b}\n"
    "source:\n"
    "  slot: s\n"
    "  publication: p\n";

struct Case {
    std::string text;
    std::string complaint;
};

void check(const std::vector<Case>& cases) {
    for (const auto& wrong : cases) {
        CAPTURE(wrong.text);
        const auto said = complaint(wrong.text);
        CHECK(said == wrong.complaint);
        CHECK(said.find("hunter") == std::string::npos);
    }
}

}  // namespace

TEST_CASE("unknown keys are refused and a likely meaning is named", "[config]") {
    check({
        {good + "pipelin: x\n",
         "x.yaml:5: pipelin: unknown key\nHINT:  Did you mean \"pipeline\"?"},
        {good_source + "  dsn: host=a\n  slott: s\n",
         "x.yaml:6: source.slott: unknown key\nHINT:  Did you mean \"slot\"?"},
        {good + "slot: s\n", "x.yaml:5: slot: unknown key\nHINT:  Did you mean \"source.slot\"?"},
        {good + "batch: {maximum: 3}\n", "x.yaml:5: batch.maximum: unknown key"},
        {good + "tables:\n  overrides:\n    a.b: {renam: {c: d}}\n",
         "x.yaml:7: tables.overrides.a.b.renam: unknown key\nHINT:  Did you mean \"rename\"?"},
        {good + "tables:\n  history_columns: {valid_form: x}\n",
         "x.yaml:6: tables.history_columns.valid_form: unknown key\n"
         "HINT:  Did you mean \"valid_from\"?"},
        // Not a word of ours, so perhaps a secret: the key is not repeated.
        {good_source + "  dsn: host=a\n  \"hunter2!\": x\n", "x.yaml:6: source: unknown key"},
    });
}

TEST_CASE("missing keys are named, each", "[config]") {
    const std::string all =
        "x.yaml:1: source.dsn: missing required key\n"
        "x.yaml:1: source.slot: missing required key\n"
        "x.yaml:1: source.publication: missing required key\n"
        "x.yaml:1: target.dsn: missing required key";
    check({
        {"", all},
        {"# only a comment\n", all},
        {"\nsource:\n  slot: s\n  dsn: host=a\ntarget: {dsn: host=b}\n",
         "x.yaml:2: source.publication: missing required key"},
    });
}

TEST_CASE("wrong types are refused", "[config]") {
    check({
        {"just words\n",
         "x.yaml:1: expected a mapping, found a single value\n"
         "HINT:  Write \"key: value\" lines, indented, with a space after each colon."},
        {"target: {dsn: host=b}\nsource: password=hunter2\n",
         "x.yaml:2: source: expected a mapping, found a single value\n"
         "HINT:  Write \"key: value\" lines, indented, with a space after each colon."},
        {good + "tables: [a.b]\n",
         "x.yaml:5: tables: expected a mapping, found a list\n"
         "HINT:  Write \"key: value\" lines, indented, with a space after each colon."},
        {good_source + "  dsn: host=a\n  password: [hunter2]\n",
         "x.yaml:6: source.password: expected a single value, found a list"},
        {good + "pipeline: {a: b}\n",
         "x.yaml:5: pipeline: expected a single value, found a mapping"},
        {good + "pipeline:\n", "x.yaml:5: pipeline: key has no value"},
        {good + "pipeline: ''\n", "x.yaml:5: pipeline: value must not be empty"},
        {good + "pipeline: \"a\\0b\"\n", "x.yaml:5: pipeline: value holds a zero byte"},
        {good + "tables:\n  include:\n    - a.b\n    - [c.d]\n",
         "x.yaml:8: tables.include[1]: expected a single value, found a list"},
        {good + "tables: {include: {a: b}}\n",
         "x.yaml:5: tables.include: expected a single value, found a mapping"},
        {good + "tables: {overrides: {\"a\\n2026 b.c\": {renam: 1}}}\n",
         "x.yaml:5: tables.overrides.a?2026 b.c.renam: unknown key\nHINT:  Did you mean "
         "\"rename\"?"},
        {good + "tables: {overrides: {a.b: c}}\n",
         "x.yaml:5: tables.overrides.a.b: expected a mapping, found a single value\n"
         "HINT:  Write \"key: value\" lines, indented, with a space after each colon."},
        {good + "batch: {max_delay: 50}\n",
         "x.yaml:5: batch.max_delay: invalid duration \"50\"\n"
         "HINT:  Write a whole number and a unit: 50ms, 2s, 5min or 1h."},
        {good + "memory_limit: 256MB\n",
         "x.yaml:5: memory_limit: invalid size \"256MB\"\n"
         "HINT:  Write a whole number and a unit: 512KiB, 32MiB or 1GiB; without a unit it is "
         "bytes."},
        {good + "batch: {max_rows: many}\n",
         "x.yaml:5: batch.max_rows: invalid number \"many\"\n"
         "HINT:  Write a whole number, as 50000."},
        {good + "batch: {max_rows: -1}\n",
         "x.yaml:5: batch.max_rows: invalid number \"-1\"\n"
         "HINT:  Write a whole number, as 50000."},
        {good + "snapshot: maybe\n",
         "x.yaml:5: snapshot: invalid value \"maybe\"\nHINT:  Allowed: initial, never."},
        {good + "log: {level: wran}\n",
         "x.yaml:5: log.level: invalid value \"wran\"\n"
         "HINT:  Did you mean \"warn\"? Allowed: trace, debug, info, warn, error."},
        // What a variable holds is not repeated, wherever it was put by mistake.
        {good + "log: {format: '${PASSWORD}'}\n",
         "x.yaml:5: log.format: invalid value \"${PASSWORD}\"\nHINT:  Allowed: text, json."},
        {good + "memory_limit: ${PASSWORD}\n",
         "x.yaml:5: memory_limit: invalid size \"${PASSWORD}\"\n"
         "HINT:  Write a whole number and a unit: 512KiB, 32MiB or 1GiB; without a unit it is "
         "bytes."},
    });
}

TEST_CASE("duplicate keys are refused, with the line of the first", "[config]") {
    check({
        {good + "pipeline: a\npipeline: b\n",
         "x.yaml:6: pipeline: duplicate key\nDETAIL:  It is given at line 5 first."},
        {good_source + "  dsn: host=a\n  password: hunter1\n  password: hunter2\n",
         "x.yaml:7: source.password: duplicate key\nDETAIL:  It is given at line 6 first."},
        {good + "tables:\n  overrides:\n    a.b: {}\n    a.b: {}\n",
         "x.yaml:8: tables.overrides.a.b: duplicate key\nDETAIL:  It is given at line 7 first."},
    });
}

TEST_CASE("malformed YAML is refused with its line", "[config]") {
    const std::string hint =
        "\nHINT:  Indent with spaces, put a space after each colon, and quote values that hold "
        "special characters.";
    check({
        {good + "a: [b\n", "x.yaml:6: malformed YAML: end of sequence flow not found" + hint},
        {good + "a: b: c\n", "x.yaml:5: malformed YAML: illegal map value" + hint},
        {good_source + "  password: @hunter2\n", "x.yaml:5: malformed YAML: unknown token" + hint},
        {good + "---\na: b\n", "x.yaml:5: file holds more than one YAML document"},
        {good_source + "  password: *hunter2\n",
         "x.yaml:5: YAML aliases are not supported\n"
         "HINT:  Repeat the value; quote a value that begins with *."},
        {"a: &x b\nc: *x\n",
         "x.yaml:2: YAML aliases are not supported\n"
         "HINT:  Repeat the value; quote a value that begins with *."},
        {"[a]: b\n", "x.yaml:1: a key must be a single word"},
    });
}

TEST_CASE("variables that are not set or not closed are refused", "[config]") {
    check({
        {good_source + "  dsn: host=a\n  password: ${NO_SUCH}\n",
         "x.yaml:6: source.password: environment variable \"NO_SUCH\" is not set\n"
         "HINT:  Set it, or write $$ where a dollar sign itself is meant."},
        {good + "tables:\n  exclude: [a.b,\n    '${ONE}.${TWO}']\n",
         "x.yaml:7: tables.exclude[1]: environment variable \"ONE\" is not set\n"
         "HINT:  Set it, or write $$ where a dollar sign itself is meant.\n"
         "x.yaml:7: tables.exclude[1]: environment variable \"TWO\" is not set\n"
         "HINT:  Set it, or write $$ where a dollar sign itself is meant."},
        {good_source + "  dsn: host=a\n  password: hunter${2\n",
         "x.yaml:6: source.password: malformed variable reference\n"
         "HINT:  Write ${NAME}, or $$ where a dollar sign itself is meant."},
    });
}

TEST_CASE("passwords are given once and their files must be readable", "[config]") {
    check({
        {good_source + "  dsn: host=a\n  password: hunter2\n  password_file: /run/x\n",
         "x.yaml:7: source.password_file: password is given twice\n"
         "DETAIL:  There is \"password\" too."},
        {good_source + "  dsn: host=a password=hunter2\n  password: hunter3\n",
         "x.yaml:5: source.dsn: password is given twice\n"
         "DETAIL:  The connection string holds one, and so does another key."},
        {good_source + "  dsn: host=a\n  password_file: /nonexistent/password\n",
         "x.yaml:6: source.password_file: could not read password file "
         "\"/nonexistent/password\"\nDETAIL:  The system says: No such file or directory."},
        {good_source + "  dsn: host=a pasword=hunter2\n",
         "x.yaml:5: source.dsn: connection string holds an unknown keyword\n"
         "HINT:  Did you mean \"password\"?"},
        {good_source + "  dsn: postgresql://u:${PASSWORD}@x@a\n",
         "x.yaml:5: source.dsn: connection URI has an @ in the wrong place\n"
         "HINT:  Percent-encode special characters of user and password: %40 for @, %2F for /, "
         "%3A for :, %3F for ?, %25 for %."},
        {good_source + "  dsn: ' '\n", "x.yaml:5: source.dsn: value must not be empty"},
    });
}

TEST_CASE("hold_back is a size or a duration, and nothing else", "[config]") {
    const std::string hint =
        "\nHINT:  Write so many bytes of WAL, as 1GiB, or a time, as 2h; 0 holds nothing back.";
    const std::string key = "x.yaml:5: acknowledge.hold_back: invalid size or duration ";
    check({
        {good + "acknowledge: {hold_back: 1GB}\n", key + "\"1GB\"" + hint},
        {good + "acknowledge: {hold_back: two hours}\n", key + "\"two hours\"" + hint},
        {good + "acknowledge: {hold_back: -1}\n", key + "\"-1\"" + hint},
    });
}

TEST_CASE("what a later version will do is refused, not ignored", "[config]") {
    const std::string no = ": not supported by this version\nHINT:  Remove the key.";
    check({
        {good + "apply: {workers: 4}\n", "x.yaml:5: apply" + no},
        {good + "tables:\n  overrides:\n    a.b:\n      on_type_change: text\n",
         "x.yaml:8: tables.overrides.a.b.on_type_change: \"text\" is not supported by this "
         "version\n"
         "HINT:  Allowed: stop."},
        {"source: {dsn: host=a, slot: s, publication: p}\n"
         "target: {dsn: host=b, distribute: citus}\n",
         "x.yaml:2: target.distribute" + no},
    });
}

TEST_CASE("values that make no sense are refused at their line", "[config]") {
    check({
        {good + "copy:\n  workers: 64\n",
         "x.yaml:6: copy.workers: 64 is out of range\nHINT:  Allowed: 1 to 32."},
        {good + "copy:\n  workers: 99999999999\n",
         "x.yaml:6: copy.workers: 4294967295 is out of range\nHINT:  Allowed: 1 to 32."},
        {good + "tables:\n  include:\n    - a.b\n    - orders\n",
         "x.yaml:8: tables.include[1]: pattern \"orders\" names no schema\n"
         "HINT:  Write schema.table; each part may hold * and ?, as in public.* or *.orders."},
        {good + "tables: {overrides: {a.b: {on_change: assess}}}\n",
         "x.yaml:5: tables.overrides.a.b.on_change: function \"assess\" names no schema\n"
         "HINT:  Write schema.function, without arguments: it takes one, of type jsonb."},
        {good + "\nmemory_limit: 64MiB\n",
         "x.yaml:6: memory_limit: memory_limit must be at least three times batch.max_bytes\n"
         "DETAIL:  memory_limit is 64MiB, batch.max_bytes is 32MiB: one batch is being built, one "
         "waits and one is being written."},
        {good + "retry:\n  delay_max: 1ms\n",
         "x.yaml:5: retry.delay_min: delay_min is longer than delay_max\n"
         "DETAIL:  delay_min is 200ms, delay_max is 1ms."},
    });
}

TEST_CASE("all problems are told at once, in the order of the file", "[config]") {
    check({
        {"log: {level: loud}\n"
         "copy: {workers: 0}\n"
         "source:\n"
         "  dsn: host=a\n"
         "  slot: Not-A-Slot\n"
         "batch: {max_rows: x}\n"
         "target: {dsn: host=b, schemas: c}\n",
         "x.yaml:1: log.level: invalid value \"loud\"\n"
         "HINT:  Allowed: trace, debug, info, warn, error.\n"
         "x.yaml:2: copy.workers: 0 is out of range\nHINT:  Allowed: 1 to 32.\n"
         "x.yaml:3: source.publication: missing required key\n"
         "x.yaml:5: source.slot: invalid slot name \"Not-A-Slot\"\n"
         "HINT:  Slot names are 1 to 63 lower-case letters, digits and underscores.\n"
         "x.yaml:6: batch.max_rows: invalid number \"x\"\n"
         "HINT:  Write a whole number, as 50000.\n"
         "x.yaml:7: target.schemas: unknown key\nHINT:  Did you mean \"schema\"?"},
    });
}

TEST_CASE("problems can be asked for one by one", "[config]") {
    try {
        (void)parse(good + "pipelin: x\n", "x.yaml", variables);
        FAIL("was not refused");
    } catch (const ConfigError& error) {
        const Problem expected{
            "x.yaml", 5, "pipelin", "unknown key", "", "Did you mean \"pipeline\"?"};
        REQUIRE(error.problems() == std::vector<Problem>{expected});
    }
}

TEST_CASE("a configuration file that cannot be read is named", "[config]") {
    CHECK_THROWS_WITH(
        load("/nonexistent/x.yaml", variables),
        "/nonexistent/x.yaml: could not read configuration file\n"
        "DETAIL:  The system says: No such file or directory."
    );
    CHECK_THROWS_WITH(
        load("/", variables),
        "/: could not read configuration file\nDETAIL:  The system says: it is a directory."
    );
    const TemporaryFile huge{std::string(2'000'000, '#')};
    CHECK_THROWS_WITH(load(huge.path(), variables), Catch::Contains("longer than 1048576 bytes"));
}

TEST_CASE("a damaged file gives settings or a complaint that holds no secret", "[config]") {
    const std::string whole =
        good_source +
        "  dsn: 'postgresql://u:hunter1@h/db?password=hunter3'\n"
        "  # password: ${PASSWORD}\n"
        "tables:\n  include: [a.*, \"b.c\"]\n  overrides: {a.b: {rename: {c: d}}}\n"
        "batch: {max_delay: 50ms, max_bytes: 1MiB}\n"
        "log:\n  level: info\n";
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random{seed};
    const std::string letters = "{}[]:,'\"\n #&*!|>-%@`$?x1\t";
    const auto pick = [&](std::size_t size) {
        return std::uniform_int_distribution<std::size_t>{0, size - 1}(random);
    };
    for (int round = 0; round < 3000; ++round) {
        auto text = whole;
        for (auto changes = 1 + pick(3); changes > 0; --changes) {
            const auto place = pick(text.size());
            switch (pick(3)) {
            case 0:
                text.erase(place, 1 + pick(4));
                break;
            case 1:
                text.insert(place, 1, letters[pick(letters.size())]);
                break;
            default:
                text[place] = letters[pick(letters.size())];
                break;
            }
        }
        CAPTURE(text);
        REQUIRE_NOTHROW(complaint(text));
    }
}
