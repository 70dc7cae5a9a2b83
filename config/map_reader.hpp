#pragma once

#include "config/document.hpp"
#include "config/error.hpp"
#include "config/expand.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgchronicle::config {

/// What reading one document has gathered so far.
struct Reading {
    std::string file;
    Environment environment;
    std::vector<Problem> problems;
    std::set<std::string> known;       ///< Path of every key that could have been given.
    std::map<std::string, int> lines;  ///< Path of every key and list item given, to its line.
    bool holds_password{false};        ///< A password stands in the file itself.

    /// A key that nobody asked for; judged when all known keys are known.
    struct Unknown {
        std::string section;
        std::string key;
        int line{0};
    };
    std::vector<Unknown> unknown;

    void report(
        int line,
        std::string key,
        std::string message,
        std::string detail = {},
        std::string hint = {}
    );

    /// Turns the unknown keys into problems that say what may have been meant.
    void report_unknown_keys();
};

/// A value with its variables expanded, and where it stood.
struct Scalar {
    std::string raw;   ///< As in the file: what error messages quote.
    std::string text;  ///< Expanded: what is used, and for a secret never quoted.
    int line{0};
};

/// Hands out the keys of one map, each read at most once, and notes the problems.
///
/// A reader leaves its target alone when the key is absent or wrong, so defaults stay.
/// Form is judged here; whether values make sense, alone and together, is judged by `validate`.
class MapReader {
public:
    /// Reads `map` if it is one; nothing at all counts as an empty map.
    MapReader(Reading& reading, const DocumentNode& map, std::string path, int line);

    /// The map under `key`; an empty one when the key is absent.
    [[nodiscard]] MapReader section(std::string_view key);

    /// The value under `key`, if it is one word or text; else nothing, and a problem if given.
    [[nodiscard]] std::optional<Scalar> scalar(std::string_view key);

    void text(std::string_view key, std::string& target);
    void duration(std::string_view key, std::chrono::milliseconds& target);
    void size(std::string_view key, std::uint64_t& target);
    void count(std::string_view key, std::uint64_t& target);
    /// One value or a list of values.
    void list(std::string_view key, std::vector<std::string>& target);
    /// Every key of the map under `key` with its value.
    void names(std::string_view key, std::map<std::string, std::string>& target);

    /// The enumerator whose word is given.
    template <typename Enum, std::size_t size>
    void word(
        std::string_view key,
        const std::array<std::pair<std::string_view, Enum>, size>& words,
        Enum& target
    ) {
        const auto given = scalar(key);
        if (!given) return;
        std::vector<std::string> allowed;
        for (const auto& [name, enumerator] : words) {
            if (given->text == name) {
                target = enumerator;
                return;
            }
            allowed.emplace_back(name);
        }
        refuse_word(key, *given, allowed);
    }

    /// Refuses a key that is reserved for what this version cannot do.
    void unsupported(std::string_view key);
    /// The same for a key whose default, `word`, is all that this version can do.
    void supports_only(std::string_view key, std::string_view word);

    /// Notes a problem if the key was not given at all.
    void require(std::string_view key);

    [[nodiscard]] bool has(std::string_view key) const;

    /// Keys that are names of the user's own, as of `tables.overrides`.
    [[nodiscard]] std::vector<std::string> own_names();
    [[nodiscard]] MapReader own_section(const std::string& name);

    /// Call last: whatever is left is unknown.
    void finish();

    void report(
        std::string_view key,
        std::string message,
        std::string detail = {},
        std::string hint = {}
    );

private:
    [[nodiscard]] std::string path_of(std::string_view key) const;
    [[nodiscard]] const Entry* take(std::string_view key);
    [[nodiscard]] const Entry* find(std::string_view key) const;
    [[nodiscard]] std::optional<Scalar>
    scalar_of(const DocumentNode& node, int line, const std::string& path);
    void
    refuse_word(std::string_view key, const Scalar& given, std::span<const std::string> allowed);

    Reading* reading_;
    const DocumentNode* map_;
    std::string path_;
    int line_;
    bool wrong_{false};  ///< Not a map, which was said; do not add that its keys are missing.
    std::set<std::string, std::less<>> taken_;
};

}  // namespace pgchronicle::config
