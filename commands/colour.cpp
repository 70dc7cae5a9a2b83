#include "commands/colour.hpp"

#include <cstdlib>
#include <unistd.h>

namespace pgchronicle::commands {
namespace {

/// Source: ECMA-48, SGR.
std::string_view sequence_of(Style style) {
    switch (style) {
    case Style::plain:
        return "";
    case Style::bold:
        return "\x1B[1m";
    case Style::red:
        return "\x1B[31m";
    case Style::green:
        return "\x1B[32m";
    case Style::yellow:
        return "\x1B[33m";
    }
    return "";
}

/// Read before any thread is started.
std::string_view environment(const char* name) {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    return value == nullptr ? "" : value;
}

}  // namespace

bool stdout_shows_colours() {
    return ::isatty(STDOUT_FILENO) == 1 && environment("NO_COLOR").empty() &&
           environment("TERM") != "dumb";
}

std::string styled(std::string_view text, Style style, bool colours) {
    if (!colours || style == Style::plain || text.empty()) return std::string{text};
    return std::string{sequence_of(style)} + std::string{text} + "\x1B[0m";
}

}  // namespace pgchronicle::commands
