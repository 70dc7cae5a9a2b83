#include "reports/definition_lines.hpp"

#include "reports/check_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace pgchronicle::reports {
namespace {

constexpr std::string_view blanks = " \t\r";
/// PostgreSQL's limit for names, which is plenty for a file's and an option's.
constexpr std::size_t name_bytes_max = 63;

std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return text.substr(0, text.find_last_not_of(blanks) + 1);
}

/// It would begin a line of its own in a message or in the documentation.
bool is_control(char c) {
    return (c >= 0 && c < ' ' && c != '\t') || c == '\x7F';
}

bool is_name(std::string_view text) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    const bool letter = !text.empty() && (text[0] == '_' || (text[0] >= 'a' && text[0] <= 'z'));
    return letter && text.size() <= name_bytes_max && std::ranges::all_of(text, fits);
}

/// A word of a parameter's line: up to a blank or a comma, or what stands in single quotes.
struct Word {
    std::string text;
    bool quoted{false};

    [[nodiscard]] bool is(std::string_view keyword) const { return !quoted && text == keyword; }
};

/// The words of a line up to its description, which begins with "--".
std::optional<std::vector<Word>> words_of(std::string_view line) {
    std::vector<Word> words;
    while (true) {
        line = trimmed(line);
        if (line.empty()) return words;
        if (line.front() == ',' || line.front() == '=') {
            words.push_back({std::string{line.substr(0, 1)}});
            line.remove_prefix(1);
        } else if (line.front() == '\'') {
            Word word{.text = {}, .quoted = true};
            std::size_t i = 1;
            for (; i < line.size() && (line[i] != '\'' || line.substr(i).starts_with("''")); ++i) {
                if (line[i] == '\'') ++i;
                word.text += line[i];
            }
            if (i >= line.size()) return std::nullopt;
            words.push_back(std::move(word));
            line.remove_prefix(i + 1);
        } else {
            const auto end = std::min(line.find_first_of(" \t\r,=\'"), line.size());
            words.push_back({std::string{line.substr(0, end)}});
            line.remove_prefix(end);
        }
    }
}

/// Where the description begins: "--" outside of quotes.
std::size_t find_description(std::string_view line) {
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\'') quoted = !quoted;
        if (!quoted && line.substr(i).starts_with("--")) return i;
    }
    return line.size();
}

std::optional<ParameterType> type_of(std::string_view word) {
    constexpr std::array types{
        ParameterType::text,
        ParameterType::integer,
        ParameterType::number,
        ParameterType::boolean,
        ParameterType::date,
        ParameterType::timestamp,
    };
    const auto found =
        std::ranges::find_if(types, [&](ParameterType type) { return word == name_of(type); });
    return found == types.end() ? std::nullopt : std::optional{*found};
}

/// Reads the words after a parameter's name and type.
class ClauseReader {
public:
    ClauseReader(Parameter& parameter, std::vector<Word> words)
        : parameter_{parameter}, words_{std::move(words)} {}

    /// What is wrong with them; empty when nothing is.
    std::string run() {
        std::string fault;
        while (fault.empty() && at_ < words_.size()) fault = clause();
        return fault;
    }

private:
    std::string clause() {
        const Word word = words_[at_++];
        if (word.is("=")) return default_value();
        if (word.is("one")) return allowed();
        if (word.is("min")) return bound("min", parameter_.min);
        if (word.is("max")) return bound("max", parameter_.max);
        return fmt::format("\"{}\" is not understood here", word.text);
    }

    [[nodiscard]] bool has_value() const {
        if (at_ >= words_.size()) return false;
        const Word& word = words_[at_];
        return !word.is("=") && !word.is(",");
    }

    std::string default_value() {
        if (!has_value()) return "no value after =";
        if (parameter_.default_value) return "a second default";
        parameter_.default_value = words_[at_++].text;
        return {};
    }

    std::string allowed() {
        if (at_ >= words_.size() || !words_[at_].is("of")) return R"(no "of" after "one")";
        do {
            ++at_;
            if (!has_value()) return "a value is missing after \"one of\", or after a comma";
            parameter_.allowed.push_back(words_[at_++].text);
        } while (at_ < words_.size() && words_[at_].is(","));
        return {};
    }

    std::string bound(std::string_view which, std::optional<std::int64_t>& value) {
        if (parameter_.type != ParameterType::integer && parameter_.type != ParameterType::number) {
            return fmt::format("{} is for integer and number only", which);
        }
        const std::string text = has_value() ? words_[at_++].text : std::string{};
        std::int64_t number = 0;
        const auto [end, errc] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (errc != std::errc{} || end != text.data() + text.size()) {
            return fmt::format("no integer after {}", which);
        }
        value = number;
        return {};
    }

    Parameter& parameter_;
    std::vector<Word> words_;
    std::size_t at_{0};
};

/// A parameter whose own values would never fit.
std::string contradiction_of(const Parameter& parameter) {
    if (parameter.min && parameter.max && *parameter.min > *parameter.max) {
        return "min is greater than max";
    }
    for (const auto& word : parameter.allowed) {
        if (const auto fault = fault_of(parameter, word)) {
            return fmt::format("allowed value \"{}\" {}", word, *fault);
        }
    }
    if (!parameter.default_value) return {};
    const auto fault = fault_of(parameter, *parameter.default_value);
    return fault ? fmt::format("default \"{}\" {}", *parameter.default_value, *fault) : "";
}

