#include "commands/command_line_texts.hpp"
#include "commands/described_commands.hpp"

#include <fmt/format.h>

#include <functional>

namespace pgchronicle::commands {
namespace {

constexpr const char* program = "pgchronicle";

using Visit = std::function<void(const DescribedCommand&)>;

void each_command(const DescribedCommand& command, const Visit& visit) {
    visit(command);
    for (const auto& below : command.commands) each_command(below, visit);
}

std::string join(const std::vector<std::string>& words) {
    std::string list;
    for (const auto& word : words) list += (list.empty() ? "" : " ") + word;
    return list;
}

using VisitValue = std::function<void(const std::string& before, const std::string& words)>;

/// For each option's value: the command and the option that stand before it, and the words that it
/// may be. Without known words it is completed as a file.
void each_value(const DescribedCommand& root, const VisitValue& visit) {
    each_command(root, [&](const DescribedCommand& command) {
        for (const auto& option : command.options) {
            if (option.value.empty()) continue;
            for (const auto& name : option.names) {
                visit(command.path + " " + name, join(option.words));
            }
        }
    });
}

/// 'it'\''s', as every shell reads it but fish, which reads 'it\'s'.
std::string single_quoted(const std::string& text, const char* quote) {
    std::string quoted{"'"};
    for (const char c : text) {
        if (c == '\'') {
            quoted += quote;
        } else {
            quoted += c;
        }
    }
    return quoted + "'";
}

/// What may come next after a command, besides files.
std::vector<std::string> candidates(const DescribedCommand& command) {
    std::vector<std::string> words;
    for (const auto& below : command.commands) words.push_back(below.name);
    for (const auto& option : command.options) {
        words.insert(words.end(), option.names.begin(), option.names.end());
        if (option.names.empty()) {
            words.insert(words.end(), option.words.begin(), option.words.end());
        }
    }
    return words;
}

/// Patterns of a case, for the paths of all commands below the program.
std::string paths_pattern(const DescribedCommand& root) {
    std::string pattern;
    each_command(root, [&](const DescribedCommand& command) {
        if (command.path == program) return;
        pattern += (pattern.empty() ? "'" : " | '") + command.path + "'";
    });
    return pattern;
}

std::string bash_text(const DescribedCommand& root) {
    std::string text = fmt::format(
        "# bash completion of pgchronicle, made by \"pgchronicle completion bash\".\n"
        "_pgchronicle() {{\n"
        "    local word path={} current=${{COMP_WORDS[COMP_CWORD]}} candidates=''\n"
        "    local previous=${{COMP_WORDS[COMP_CWORD - 1]}}\n"
        "    COMPREPLY=()\n"
        "    for word in \"${{COMP_WORDS[@]:1:COMP_CWORD - 1}}\"; do\n"
        "        case \"$path $word\" in\n"
        "            {}) path=\"$path $word\" ;;\n"
        "        esac\n"
        "    done\n"
        "    case \"$path $previous\" in\n",
        program,
        paths_pattern(root)
    );
    each_value(root, [&](const std::string& before, const std::string& words) {
        text += fmt::format("        '{}') candidates='{}' ;;\n", before, words);
    });
    text += "        *)\n            case $path in\n";
    each_command(root, [&](const DescribedCommand& command) {
        text += fmt::format(
            "                '{}') candidates='{}' ;;\n", command.path, join(candidates(command))
        );
    });
    return text +
           "            esac\n"
           "            ;;\n"
           "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$candidates\" -- \"$current\")\n"
           "}\n"
           "complete -o default -F _pgchronicle pgchronicle\n";
}

/// An entry of _describe: the colon parts word and description.
std::string zsh_entry(const std::string& word, const std::string& description) {
    return single_quoted(word + ":" + description, "'\\''");
}

std::string zsh_text(const DescribedCommand& root) {
    std::string text = fmt::format(
        "#compdef pgchronicle\n"
        "# zsh completion of pgchronicle, made by \"pgchronicle completion zsh\".\n"
        "_pgchronicle() {{\n"
        "    local word command_path={} previous=${{words[CURRENT - 1]}}\n"
        "    local -a candidates\n"
        "    for word in \"${{(@)words[2,CURRENT - 1]}}\"; do\n"
        "        case \"$command_path $word\" in\n"
        "            ({}) command_path=\"$command_path $word\" ;;\n"
        "        esac\n"
        "    done\n"
        "    case \"$command_path $previous\" in\n",
        program,
        paths_pattern(root)
    );
    each_value(root, [&](const std::string& before, const std::string& words) {
        text += fmt::format("        ('{}') candidates=({}) ;;\n", before, words);
    });
    text += "        (*)\n            case $command_path in\n";
    each_command(root, [&](const DescribedCommand& command) {
        text += fmt::format("                ('{}') candidates=(\n", command.path);
        for (const auto& below : command.commands) {
            text += "                    " + zsh_entry(below.name, below.description) + "\n";
        }
        for (const auto& option : command.options) {
            for (const auto& word : option.names.empty() ? option.words : option.names) {
                text += "                    " + zsh_entry(word, option.description) + "\n";
            }
        }
        text += "                ) ;;\n";
    });
    return text +
           "            esac\n"
           "            ;;\n"
           "    esac\n"
           "    (( ${#candidates} )) && _describe pgchronicle candidates || _files\n"
           "}\n"
           "if [[ ${funcstack[1]} == _pgchronicle ]]; then\n"
           "    _pgchronicle \"$@\"\n"
           "else\n"
           "    compdef _pgchronicle pgchronicle\n"
           "fi\n";
}

/// Whether the words so far are those of a command's path, and none of a command below it.
std::string fish_condition(const DescribedCommand& command) {
    std::string condition;
    const auto add = [&](const std::string& part) {
        condition += (condition.empty() ? "" : "; and ") + part;
    };
    const auto path = command.path + " ";
    for (auto at = path.find(' ') + 1; at < path.size(); at = path.find(' ', at) + 1) {
        add("__fish_seen_subcommand_from " + path.substr(at, path.find(' ', at) - at));
    }
    std::string below;
    for (const auto& one : command.commands) below += " " + one.name;
    if (!below.empty()) add("not __fish_seen_subcommand_from" + below);
    return condition.empty() ? "true" : condition;
}

std::string fish_text(const DescribedCommand& root) {
    std::string text{
        "# fish completion of pgchronicle, made by \"pgchronicle completion fish\".\n"};
    const auto quoted = [](const std::string& words) { return single_quoted(words, "\\'"); };
    each_command(root, [&](const DescribedCommand& command) {
        const auto begin =
            fmt::format("complete -c {} -n {}", program, quoted(fish_condition(command)));
        for (const auto& below : command.commands) {
            text +=
                fmt::format("{} -f -a {} -d {}\n", begin, below.name, quoted(below.description));
        }
        for (const auto& option : command.options) {
            std::string line = begin;
            for (const auto& name : option.names) {
                line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
            }
            if (option.names.empty() && option.words.empty()) continue;
            if (!option.names.empty() && !option.value.empty()) line += " -r";
            if (!option.words.empty()) line += " -f -a " + quoted(join(option.words));
            text += line + " -d " + quoted(option.description) + "\n";
        }
    });
    return text;
}

}  // namespace

std::string completion_text(const CLI::App& app, const std::string& shell) {
    const auto root = describe(app, program);
    if (shell == "zsh") return zsh_text(root);
    if (shell == "fish") return fish_text(root);
    return bash_text(root);
}

}  // namespace pgchronicle::commands
