#include "config/load.hpp"
#include "tests/fuzz/fuzz_checks.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

// A configuration file of any bytes: gives settings, or problems that say where, and no problem
// tells a secret.

namespace {

using namespace pgchronicle;
using test::require;

/// Stands for a password; the dictionary has it. No key of ours is spelt like it.
constexpr std::string_view canary = "hunter2!Canary";
constexpr const char* file = "fuzz.yaml";

std::optional<std::string> variables(const std::string& name) {
    if (name == "SOURCE_PASSWORD") return std::string{canary};
    if (name == "EMPTY") return "";
    return std::nullopt;
}

bool holds_secret(const std::string& text) {
    return text.find(canary) != std::string::npos ||
           text.find("SOURCE_PASSWORD") != std::string::npos;
}

/// Whether the text has the secret nowhere but where a secret belongs. Its own reading of the
/// document, with a path for every value.
class SecretPlaces : public YAML::EventHandler {
public:
    [[nodiscard]] bool misplaced() const { return misplaced_; }

    void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override { value({}); }
    void OnAlias(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override { value({}); }
    void OnScalar(
        const YAML::Mark& /*mark*/,
        const std::string& /*tag*/,
        YAML::anchor_t /*anchor*/,
        const std::string& text
    ) override {
        value(text);
    }
    void OnSequenceStart(
        const YAML::Mark& /*mark*/,
        const std::string& /*tag*/,
        YAML::anchor_t /*anchor*/,
        YAML::EmitterStyle::value /*style*/
    ) override {
        open_.push_back({false, {}, {}});
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(
        const YAML::Mark& /*mark*/,
        const std::string& /*tag*/,
        YAML::anchor_t /*anchor*/,
        YAML::EmitterStyle::value /*style*/
    ) override {
        open_.push_back({true, {}, {}});
    }
    void OnMapEnd() override { close(); }

private:
    struct Open {
        bool is_map{false};
        bool has_key{false};
        std::string key;
    };

    void value(const std::string& text) {
        if (!open_.empty() && open_.back().is_map && !open_.back().has_key) {
            open_.back().has_key = true;
            open_.back().key = text;
            // Tables are the user's own names: they are told.
            if (holds_secret(text) && open_[0].key == "tables") misplaced_ = true;
            return;
        }
        if (holds_secret(text) && !is_secret_place()) misplaced_ = true;
        if (!open_.empty()) open_.back().has_key = false;
    }
    void close() {
        open_.pop_back();
        if (!open_.empty()) open_.back().has_key = false;
    }
    [[nodiscard]] bool is_secret_place() const {
        if (open_.size() < 2 || !open_[0].is_map || !open_[1].is_map) return false;
        const bool side = open_[0].key == "source" || open_[0].key == "target";
        return side && (open_[1].key == "password" || open_[1].key == "dsn");
    }

    std::vector<Open> open_;
    bool misplaced_{false};
};

/// Somebody who writes a password where a slot's name belongs will read it in the error.
bool secret_is_misplaced(const std::string& text) {
    std::istringstream in{text};
    SecretPlaces places;
    try {
        YAML::Parser parser{in};
        while (parser.HandleNextDocument(places)) {
        }
    } catch (const YAML::Exception&) {
        return false;  // What cannot be read is not repeated.
    }
    return places.misplaced();
}

/// What is wrong with the document as a whole has no key.
bool needs_no_key(const std::string& message) {
    constexpr std::array<std::string_view, 6> whole{
        "malformed YAML",
        "YAML aliases are not supported",
        "file holds more than one YAML document",
        "a key must be a single word",
        "unknown key",
        "duplicate key"};
    return message.starts_with("expected a mapping") ||
           std::ranges::any_of(whole, [&](auto start) { return message.starts_with(start); });
}

bool is_one_line(const std::string& text) {
    return std::ranges::none_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20U || byte == 0x7FU;
    });
}

void check_problem(const config::Problem& problem, std::size_t lines) {
    require(problem.file == file, "a problem names its file");
    require(problem.line >= 1, "a problem has a line");
    require(static_cast<std::size_t>(problem.line) <= lines + 1, "the line is in the file");
    require(!problem.message.empty(), "a problem says what is wrong");
    require(!problem.key.empty() || needs_no_key(problem.message), "a problem names its key");
    require(is_one_line(problem.message), "a message cannot forge a line");
    require(is_one_line(problem.detail), "a detail cannot forge a line");
    require(is_one_line(problem.hint), "a hint cannot forge a line");
}

/// What an operator reads: a line for each problem, its detail and its hint, and no other.
void check_told(const config::ConfigError& error) {
    std::size_t lines = 0;
    for (const auto& problem : error.problems()) {
        lines += problem.detail.empty() ? 1U : 2U;
        lines += problem.hint.empty() ? 0U : 1U;
    }
    std::istringstream told{error.what()};
    std::size_t found = 0;
    for (std::string line; std::getline(told, line); ++found) {
        require(is_one_line(line), "nothing that a terminal obeys is told");
    }
    require(found == lines, "no key begins a line of its own");
}

/// Files of the machine are not the fuzzer's to open.
bool names_a_file(const std::string& text) {
    return text.find("password_file") != std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(data, data + size);
    if (names_a_file(text)) return 0;
    const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) +
                       static_cast<std::size_t>(std::ranges::count(text, '\r')) + 1;
    try {
        const auto settings = config::parse(text, file, variables);
        require(!settings.source.slot.empty(), "what is required is there");
        require(!settings.source.publications.empty(), "what is required is there");
        for (const auto& warning : settings.warnings) {
            require(warning.starts_with(file), "a warning names its file");
            require(is_one_line(warning), "a warning is one line");
        }
    } catch (const config::ConfigError& error) {
        require(!error.problems().empty(), "an error has a problem");
        for (const auto& problem : error.problems()) check_problem(problem, lines);
        check_told(error);
        const std::string told = error.what();
        const bool tells = told.find(canary) != std::string::npos;
        require(!tells || secret_is_misplaced(text), "no error tells a secret");
    }
    return 0;
}
