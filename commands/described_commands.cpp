#include "commands/described_commands.hpp"

#include <algorithm>
#include <cctype>

namespace pgchronicle::commands {
namespace {

/// CLI11 tells the words that it takes in the type: TEXT:{bash,zsh,fish}.
std::vector<std::string> words_of(const std::string& type) {
    std::vector<std::string> words;
    const auto begin = type.find('{');
    const auto end = type.find('}');
    if (begin == std::string::npos || end == std::string::npos) return words;
    for (std::size_t at = begin + 1; at < end;) {
        const auto comma = std::min(type.find(',', at), end);
        words.push_back(type.substr(at, comma - at));
        at = comma + 1;
    }
    return words;
}

std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) {
        return c == '-' ? '_' : static_cast<char>(std::toupper(c));
    });
    return text;
}

DescribedOption describe_option(const CLI::Option& option) {
    DescribedOption described;
    for (const auto& name : option.get_lnames()) described.names.push_back("--" + name);
    for (const auto& name : option.get_snames()) described.names.push_back("-" + name);
    if (option.get_items_expected_max() != 0) {
        described.value = upper(option.get_single_name());
        described.words = words_of(option.get_type_name());
    }
    described.description = option.get_description();
    described.required = option.get_required();
    described.repeated = option.get_items_expected_max() > 1;
    return described;
}

}  // namespace

DescribedCommand describe(const CLI::App& app, const std::string& path) {
    DescribedCommand command{
        .path = path,
        .name = app.get_name().empty() ? path : app.get_name(),
        .description = app.get_description(),
        .options = {},
        .commands = {},
    };
    for (const auto* option : app.get_options()) {
        command.options.push_back(describe_option(*option));
    }
    for (const auto* below : app.get_subcommands([](const CLI::App*) { return true; })) {
        command.commands.push_back(describe(*below, path + " " + below->get_name()));
    }
    return command;
}

}  // namespace pgchronicle::commands
