#include "log/line.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace {

namespace log = pgchronicle::log;
using Fields = std::vector<log::Field>;

std::string text_of(const Fields& fields) {
    std::string out;
    log::append_text(out, log::Level::info, "event", fields);
    return out;
}

std::string json_of(const Fields& fields) {
    std::string out;
    log::append_json(out, log::Level::warn, "event", fields);
    return out;
}

}  // namespace

TEST_CASE("a text line is level, event and fields in order", "[log]") {
    std::string out;
    const Fields fields{{"slot", "cdc_pgoutput"}, {"start_lsn", "0/15A2B30"}};
    log::append_text(out, log::Level::info, "stream_started", fields);
    REQUIRE(out == "info  stream_started slot=cdc_pgoutput start_lsn=0/15A2B30");
}

TEST_CASE("every level is padded to one width and has its own word", "[log]") {
    const auto line = [](log::Level level) {
        std::string out;
        log::append_text(out, level, "x", {});
        return out;
    };
    REQUIRE(line(log::Level::trace) == "trace x");
    REQUIRE(line(log::Level::debug) == "debug x");
    REQUIRE(line(log::Level::info) == "info  x");
    REQUIRE(line(log::Level::warn) == "warn  x");
    REQUIRE(line(log::Level::error) == "error x");
}

TEST_CASE("a text value is quoted only where it would read as something else", "[log]") {
    struct Case {
        std::string value;
        std::string written;
    };
    const std::vector<Case> cases{
        {"plain", "plain"},
        {"public.orders", "public.orders"},
        {"Größe", "Größe"},
        {"", R"("")"},
        {"two words", R"("two words")"},
        {"a=b", R"("a=b")"},
        {R"(say "hi")", R"("say \"hi\"")"},
        {R"(back\slash)", R"("back\\slash")"},
    };
    for (const auto& [value, written] : cases) {
        REQUIRE(text_of({{"k", value}}) == "info  event k=" + written);
    }
}

TEST_CASE("no value can begin a line of its own", "[log]") {
    const std::string forged = "x\n2026-11-21T11:55:29.123Z info  stopped";
    REQUIRE(
        text_of({{"k", forged}}) == R"(info  event k="x\n2026-11-21T11:55:29.123Z info  stopped")"
    );
    // Carriage return, vertical tab, NEL, line separator, escape, right-to-left override, NUL.
    const std::string controls{"\r\t\v\xC2\x85\xE2\x80\xA8\x1B[2K\xE2\x80\xAE\0.", 17};
    const std::string escaped = R"("\r\t\u000b\u0085\u2028\u001b[2K\u202e\u0000.")";
    REQUIRE(text_of({{"k", controls}}) == "info  event k=" + escaped);
    REQUIRE(json_of({{"k", controls}}) == R"("level":"warn","event":"event","k":)" + escaped + "}");
}

TEST_CASE("bytes that are not UTF-8 are written as what they are", "[log]") {
    // A lone continuation, an overlong slash, a surrogate, a cut sequence.
    const std::vector<std::string> wrong{"\x80", "\xC0\xAF", "\xED\xA0\x80", "\xE2\x82"};
    REQUIRE(text_of({{"k", wrong[0]}}) == R"(info  event k="\x80")");
    REQUIRE(text_of({{"k", wrong[1]}}) == R"(info  event k="\xc0\xaf")");
    REQUIRE(text_of({{"k", wrong[2]}}) == R"(info  event k="\xed\xa0\x80")");
    REQUIRE(text_of({{"k", wrong[3]}}) == R"(info  event k="\xe2\x82")");
    // JSON has no way to hold them, so they become U+FFFD.
    REQUIRE(json_of({{"k", "\x80"}}) == "\"level\":\"warn\",\"event\":\"event\",\"k\":\"\uFFFD\"}");
}

TEST_CASE("numbers and booleans stay so in JSON, all else is a string", "[log]") {
    const auto largest = std::numeric_limits<std::uint64_t>::max();
    REQUIRE(
        json_of({{"rows", 5}, {"bytes", largest}, {"ok", true}, {"share", 0.25}, {"name", "5"}}) ==
        R"("level":"warn","event":"event","rows":5,"bytes":18446744073709551615,)"
        R"("ok":true,"share":0.25,"name":"5"})"
    );
    REQUIRE(
        json_of({{"share", std::numeric_limits<double>::quiet_NaN()}}) ==
        R"("level":"warn","event":"event","share":"nan"})"
    );
}

TEST_CASE("events and keys are escaped as values are", "[log]") {
    std::string out;
    const Fields fields{{"a b", 1}};
    log::append_text(out, log::Level::info, "two words", fields);
    REQUIRE(out == R"(info  "two words" "a b"=1)");
}
