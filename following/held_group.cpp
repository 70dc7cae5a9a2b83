#include "following/held_group.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <utility>

namespace pgchronicle::following {

namespace {

/// Nothing is known of the rows' size yet: as many of them as fit when each has 64 KiB.
constexpr std::size_t first_guess_bytes = 64U << 10U;

/// Unlike those of other followers that had the connection before.
std::string new_cursor_name() {
    static std::atomic<unsigned> last{0};
    return fmt::format("pgchronicle_follow_{}", ++last);
}

/// Right before a seq, so that all of it comes after.
Position before(const Position& at) {
    return {at.lsn, at.seq, 0};
}

std::size_t size_of(const Change& change) {
    std::size_t bytes = 0;
    for (const auto& value : change.values) bytes += value ? value->size() : 0;
    return bytes;
}

}  // namespace

HeldGroup::HeldGroup(
    std::vector<FollowedTable> tables,
    Wanted wanted,
    const Position& at,
    const Position& seen,
    Shown shown
)
    : tables_{std::move(tables)},
      wanted_{std::move(wanted)},
      shown_{std::move(shown)},
      range_{before(at), at},
      seen_{seen.lsn == at.lsn && seen.seq == at.seq && seen.nth != Position::all ? seen.nth : 0},
      bytes_each_{first_guess_bytes} {}

void HeldGroup::count(pq::Connection& target) {
    std::vector<std::string> statements;
    for (const auto& table : tables_) statements.push_back(count_sql(table, wanted_, range_));
    counts_.clear();
    total_ = 0;
    for (const auto& result : read_by_index(target, shown_, statements)) {
        counts_.push_back(static_cast<std::uint64_t>(result.int64(0, 0)));
        total_ += counts_.back();
    }
}

void HeldGroup::open(pq::Connection& target, std::size_t table, std::uint64_t skip) {
    const auto name = new_cursor_name();
    // Connections may be shared by turns, and a cursor that was left behind holds its rows.
    target.exec("CLOSE ALL");
    (void)read_by_index(
        target,
        shown_,
        {fmt::format(
            "DECLARE {} NO SCROLL CURSOR WITH HOLD FOR {}",
            name,
            changes_sql(tables_[table], wanted_, range_)
        )}
    );
    if (skip > 0) target.exec(fmt::format("MOVE FORWARD {} FROM {}", skip, name));
    cursor_ = name;
    table_ = table;
}

void HeldGroup::find_place(pq::Connection& target) {
    if (backend_ != target.backend_pid()) {
        cursor_.clear();
        count(target);
        backend_ = target.backend_pid();
    }
    if (!cursor_.empty()) return;
    auto skip = seen_;
    for (std::size_t i = 0; i < tables_.size(); ++i) {
        if (skip < counts_[i]) return open(target, i, skip);
        skip -= counts_[i];
    }
    finished_ = true;
}

std::vector<Change> HeldGroup::fetch(pq::Connection& target, std::size_t rows, std::size_t& bytes) {
    pq::Result found;
    try {
        found = target.exec(fmt::format("FETCH FORWARD {} FROM {}", rows, cursor_));
    } catch (const pq::Error& error) {
        constexpr const char* invalid_cursor_name = "34000";
        if (error.sqlstate() != invalid_cursor_name) throw;
        // Another follower had the connection meanwhile, and needed one of its own.
        cursor_.clear();
        return {};
    }
    auto changes = changes_of(found, tables_[table_], wanted_);
    std::size_t size = 0;
    for (auto& change : changes) {
        size += size_of(change);
        change.position.nth = ++seen_ == total_ ? Position::all : seen_;
    }
    bytes += size;
    if (!changes.empty()) bytes_each_ = std::max<std::size_t>(1, size / changes.size());
    if (changes.size() < rows) {
        target.exec("CLOSE " + cursor_);
        cursor_.clear();
        // Fewer than were counted: a replay is setting them back. What is left of the table is
        // none.
        auto upto = std::uint64_t{0};
        for (std::size_t i = 0; i <= table_; ++i) upto += counts_[i];
        seen_ = std::max(seen_, upto);
    }
    return changes;
}

std::vector<Change> HeldGroup::next(pq::Connection& target, const PageLimits& limits) {
    const auto seen = seen_;
    try {
        return page(target, limits);
    } catch (...) {
        // What was read before it failed was given to nobody.
        seen_ = seen;
        finished_ = false;
        cursor_.clear();
        backend_ = 0;
        throw;
    }
}

std::vector<Change> HeldGroup::page(pq::Connection& target, const PageLimits& limits) {
    std::vector<Change> changes;
    std::size_t bytes = 0;
    find_place(target);
    while (!finished_ && changes.size() < limits.rows && bytes < limits.bytes) {
        const auto fitting = std::max<std::size_t>(1, (limits.bytes - bytes) / bytes_each_);
        auto more = fetch(target, std::min(fitting, limits.rows - changes.size()), bytes);
        std::ranges::move(more, std::back_inserter(changes));
        find_place(target);
    }
    return changes;
}

}  // namespace pgchronicle::following
