#pragma once

#include "config/settings.hpp"
#include "following/change.hpp"
#include "following/position.hpp"
#include "pq/connection.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::following {

/// What operation_type may hold.
inline constexpr std::array operations{
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REKEY",
    "SNAPSHOT",
    "RECONCILE",
    "REWRITE"};

struct FollowOptions {
    std::vector<std::string> tables{};      ///< schema.table or table, with * and ?; none: all.
    std::vector<std::string> operations{};  ///< None: all.
    /// The rows that were copied, too. Implied by the operation SNAPSHOT and by `from` being the
    /// beginning.
    bool snapshot{false};
    /// Where to begin: right after it; none: with what comes after the first call of `next`.
    std::optional<Position> from{};
    /// A page ends after so many changes, or so many bytes of rows; one row may be larger.
    std::size_t page_rows{1000};
    std::size_t page_bytes{4U << 20U};
    /// Called with a table's name before the index is made that following it takes, once it is
    /// large; that may take minutes.
    std::function<void(const std::string&)> on_index{};
    /// Where the index is missing and cannot be made, read without it: each look at the table reads
    /// all of it. Otherwise `next` throws.
    bool without_index{false};
};

/// Reads the changes of a history in their order: by LSN and seq, tables merged, the end of a key
/// before the beginning of the other.
///
/// Shows only what the target has on disk, and nothing that may still change its place: while a
/// table that is followed waits for a comparison with the source (or, with `snapshot`, for its
/// copy), and from the first version on that waits for a value that only the copy knows, there is
/// nothing to show. Tables that come from imports are not followed. Thread: one.
class Follower {
public:
    Follower(const config::Settings& settings, FollowOptions options);
    ~Follower();
    Follower(Follower&&) noexcept;
    Follower& operator=(Follower&&) noexcept;

    /// The next changes, one page; none where nothing is there yet: ask again after
    /// `poll_interval`. Does not wait, and leaves no transaction open. Large groups of changes with
    /// one seq are read through a cursor WITH HOLD of the connection: go on with the same one, or
    /// it begins the group again by itself.
    /// Throws reading::Error (not_found: no such table; not_ready: nothing runs here yet, or the
    /// target was made by an older version), pq::Error; can be called again after either.
    [[nodiscard]] std::vector<Change> next(pq::Connection& target);

    /// Behind everything that `next` has given, and all that it looked at in vain. None before the
    /// first call, where `from` was none.
    [[nodiscard]] const std::optional<Position>& position() const;
    /// Whether the last `next` has left nothing that may be shown now.
    [[nodiscard]] bool caught_up() const;
    /// Whether it showed nothing because something may still come before: a copy or a comparison is
    /// under way, or an index is being made.
    [[nodiscard]] bool held() const;
    /// Up to where the last `next` might show changes: 0/0 before it.
    [[nodiscard]] pgoutput::Lsn horizon() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// How long to wait where `next` gave nothing: a question to the target costs about 0.1 ms.
inline constexpr std::chrono::milliseconds poll_interval{50};

}  // namespace pgchronicle::following
