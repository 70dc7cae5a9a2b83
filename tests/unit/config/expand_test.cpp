#include "config/expand.hpp"

#include "tests/unit/config/temporary_file.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace pgchronicle::config;
using pgchronicle::tests::TemporaryFile;

Environment environment_of(std::map<std::string, std::string> variables) {
    return [variables](const std::string& name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        if (found == variables.end()) return std::nullopt;
        return found->second;
    };
}

}  // namespace

TEST_CASE("variables are replaced and double dollars become one", "[config]") {
    const auto environment = environment_of({{"A", "one"}, {"B_2", "${A}$$"}, {"EMPTY", ""}});
    const std::map<std::string, std::string> cases{
        {"", ""},
        {"plain", "plain"},
        {"${A}", "one"},
        {"x${A}y${A}", "xoneyone"},
        {"${B_2}", "${A}$$"},  // What a variable holds is not expanded again.
        {"${EMPTY}", ""},
        {"$$", "$"},
        {"$${A}", "${A}"},
        {"$$$${A}", "$${A}"},
        {"$$${A}", "$one"},
        {"pa$word", "pa$word"},
        {"cost$", "cost$"},
        {"$A", "$A"},
    };
    for (const auto& [text, expanded] : cases) {
        CAPTURE(text);
        const auto expansion = expand(text, environment);
        CHECK(expansion.text == expanded);
        CHECK_FALSE(expansion.malformed);
        CHECK(expansion.unset.empty());
    }
}

TEST_CASE("every unset variable is named", "[config]") {
    const auto expansion = expand("${ONE}-${A}-${TWO}", environment_of({{"A", "a"}}));
    REQUIRE(expansion.unset == std::vector<std::string>{"ONE", "TWO"});
}

TEST_CASE("a reference without a name or an end is malformed", "[config]") {
    for (const auto* text : {"${", "${A", "${}", "${1A}", "${A-x}", "${A:-x}", "a${ A}"}) {
        CAPTURE(text);
        REQUIRE(expand(text, environment_of({{"A", "a"}})).malformed);
    }
}

TEST_CASE("the process environment tells unset from empty", "[config]") {
    ::setenv("PGCHRONICLE_TEST_EMPTY", "", 1);
    ::unsetenv("PGCHRONICLE_TEST_UNSET");
    REQUIRE(process_environment()("PGCHRONICLE_TEST_EMPTY") == std::string{});
    REQUIRE_FALSE(process_environment()("PGCHRONICLE_TEST_UNSET").has_value());
}

TEST_CASE("a secret file loses the newline at its end and nothing else", "[config]") {
    const std::map<std::string, std::string> cases{
        {"hunter2", "hunter2"},
        {"hunter2\n", "hunter2"},
        {"hunter2\r\n", "hunter2"},
        {"hunter2\n\n", "hunter2\n"},
        {" hunter 2 ", " hunter 2 "},
    };
    for (const auto& [content, secret] : cases) {
        const TemporaryFile file{content};
        const auto read = read_secret_file(file.path());
        CHECK(read.secret == secret);
        CHECK(read.error.empty());
    }
}

TEST_CASE("a file that can hold no password is refused", "[config]") {
    CHECK(read_secret_file("/nonexistent/password").error == "No such file or directory");
    const TemporaryFile empty{"\n"};
    CHECK(read_secret_file(empty.path()).error == "the file is empty");
    const TemporaryFile binary{std::string{"a\0b", 3}};
    CHECK(read_secret_file(binary.path()).error == "the file holds a zero byte");
    const TemporaryFile huge{std::string(5000, 'x')};
    CHECK(read_secret_file(huge.path()).error == "it is longer than 4096 bytes");
    CHECK(read_secret_file("/").error == "it is a directory");
}
