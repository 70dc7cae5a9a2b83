#include "config/map_reader.hpp"

#include "config/suggest.hpp"
#include "config/units.hpp"

#include <algorithm>

namespace pgchronicle::config {

namespace {

const DocumentNode empty_map{DocumentNode::Kind::map, 1, {}, {}, {}};

std::string describe(DocumentNode::Kind kind) {
    switch (kind) {
    case DocumentNode::Kind::null:
        return "nothing";
    case DocumentNode::Kind::scalar:
        return "a single value";
    case DocumentNode::Kind::list:
        return "a list";
    case DocumentNode::Kind::map:
        return "a mapping";
    }
    return "nothing";
}

std::string join(std::span<const std::string> words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

/// True for what could be a key of ours; anything else may be a misplaced secret.
bool is_plain_word(std::string_view text) {
    constexpr std::size_t longest = 40;
    const auto is_plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.';
    };
    return !text.empty() && text.size() <= longest &&
           std::all_of(text.begin(), text.end(), is_plain);
}

std::string joined_path(const std::string& section, std::string_view key) {
    return section.empty() ? std::string{key} : section + '.' + std::string{key};
}

}  // namespace

void Reading::report(
    int line,
    std::string key,
    std::string message,
    std::string detail,
    std::string hint
) {
    problems.push_back(
        {file, line, std::move(key), std::move(message), std::move(detail), std::move(hint)}
    );
}

void Reading::report_unknown_keys() {
    for (const auto& [section, key, line] : unknown) {
        if (!is_plain_word(key)) {
            report(line, section, "unknown key");
            continue;
        }
        std::vector<std::string> siblings;
        std::string elsewhere;
        for (const auto& path : known) {
            const auto dot = path.rfind('.');
            const auto parent = dot == std::string::npos ? "" : path.substr(0, dot);
            const auto name = dot == std::string::npos ? path : path.substr(dot + 1);
            if (parent == section) siblings.push_back(name);
            if (name == key && elsewhere.empty()) elsewhere = path;
        }
        std::string hint;
        if (const auto guess = nearest(key, siblings)) {
            hint = "Did you mean " + quoted(*guess) + "?";
        } else if (!elsewhere.empty()) {
            hint = "Did you mean " + quoted(elsewhere) + "?";
        }
        report(line, joined_path(section, key), "unknown key", {}, std::move(hint));
    }
    unknown.clear();
}

MapReader::MapReader(Reading& reading, const DocumentNode& map, std::string path, int line)
    : reading_{&reading}, map_{&map}, path_{std::move(path)}, line_{line} {
    if (map.kind == DocumentNode::Kind::null) map_ = &empty_map;
    if (map_->kind != DocumentNode::Kind::map) {
        reading.report(
            line_,
            path_,
            "expected a mapping, found " + describe(map_->kind),
            {},
            "Write \"key: value\" lines, indented, with a space after each colon."
        );
        wrong_ = true;
        map_ = &empty_map;
    }
    // The first of two wins, so that what is said later is about one value only.
    std::map<std::string_view, int> first_line;
    for (const auto& entry : map_->entries) {
        const auto [first, is_new] = first_line.emplace(entry.key, entry.line);
        if (is_new) {
            reading.lines.emplace(path_of(entry.key), entry.line);
        } else {
            reading.report(
                entry.line,
                is_plain_word(entry.key) ? path_of(entry.key) : path_,
                "duplicate key",
                "It is given at line " + std::to_string(first->second) + " first."
            );
        }
    }
}

std::string MapReader::path_of(std::string_view key) const {
    return joined_path(path_, key);
}

const Entry* MapReader::find(std::string_view key) const {
    const auto entry =
        std::find_if(map_->entries.begin(), map_->entries.end(), [key](const Entry& candidate) {
            return candidate.key == key;
        });
    return entry == map_->entries.end() ? nullptr : &*entry;
}

const Entry* MapReader::take(std::string_view key) {
    reading_->known.insert(path_of(key));
    taken_.emplace(key);
    return find(key);
}

bool MapReader::has(std::string_view key) const {
    return find(key) != nullptr;
}

void MapReader::report(
    std::string_view key,
    std::string message,
    std::string detail,
    std::string hint
) {
    const auto* const entry = find(key);
    reading_->report(
        entry != nullptr ? entry->line : line_,
        path_of(key),
        std::move(message),
        std::move(detail),
        std::move(hint)
    );
}

MapReader MapReader::section(std::string_view key) {
    const auto* const entry = take(key);
    if (entry != nullptr) return {*reading_, entry->value, path_of(key), entry->line};
    MapReader absent{*reading_, empty_map, path_of(key), line_};
    absent.wrong_ = wrong_;
    return absent;
}

std::optional<Scalar>
MapReader::scalar_of(const DocumentNode& node, int line, const std::string& path) {
    if (node.kind == DocumentNode::Kind::null) {
        reading_->report(line, path, "key has no value");
        return std::nullopt;
    }
    if (node.kind != DocumentNode::Kind::scalar) {
        reading_->report(line, path, "expected a single value, found " + describe(node.kind));
        return std::nullopt;
    }
    auto expansion = expand(node.text, reading_->environment);
    for (const auto& name : expansion.unset) {
        reading_->report(
            line,
            path,
            "environment variable \"" + name + "\" is not set",
            {},
            "Set it, or write $$ where a dollar sign itself is meant."
        );
    }
    if (expansion.malformed) {
        reading_->report(
            line,
            path,
            "malformed variable reference",
            {},
            "Write ${NAME}, or $$ where a dollar sign itself is meant."
        );
    }
    if (expansion.malformed || !expansion.unset.empty()) return std::nullopt;
    if (expansion.text.find('\0') != std::string::npos) {
        reading_->report(line, path, "value holds a zero byte");
        return std::nullopt;
    }
    return Scalar{node.text, std::move(expansion.text), line};
}

std::optional<Scalar> MapReader::scalar(std::string_view key) {
    const auto* const entry = take(key);
    if (entry == nullptr) return std::nullopt;
    return scalar_of(entry->value, entry->line, path_of(key));
}

void MapReader::text(std::string_view key, std::string& target) {
    auto given = scalar(key);
    if (!given) return;
    if (given->text.empty()) {
        report(key, "value must not be empty");
        return;
    }
    target = std::move(given->text);
}

void MapReader::duration(std::string_view key, std::chrono::milliseconds& target) {
    const auto given = scalar(key);
    if (!given) return;
    if (const auto value = parse_duration(given->text)) {
        target = *value;
        return;
    }
    report(
        key,
        "invalid duration " + quoted(given->raw),
        {},
        "Write a whole number and a unit: 50ms, 2s, 5min or 1h."
    );
}

void MapReader::size(std::string_view key, std::uint64_t& target) {
    const auto given = scalar(key);
    if (!given) return;
    if (const auto value = parse_size(given->text)) {
        target = *value;
        return;
    }
    report(
        key,
        "invalid size " + quoted(given->raw),
        {},
        "Write a whole number and a unit: 512KiB, 32MiB or 1GiB; without a unit it is bytes."
    );
}

void MapReader::count(std::string_view key, std::uint64_t& target) {
    const auto given = scalar(key);
    if (!given) return;
    if (const auto value = parse_count(given->text)) {
        target = *value;
        return;
    }
    report(key, "invalid number " + quoted(given->raw), {}, "Write a whole number, as 50000.");
}

void MapReader::list(std::string_view key, std::vector<std::string>& target) {
    const auto* const entry = take(key);
    if (entry == nullptr) return;
    std::vector<std::string> values;
    const auto add = [&](const DocumentNode& item, int line, const std::string& path) {
        auto given = scalar_of(item, line, path);
        if (given && given->text.empty()) reading_->report(line, path, "value must not be empty");
        if (given) values.push_back(std::move(given->text));
    };
    if (entry->value.kind != DocumentNode::Kind::list) {
        add(entry->value, entry->line, path_of(key));
    }
    std::size_t index = 0;
    for (const auto& item : entry->value.items) {
        const auto path = path_of(key) + '[' + std::to_string(index++) + ']';
        reading_->lines.emplace(path, item.line);
        add(item, item.line, path);
    }
    target = std::move(values);
}

void MapReader::names(std::string_view key, std::map<std::string, std::string>& target) {
    auto map = section(key);
    for (const auto& name : map.own_names()) {
        auto given = map.scalar(name);
        if (given) target.emplace(name, std::move(given->text));
    }
}

void MapReader::refuse_word(
    std::string_view key,
    const Scalar& given,
    std::span<const std::string> allowed
) {
    std::string hint = "Allowed: " + join(allowed) + ".";
    if (const auto guess = nearest(given.raw, allowed)) {
        hint = "Did you mean \"" + *guess + "\"? " + hint;
    }
    report(key, "invalid value " + quoted(given.raw), {}, std::move(hint));
}

void MapReader::unsupported(std::string_view key) {
    taken_.emplace(key);
    if (has(key)) report(key, "not supported by this version", {}, "Remove the key.");
}

void MapReader::supports_only(std::string_view key, std::string_view word) {
    const auto given = scalar(key);
    if (!given || given->text == word) return;
    report(
        key,
        quoted(given->raw) + " is not supported by this version",
        {},
        "Allowed: " + std::string{word} + "."
    );
}

void MapReader::require(std::string_view key) {
    if (!wrong_ && !has(key)) report(key, "missing required key");
}

std::vector<std::string> MapReader::own_names() {
    std::vector<std::string> names;
    for (const auto& entry : map_->entries) {
        if (taken_.contains(entry.key)) continue;
        names.push_back(entry.key);
        taken_.insert(entry.key);
    }
    return names;
}

MapReader MapReader::own_section(const std::string& name) {
    const auto* const entry = find(name);
    if (entry == nullptr) return {*reading_, empty_map, path_of(name), line_};
    return {*reading_, entry->value, path_of(name), entry->line};
}

void MapReader::finish() {
    for (const auto& entry : map_->entries) {
        if (!taken_.contains(entry.key))
            reading_->unknown.push_back({path_, entry.key, entry.line});
    }
}

}  // namespace pgchronicle::config
