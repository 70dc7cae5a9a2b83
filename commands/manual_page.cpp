#include "commands/command_line_texts.hpp"
#include "commands/described_commands.hpp"

#include <fmt/format.h>

namespace pgchronicle::commands {
namespace {

constexpr const char* program = "pgchronicle";

/// Text as roff takes it: no escape, no request at a line's start, hyphens that can be copied.
std::string roff(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else {
            out += c;
        }
    }
    return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

std::string sentence(const std::string& text) {
    return text.empty() || text.ends_with('.') ? text : text + ".";
}

/// [--param PARAM]... KEY...
std::string synopsis_of(const DescribedOption& option) {
    std::string text = option.names.empty() ? "\\fI" + roff(option.value) + "\\fR"
                                            : "\\fB" + roff(option.names.front()) + "\\fR";
    if (!option.names.empty() && !option.value.empty()) {
        text += " \\fI" + roff(option.value) + "\\fR";
    }
    if (!option.required) text = "[" + text + "]";
    return option.repeated ? text + "..." : text;
}

std::string option_text(const DescribedOption& option) {
    std::string head;
    for (const auto& name : option.names) {
        head += (head.empty() ? "\\fB" : ", \\fB") + roff(name) + "\\fR";
    }
    if (!option.value.empty()) {
        head += (head.empty() ? "\\fI" : " \\fI") + roff(option.value) + "\\fR";
    }
    std::string words;
    for (const auto& word : option.words) words += (words.empty() ? "" : ", ") + word;
    if (!words.empty()) words = " One of " + words + ".";
    return fmt::format(".TP\n{}\n{}{}\n", head, roff(sentence(option.description)), roff(words));
}

void append_command(std::string& out, const DescribedCommand& command) {
    if (command.commands.empty()) {
        std::string usage = "\\fB" + roff(command.path) + "\\fR";
        // What goes without saying would hide what does not.
        for (const auto& option : command.options) {
            const auto& name = option.names.empty() ? option.value : option.names.front();
            if (name != "--config" && name != "--help") usage += " " + synopsis_of(option);
        }
        const auto begun = std::string{program}.size() + 1;
        out += fmt::format(
            ".SS {}\n{}\n.PP\n{}\n",
            roff(command.path.substr(begun)),
            usage,
            roff(sentence(command.description))
        );
        for (const auto& option : command.options) {
            const auto& name = option.names.empty() ? option.value : option.names.front();
            if (name != "--config" && name != "--help") out += option_text(option);
        }
        return;
    }
    for (const auto& below : command.commands) append_command(out, below);
}

constexpr const char* ending = R"(.SH EXIT STATUS
.TP
0
Done.
.TP
1
A check or a verification failed, or nothing was found.
.TP
2
Wrong usage or configuration.
.TP
3
It needs an operator.
.TP
4
It may pass by itself; retries are exhausted.
.SH ENVIRONMENT
.TP
\fBNO_COLOR\fR
No colours, on a terminal either.
.TP
\fBPGPASSFILE\fR, \fBPGSERVICEFILE\fR, ...
As with every program that uses libpq.
.SH FILES
.I ./pgchronicle.yaml
.br
.I /etc/pgchronicle/pgchronicle.yaml
)";

}  // namespace

std::string manual_page(const CLI::App& app) {
    const auto root = describe(app, program);
    std::string version = app.version();
    if (version.empty()) version = program;
    std::string out = fmt::format(
        ".TH PGCHRONICLE 1 \"\" \"{}\" \"User Commands\"\n"
        ".SH NAME\npgchronicle \\- the history of every row of a PostgreSQL database\n"
        ".SH SYNOPSIS\n\\fBpgchronicle\\fR \\fICOMMAND\\fR [\\fB\\-\\-config\\fR \\fIFILE\\fR] "
        "[\\fIOPTIONS\\fR]\n"
        ".SH DESCRIPTION\n{}\n.SH OPTIONS\nOf every command that reads the configuration:\n",
        version,
        roff(sentence(root.description))
    );
    for (const auto& option : root.options) out += option_text(option);
    out += ".SH COMMANDS\n";
    for (const auto& command : root.commands) append_command(out, command);
    return out + ending;
}

}  // namespace pgchronicle::commands
