#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What a client asks for, taken apart. Text only, no I/O. Throws Refusal (400) for what is no
// request of ours.

namespace pgchronicle::http {

/// The part behind "?": names and values, decoded, in order.
class Query {
public:
    Query() = default;
    explicit Query(std::vector<std::pair<std::string, std::string>> items)
        : items_{std::move(items)} {}

    /// The value of that name; an error where it is given twice.
    [[nodiscard]] std::optional<std::string> one(std::string_view name) const;
    /// Every value of that name, in order.
    [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
    /// A whole number from `least` to `most`; `fallback` where it is not given.
    [[nodiscard]] std::uint64_t number(
        std::string_view name,
        std::uint64_t fallback,
        std::uint64_t least,
        std::uint64_t most
    ) const;
    /// An error for any other name than these.
    void only(std::initializer_list<std::string_view> names) const;
    void only(const std::vector<std::string>& names) const;
    /// The same without this name, which is not part of what is asked for.
    [[nodiscard]] Query without(std::string_view name) const;

    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& items() const {
        return items_;
    }

private:
    std::vector<std::pair<std::string, std::string>> items_;
};

/// A path and query as sent, decoded. "/" has no segment.
struct Target {
    std::vector<std::string> path;
    Query query;
};

/// Longest target that is read, in bytes.
inline constexpr std::size_t target_bytes_max = 4096;

/// Refuses what is neither in origin form nor in absolute form, has wrong escapes, NUL, control
/// characters or bytes that are not UTF-8, and segments that are "." or "..", spelt as they may be.
/// A slash that is escaped is part of a segment.
[[nodiscard]] Target parse_target(std::string_view text);

/// Decodes %XX, and "+" where `plus_is_space`; nothing for wrong escapes.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

/// For values that are to stand in a target.
[[nodiscard]] std::string percent_encode(std::string_view text);

/// A token that a client hands back as it was given: base64url without padding.
[[nodiscard]] std::string to_token(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_token(std::string_view token);

/// A request as the endpoints see it.
struct Request {
    std::string method;  ///< As sent: GET
    std::string target;  ///< As sent; the log shows it.
    std::vector<std::string> path;
    Query query;
    std::vector<std::string> captured{};  ///< What stands for the {names} of the route's path.
    std::optional<std::string> host{};    ///< None: an old client names none.
    std::string if_none_match{};
    std::string accept_encoding{};
    std::string origin{};
    std::string last_event_id{};

    [[nodiscard]] bool is_read() const { return method == "GET" || method == "HEAD"; }
};

/// Whether a client takes gzip: Accept-Encoding names it, or everything, and not with q=0.
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding);

/// Whether If-None-Match names the tag, weak or not, or is "*".
[[nodiscard]] bool names_tag(std::string_view if_none_match, std::string_view tag);

}  // namespace pgchronicle::http
