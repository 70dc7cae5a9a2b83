#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pgchronicle::commands {

/// How a program ended.
struct ProgramEnd {
    int exit_code{0};
    std::optional<int> signal{};

    [[nodiscard]] bool succeeded() const { return exit_code == 0 && !signal; }
    /// What a shell says of a command that is not there, or is no program.
    [[nodiscard]] bool not_found() const;
    /// "ended with 1", "was ended by signal 9".
    [[nodiscard]] std::string text() const;
};

/// Runs `command` in a shell with `input` on its standard input, and waits for its end. What it
/// prints goes where ours does. It may leave its input unread. Ctrl-C does not reach it, so that it
/// can finish; it dies with the thread that called this.
/// Throws std::system_error where no process can be made. The caller must have SIGPIPE ignored.
[[nodiscard]] ProgramEnd run_program(const std::string& command, std::string_view input);

}  // namespace pgchronicle::commands