class Reader {
public:
    Definition run(std::string_view text) {
        std::size_t at = 0;
        for (int number = 1;; ++number) {
            definition_.sql_begins = at;
            // What is missing at the end is told of the last line there is.
            const bool is_line = at < text.size() || text.ends_with('\n');
            if (is_line || number == 1) definition_.sql_line = number;
            if (at >= text.size()) return std::move(definition_);
            const auto end = std::min(text.find('\n', at), text.size());
            const auto line = trimmed(text.substr(at, end - at));
            if (!line.empty() && !line.starts_with("--")) return std::move(definition_);
            if (!line.empty()) comment(trimmed(line.substr(2)), number);
            at = std::min(end + 1, text.size());
        }
    }

private:
    void fault(int line, std::string message, std::string hint = {}) {
        definition_.faults.push_back({line, std::move(message), std::move(hint)});
    }

    void comment(std::string_view line, int number) {
        if (std::ranges::any_of(line, is_control)) {
            return fault(number, "a control character in the definition");
        }
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || !is_name(line.substr(0, colon))) return;
        const auto key = line.substr(0, colon);
        const auto value = trimmed(line.substr(colon + 1));
        if (key == "name") return name(value, number);
        if (key == "path") return path(value, number);
        if (key == "description") return describe(value);
        if (key == "param") return parameter(value, number);
        fault(
            number,
            fmt::format("unknown word \"{}\" in the definition", key),
            "Known are name, path, description and param."
        );
    }

    void name(std::string_view value, int number) {
        definition_.name_line = number;
        if (!is_name(value)) {
            fault(number, "name is not valid", "Use lower case letters, digits and _; at most 63.");
        }
        if (!definition_.report.name.empty()) fault(number, "name is given twice");
        definition_.report.name = value;
    }

    void path(std::string_view value, int number) {
        definition_.path_line = number;
        const auto fits = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '_' || c == '-' || c == '/';
        };
        if (value.size() < 2 || value[0] != '/' || value.back() == '/' ||
            value.find("//") != std::string_view::npos || !std::ranges::all_of(value, fits)) {
            fault(number, "path is not valid", "It looks like /orders/top.");
        }
        // What the server itself answers.
        constexpr std::array<std::string_view, 9> reserved{
            "/health",
            "/ready",
            "/status",
            "/metrics",
            "/docs",
            "/openapi",
            "/tables",
            "/changes",
            "/assets"};
        const auto first = value.substr(0, std::min(value.find('/', 1), value.size()));
        if (std::ranges::find(reserved, first) != reserved.end()) {
            fault(number, fmt::format("path {} is the server's own", first));
        }
        if (!definition_.report.path.empty()) fault(number, "path is given twice");
        definition_.report.path = value;
    }

    void describe(std::string_view value) {
        auto& description = definition_.report.description;
        if (!description.empty()) description += ' ';
        description += value;
    }

    void parameter(std::string_view value, int number) {
        const auto description = find_description(value);
        auto words = words_of(value.substr(0, description));
        if (!words) return fault(number, "a quote has no end");
        constexpr const char* form =
            "It looks like: -- param: limit integer = 3 min 1 max 100 -- how many rows";
        if (words->size() < 2) return fault(number, "param without a name and a type", form);
        Parameter parameter{.name = words->front().text};
        if (!is_name(parameter.name)) {
            return fault(number, fmt::format("name \"{}\" is not valid", parameter.name), form);
        }
        // Options of the command that runs reports, and what every request may have.
        constexpr std::array<std::string_view, 8> reserved{
            "all", "config", "export", "format", "help", "min_lsn", "param", "version"};
        if (std::ranges::find(reserved, parameter.name) != reserved.end()) {
            return fault(
                number, fmt::format("a parameter may not be called \"{}\"", parameter.name)
            );
        }
        if (definition_.report.find_parameter(parameter.name) != nullptr) {
            return fault(number, fmt::format("parameter \"{}\" is given twice", parameter.name));
        }
        const auto type = type_of((*words)[1].text);
        if (!type) {
            return fault(
                number,
                fmt::format("unknown type \"{}\"", (*words)[1].text),
                "Known are text, integer, number, boolean, date and timestamp."
            );
        }
        parameter.type = *type;
        if (description < value.size()) {
            parameter.description = trimmed(value.substr(description + 2));
        }
        words->erase(words->begin(), words->begin() + 2);
        auto wrong = ClauseReader{parameter, std::move(*words)}.run();
        if (wrong.empty()) wrong = contradiction_of(parameter);
        if (!wrong.empty()) {
            fault(number, fmt::format("parameter \"{}\": {}", parameter.name, wrong), form);
        }
        // Kept all the same, so that its use is no second fault.
        definition_.report.parameters.push_back(std::move(parameter));
        definition_.parameter_lines.push_back(number);
    }

    Definition definition_;
};

}  // namespace

Definition read_definition(std::string_view text) {
    return Reader{}.run(text);
}

}  // namespace pgchronicle::reports
