#include "following/follower.hpp"

#include "following/change_index.hpp"
#include "following/changes_sql.hpp"
#include "following/held_group.hpp"
#include "following/horizon.hpp"
#include "following/page.hpp"
#include "history_writer/table_pattern.hpp"
#include "pq/array_text.hpp"
#include "reading/checkpoint.hpp"
#include "reading/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace pgchronicle::following {

using pgoutput::Lsn;

namespace {

bool has_wildcard(const std::string& name) {
    return name.find_first_of("*?") != std::string::npos;
}

Wanted wanted_of(const config::Settings& settings, const FollowOptions& options) {
    const bool names_snapshot =
        std::ranges::find(options.operations, "SNAPSHOT") != options.operations.end();
    return {
        settings.tables.history_columns,
        options.operations,
        options.snapshot || names_snapshot || options.from == Position::beginning()};
}

/// What the target knows of the pipeline's tables.
struct Tables {
    std::vector<FollowedTable> followed;
    /// Something may still be written to one of them before what its stream has written already.
    bool held{false};
    std::vector<std::size_t> unindexed;  ///< Those that are large and lack the index.
};

}  // namespace

struct Follower::State {
    State(const config::Settings& settings, FollowOptions given)
        : pipeline{settings.pipeline},
          wanted{wanted_of(settings, given)},
          options{std::move(given)},
          position{options.from},
          horizon{settings.pipeline} {}

    [[nodiscard]] bool selects(const std::string& schema, const std::string& table) const;
    void require_known(const pq::Result& rows) const;
    [[nodiscard]] Tables tables(pq::Connection& target) const;
    bool make_indexes(pq::Connection& target, const Tables& found);
    std::vector<Change> page(pq::Connection& target, const std::vector<FollowedTable>& tables);
    std::vector<Change> group(pq::Connection& target);
    std::vector<Change> pages(pq::Connection& target);
    std::vector<Change> next(pq::Connection& target);

    std::string pipeline;
    Wanted wanted;
    FollowOptions options;
    std::optional<Position> position;
    Horizon horizon;
    Lsn shown{};  ///< The horizon as `next` saw it last.
    /// The horizon up to which everything was looked at.
    std::optional<Lsn> finished;
    bool held{false};
    bool has_quarantines{false};
    std::set<std::string> unindexable;  ///< Tables for which the index could not be made.
    std::unique_ptr<HeldGroup> held_group;
};

bool Follower::State::selects(const std::string& schema, const std::string& table) const {
    if (options.tables.empty()) return true;
    return std::ranges::any_of(options.tables, [&](const std::string& name) {
        if (name == table || name == schema + "." + table) return true;
        const auto whole = name.find('.') == std::string::npos ? "*." + name : name;
        const auto pattern = history_writer::TablePattern::parse(whole);
        return pattern && pattern->matches(schema, table);
    });
}

void Follower::State::require_known(const pq::Result& rows) const {
    for (const auto& name : options.tables) {
        if (has_wildcard(name)) continue;
        bool known = false;
        for (int row = 0; row < rows.rows(); ++row) {
            known = known || name == rows.text(row, 1) ||
                    name == rows.str(row, 0) + "." + rows.str(row, 1);
        }
        if (known) continue;
        throw reading::Error{
            {.kind = reading::ErrorKind::not_found,
             .primary = fmt::format(R"(pipeline "{}" follows no table "{}")", pipeline, name),
             .hint = R"("pgchronicle status" lists its tables.)"}};
    }
}

Tables Follower::State::tables(pq::Connection& target) const {
    const auto rows = target.exec(
        tables_sql(has_quarantines), {pipeline, wanted.names.lsn_from, wanted.names.change_seq}
    );
    require_known(rows);
    Tables found;
    for (int row = 0; row < rows.rows(); ++row) {
        if (!selects(rows.str(row, 0), rows.str(row, 1))) continue;
        found.held = found.held || rows.boolean(row, 5);
        found.followed.push_back(
            {.name = rows.str(row, 0) + "." + rows.str(row, 1),
             .target_schema = rows.str(row, 2),
             .target_table = rows.str(row, 3),
             .row_key = pq::parse_array_text(rows.text(row, 4))}
        );
        if (rows.boolean(row, 6)) found.unindexed.push_back(found.followed.size() - 1);
    }
    return found;
}

