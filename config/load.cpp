#include "config/load.hpp"

#include "config/document.hpp"
#include "config/map_reader.hpp"
#include "config/read_file.hpp"
#include "config/read_settings.hpp"
#include "config/validate.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace pgchronicle::config {

namespace {

/// A thousand tables with overrides of their own take a tenth of this.
constexpr std::size_t file_bytes_max = 1U << 20U;

[[noreturn]] void fail(
    const std::string& file,
    int line,
    std::string message,
    std::string detail = {},
    std::string hint = {}
) {
    throw ConfigError{{{file, line, {}, std::move(message), std::move(detail), std::move(hint)}}};
}

/// Builds our own tree from the parser's events, which know the line of every key.
class DocumentBuilder : public YAML::EventHandler {
public:
    explicit DocumentBuilder(std::string file) : file_{std::move(file)} {}

    [[nodiscard]] DocumentNode take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (has_document_) fail(file_, line_of(mark), "file holds more than one YAML document");
        has_document_ = true;
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
        add({DocumentNode::Kind::null, line_of(mark), {}, {}, {}});
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
        refuse_alias(line_of(mark));
    }
    void OnScalar(
        const YAML::Mark& mark,
        const std::string& /*tag*/,
        YAML::anchor_t /*anchor*/,
        const std::string& value
    ) override {
        add({DocumentNode::Kind::scalar, line_of(mark), value, {}, {}});
    }
    void OnSequenceStart(
        const YAML::Mark& mark,
        const std::string& /*tag*/,
        YAML::anchor_t /*anchor*/,
        YAML::EmitterStyle::value /*style*/
    ) override {
        open_.push_back({{DocumentNode::Kind::list, line_of(mark), {}, {}, {}}, std::nullopt});
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(
        const YAML::Mark& mark,
        const std::string& /*tag*/,
        YAML::anchor_t /*anchor*/,
        YAML::EmitterStyle::value /*style*/
    ) override {
        open_.push_back({{DocumentNode::Kind::map, line_of(mark), {}, {}, {}}, std::nullopt});
    }
    void OnMapEnd() override { close(); }

    [[noreturn]] void refuse_alias(int line) const {
        // Also what happens to a password that begins with *, so the name is not repeated.
        fail(
            file_,
            line,
            "YAML aliases are not supported",
            {},
            "Repeat the value; quote a value that begins with *."
        );
    }

private:
    /// A list or map whose end has not come yet.
    struct Open {
        DocumentNode node;
        std::optional<Entry> entry;  ///< Of a map: the key whose value comes next.
    };

    static int line_of(const YAML::Mark& mark) { return mark.line + 1; }

    void add(DocumentNode node) {
        if (open_.empty()) {
            root_ = std::move(node);
            return;
        }
        auto& parent = open_.back();
        if (parent.node.kind == DocumentNode::Kind::list) {
            parent.node.items.push_back(std::move(node));
        } else if (!parent.entry) {
            if (node.kind != DocumentNode::Kind::scalar) {
                fail(file_, node.line, "a key must be a single word");
            }
            parent.entry = Entry{std::move(node.text), node.line, {}};
        } else {
            parent.entry->value = std::move(node);
            parent.node.entries.push_back(*std::move(parent.entry));
            parent.entry.reset();
        }
    }

    void close() {
        auto node = std::move(open_.back().node);
        open_.pop_back();
        add(std::move(node));
    }

    std::string file_;
    DocumentNode root_;
    std::vector<Open> open_;
    bool has_document_{false};
};

DocumentNode parse_yaml(const std::string& text, const std::string& file) {
    std::istringstream in{text};
    DocumentBuilder builder{file};
    try {
        YAML::Parser parser{in};
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const YAML::Exception& error) {
        const int line = error.mark.is_null() ? 0 : error.mark.line + 1;
        // The library's words for some errors end in a piece of the file after a colon.
        const auto reason = error.msg.substr(0, error.msg.find(':'));
        if (reason == "the referenced anchor is not defined") builder.refuse_alias(line);
        fail(
            file,
            line,
            "malformed YAML: " + reason,
            {},
            "Indent with spaces, put a space after each colon, and quote values that hold "
            "special characters."
        );
    }
    return builder.take();
}

/// The line of a key, else of the nearest section around it.
int line_of(const std::map<std::string, int>& lines, std::string key) {
    while (true) {
        if (const auto found = lines.find(key); found != lines.end()) return found->second;
        const auto end = key.find_last_of(".[");
        if (end == std::string::npos) return 1;
        key.resize(end);
    }
}

/// True when the key, or a section around it, has a problem already.
bool is_covered(const std::vector<Problem>& problems, std::string_view key) {
    return std::any_of(problems.begin(), problems.end(), [key](const Problem& problem) {
        if (problem.key.empty()) return true;  // The document as a whole.
        return key == problem.key || key.starts_with(problem.key + '.') ||
               key.starts_with(problem.key + '[');
    });
}

Settings parse_content(const FileContent& content, Reading reading) {
    const auto document = parse_yaml(content.text, reading.file);
    auto settings = read_settings(document, reading);
    // A value that could not be read still has its default; complaining of that would be noise.
    const auto read_problems = reading.problems;
    for (auto problem : validate(settings)) {
        if (is_covered(read_problems, problem.key)) continue;
        problem.file = reading.file;
        problem.line = line_of(reading.lines, problem.key);
        reading.problems.push_back(std::move(problem));
    }
    if (!reading.problems.empty()) {
        std::stable_sort(
            reading.problems.begin(),
            reading.problems.end(),
            [](const Problem& one, const Problem& other) { return one.line < other.line; }
        );
        throw ConfigError{std::move(reading.problems)};
    }
    if (content.world_readable && reading.holds_password) {
        settings.warnings.push_back(
            reading.file +
            ": holds a password and can be read by every user; "
            "take that right away (chmod o-r), or use password_file or ${VAR}"
        );
    }
    return settings;
}

}  // namespace

Settings parse(const std::string& text, const std::string& file, const Environment& environment) {
    Reading reading;
    reading.file = file;
    reading.environment = environment;
    return parse_content({text, {}, false}, std::move(reading));
}

Settings load(const std::string& file, const Environment& environment) {
    const auto content = read_file(file, file_bytes_max);
    if (!content.error.empty()) {
        fail(
            file, 0, "could not read configuration file", "The system says: " + content.error + "."
        );
    }
    Reading reading;
    reading.file = file;
    reading.environment = environment;
    return parse_content(content, std::move(reading));
}

std::string find_config_file(const std::optional<std::string>& given) {
    if (given) return *given;
    constexpr std::array<std::string_view, 2> places{
        "./pgchronicle.yaml", "/etc/pgchronicle/pgchronicle.yaml"};
    for (const auto place : places) {
        std::error_code ignored;
        if (std::filesystem::exists(place, ignored)) return std::string{place};
    }
    fail(
        {},
        0,
        "could not find a configuration file",
        "Neither ./pgchronicle.yaml nor /etc/pgchronicle/pgchronicle.yaml exists.",
        "Name one with --config, or write one with \"pgchronicle init\"."
    );
}

}  // namespace pgchronicle::config
