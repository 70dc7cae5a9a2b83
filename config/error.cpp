#include "config/error.hpp"

#include <cstddef>
#include <utility>

namespace pgchronicle::config {

namespace {

/// Enough to recognise a value by, short enough for one line.
constexpr std::size_t quoted_bytes_max = 64;

/// Names of tables stand in keys, and may hold what begins a line.
std::string on_one_line(std::string_view text) {
    std::string line{text};
    for (char& c : line) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20U || byte == 0x7FU) c = '?';
    }
    return line;
}

std::string join(const std::vector<Problem>& problems) {
    std::string text;
    for (const auto& problem : problems) {
        if (!text.empty()) text += '\n';
        text += to_string(problem);
    }
    return text;
}

}  // namespace

std::string quoted(std::string_view text) {
    std::string result = '"' + on_one_line(text.substr(0, quoted_bytes_max));
    if (text.size() > quoted_bytes_max) result += "...";
    return result + '"';
}

std::string to_string(const Problem& problem) {
    std::string text = problem.file;
    if (problem.line > 0) text += (text.empty() ? "line " : ":") + std::to_string(problem.line);
    if (!text.empty()) text += ": ";
    if (!problem.key.empty()) text += on_one_line(problem.key) + ": ";
    text += problem.message;
    if (!problem.detail.empty()) text += "\nDETAIL:  " + problem.detail;
    if (!problem.hint.empty()) text += "\nHINT:  " + problem.hint;
    return text;
}

ConfigError::ConfigError(std::vector<Problem> problems)
    : std::runtime_error{join(problems)}, problems_{std::move(problems)} {}

}  // namespace pgchronicle::config