bool Follower::State::make_indexes(pq::Connection& target, const Tables& found) {
    return std::ranges::all_of(found.unindexed, [&](std::size_t i) {
        const auto& table = found.followed[i];
        if (unindexable.contains(table.name)) return true;
        if (options.on_index) options.on_index(table.name);
        try {
            // What somebody else is making will be there; meanwhile this goes without.
            return make_change_index(target, pipeline, table, wanted.names) ||
                   options.without_index;
        } catch (const pq::Error& error) {
            if (!options.without_index || error.connection_lost()) throw;
            unindexable.insert(table.name);
            return true;
        } catch (const reading::Error&) {
            if (!options.without_index) throw;
            unindexable.insert(table.name);
            return true;
        }
    });
}

std::vector<Change> Follower::State::group(pq::Connection& target) {
    auto changes = held_group->next(target, {options.page_rows, options.page_bytes});
    if (!changes.empty()) position = changes.back().position;
    if (held_group->finished()) {
        position = Position{held_group->lsn(), held_group->seq(), Position::all};
        held_group.reset();
    }
    return changes;
}

std::vector<Change>
Follower::State::page(pq::Connection& target, const std::vector<FollowedTable>& tables) {
    const Range range{*position, Position::after(shown)};
    const PageLimits limits{options.page_rows, options.page_bytes};
    const auto plan = plan_page(target, tables, wanted, range, limits, {pipeline, shown});
    if (plan.nothing) {
        position = std::max(*position, Position::after(shown));
        return {};
    }
    if (plan.large) {
        held_group = std::make_unique<HeldGroup>(
            tables, wanted, plan.upto, *position, Shown{pipeline, shown}
        );
        return group(target);
    }
    const Range planned{*position, plan.upto};
    auto changes = read_page(target, tables, wanted, planned, {pipeline, shown});
    position = plan.upto;
    return changes;
}

std::vector<Change> Follower::State::next(pq::Connection& target) {
    try {
        return pages(target);
    } catch (const SetBack&) {
        // What was to be shown is being written once more. The next look sees how far that is.
        held_group.reset();
        finished.reset();
        return {};
    }
}

std::vector<Change> Follower::State::pages(pq::Connection& target) {
    if (held_group) return group(target);
    const bool first = shown == Lsn{};
    shown = horizon.poll(target);
    if (first) has_quarantines = reading::has_relation(target, "pgchronicle.quarantine");
    if (!position) position = Position::after(shown);
    if (finished == shown) return {};
    finished.reset();
    held = false;
    const auto found = tables(target);
    held = found.held || !make_indexes(target, found);
    if (held) return {};
    std::vector<Change> changes;
    // A page may be of changes that were seen already, of a seq that was seen in part.
    while (changes.empty() && !finished) {
        if (found.followed.empty() || position->lsn > shown) {
            finished = shown;
            break;
        }
        changes = page(target, found.followed);
        if (!held_group && *position >= Position::after(shown)) finished = shown;
    }
    return changes;
}

Follower::Follower(const config::Settings& settings, FollowOptions options)
    : state_{std::make_unique<State>(settings, std::move(options))} {}
Follower::~Follower() = default;
Follower::Follower(Follower&&) noexcept = default;
Follower& Follower::operator=(Follower&&) noexcept = default;

std::vector<Change> Follower::next(pq::Connection& target) {
    return state_->next(target);
}

const std::optional<Position>& Follower::position() const {
    return state_->position;
}

bool Follower::caught_up() const {
    return state_->finished.has_value() || state_->held;
}

bool Follower::held() const {
    return state_->held;
}

Lsn Follower::horizon() const {
    return state_->shown;
}

}  // namespace pgchronicle::following
