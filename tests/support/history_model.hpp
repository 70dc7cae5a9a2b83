#pragma once

#include "pgoutput/lsn.hpp"
#include "pgoutput/timestamp.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

// What the history of a source must be, worked out the slow way: every version of every table in a
// list, one change after the other, from rows that are known in full. Knows nothing of batches, of
// the wire, or of values that are not sent.

namespace pgchronicle::test {

/// One value; nothing stands for NULL.
using Datum = std::optional<std::string>;
/// The values of one row, in column order.
using DatumRow = std::vector<Datum>;

/// A source table and what the configuration says of it.
struct TableSpec {
    std::string name{};
    std::vector<std::string> columns{};
    std::vector<std::size_t> key{};        ///< Indexes of `columns`; empty: the whole row.
    std::vector<std::size_t> excluded{};   ///< Columns that the history leaves out.
    bool full{false};                      ///< REPLICA IDENTITY FULL.
    bool numeric_key{false};               ///< 1 and 1.0 are the same key.
    bool ignored{false};                   ///< The whole table is left out.
    std::vector<std::size_t> untracked{};  ///< Columns whose change overwrites the open version.
    bool collapse{false};                  ///< The net effect of each transaction is kept.
};

/// The columns that the history keeps.
inline DatumRow kept_of(const TableSpec& table, const DatumRow& row) {
    DatumRow kept;
    for (std::size_t i = 0; i < row.size(); ++i) {
        const auto& out = table.excluded;
        if (std::find(out.begin(), out.end(), i) == out.end()) kept.push_back(row[i]);
    }
    return kept;
}

/// What of a row makes a version when it changes.
inline DatumRow tracked_of(const TableSpec& table, DatumRow row) {
    for (const auto column : table.untracked) row[column].reset();
    return kept_of(table, row);
}

/// The key of a row, equal for equal keys; the kept row itself where there is no key.
inline DatumRow key_of(const TableSpec& table, const DatumRow& row) {
    if (table.key.empty()) return kept_of(table, row);
    DatumRow key;
    for (const auto i : table.key) {
        auto value = row[i];
        if (table.numeric_key && value && value->ends_with(".0")) value->resize(value->size() - 2);
        key.push_back(value);
    }
    return key;
}

/// A row of a history table.
struct ModelVersion {
    DatumRow row;  ///< Kept columns.
    pgoutput::Lsn lsn_from;
    std::uint64_t change_seq{0};
    std::string operation;
    pgoutput::PgTimestamp valid_from;
    std::optional<pgoutput::Lsn> lsn_to;
    std::optional<pgoutput::PgTimestamp> valid_to;

    friend auto operator<=>(const ModelVersion&, const ModelVersion&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const ModelVersion& version) {
    for (const auto& value : version.row) out << (value ? '\'' + *value + '\'' : "NULL") << ' ';
    out << version.operation << " [" << version.lsn_from.value << ':' << version.change_seq << ", ";
    if (version.lsn_to) out << version.lsn_to->value;
    out << ") at [" << version.valid_from.microseconds << ", ";
    if (version.valid_to) out << version.valid_to->microseconds;
    return out << ')';
}

/// One history table: its versions in the order in which they were made.
using ModelTable = std::vector<ModelVersion>;

/// The history of some tables, by the names of their specs.
class HistoryModel {
public:
    /// The transaction in hand has ended: where only its net effect counts, each key keeps one
    /// version of it, or a tombstone, at most.
    void commit() {
        for (const auto* table : collapsing_) {
            auto& versions = history_[table->name];
            std::map<DatumRow, ModelTable> made;
            std::set<DatumRow> was_there;
            std::erase_if(versions, [&](const ModelVersion& version) {
                const auto key = key_of(*table, version.row);
                const bool is_made = version.lsn_from == end_lsn_;
                if (is_made) made[key].push_back(version);
                if (!is_made && version.lsn_to == end_lsn_) was_there.insert(key);
                return is_made;
            });
            for (auto& [key, of_key] : made) {
                const bool there = was_there.contains(key);
                auto last = of_key.back();
                if (!last.lsn_to) {
                    last.operation = !there && born_[{table, key}] ? "INSERT" : "UPDATE";
                    versions.push_back(last);
                } else if (there) {
                    versions.push_back(last);
                }
            }
        }
        collapsing_.clear();
        born_.clear();
    }

    /// Changes that follow belong to a transaction that ends there. Recorded times never decrease.
    void begin(pgoutput::Lsn end_lsn, pgoutput::PgTimestamp commit_time) {
        commit();
        end_lsn_ = end_lsn;
        time_ = any_ ? std::max(time_, commit_time) : commit_time;
        any_ = true;
        seq_ = 0;
    }

    void insert(const TableSpec& table, const DatumRow& row) {
        ++seq_;
        if (table.ignored) return;
        born_[{&table, key_of(table, row)}] = true;
        open(table, row, "INSERT");
    }

    void update(const TableSpec& table, const DatumRow& before, const DatumRow& after) {
        ++seq_;
        if (table.ignored || overwrites(table, before, after)) return;
        if (says_nothing(table, before, after)) return;
        close(table, before);
        if (!table.key.empty() && key_of(table, before) != key_of(table, after)) {
            add_tombstone(table, before, "REKEY");
            born_[{&table, key_of(table, after)}] =
                born_[{&table, key_of(table, before)}] && !was_there(table, before);
        }
        open(table, after, "UPDATE");
    }

    void remove(const TableSpec& table, const DatumRow& row) {
        ++seq_;
        if (table.ignored) return;
        close(table, row);
        add_tombstone(table, row, "DELETE");
    }

    void truncate(const std::vector<const TableSpec*>& tables) {
        ++seq_;
        for (const auto* table : tables) {
            if (table->collapse) collapsing_.insert(table);
            auto& versions = history_[table->name];
            const auto count = versions.size();
            for (std::size_t i = 0; i < count; ++i) {
                if (versions[i].lsn_to) continue;
                end(versions[i]);
                auto tombstone = versions[i];
                versions.push_back(ended_at_once(std::move(tombstone.row), "TRUNCATE"));
            }
        }
    }

    [[nodiscard]] const std::map<std::string, ModelTable>& history() const { return history_; }

private:
    /// A change of excluded columns alone makes no version. Without the old row nobody can tell
    /// such a change from SET v = v, which then makes none either.
    static bool
    says_nothing(const TableSpec& table, const DatumRow& before, const DatumRow& after) {
        if (table.excluded.empty() || kept_of(table, before) != kept_of(table, after)) return false;
        return !table.full || before != after;
    }

    /// Whether the key of `row` was open before the transaction in hand.
    bool was_there(const TableSpec& table, const DatumRow& row) {
        const auto& versions = history_[table.name];
        return std::any_of(versions.begin(), versions.end(), [&](const auto& version) {
            return version.lsn_from < end_lsn_ && version.lsn_to == end_lsn_ &&
                   key_of(table, version.row) == key_of(table, row);
        });
    }

    /// Where not every column is tracked, and the others alone change, the open version does.
    bool overwrites(const TableSpec& table, const DatumRow& before, const DatumRow& after) {
        if (table.untracked.empty() || tracked_of(table, before) != tracked_of(table, after)) {
            return false;
        }
        for (auto& version : history_[table.name]) {
            if (!version.lsn_to && version.row == kept_of(table, before)) {
                version.row = kept_of(table, after);
            }
        }
        return true;
    }

    void open(const TableSpec& table, const DatumRow& row, const char* operation) {
        if (table.collapse) collapsing_.insert(&table);
        history_[table.name].push_back(
            {kept_of(table, row), end_lsn_, seq_, operation, time_, std::nullopt, std::nullopt}
        );
    }

    /// Ends the newest open version of the row: of its key, or one that is identical to it.
    void close(const TableSpec& table, const DatumRow& row) {
        auto& versions = history_[table.name];
        const auto kept = kept_of(table, row);
        for (auto it = versions.rbegin(); it != versions.rend(); ++it) {
            if (it->lsn_to || it->row != kept) continue;
            end(*it);
            return;
        }
        throw std::logic_error{"the story changes a row of " + table.name + " that is not there"};
    }

    void add_tombstone(const TableSpec& table, const DatumRow& row, const char* operation) {
        if (table.collapse) collapsing_.insert(&table);
        history_[table.name].push_back(ended_at_once(kept_of(table, row), operation));
    }

    void end(ModelVersion& version) const {
        version.lsn_to = end_lsn_;
        version.valid_to = time_;
    }

    [[nodiscard]] ModelVersion ended_at_once(DatumRow row, const char* operation) const {
        return {std::move(row), end_lsn_, seq_, operation, time_, end_lsn_, time_};
    }

    std::map<std::string, ModelTable> history_;
    pgoutput::Lsn end_lsn_;
    pgoutput::PgTimestamp time_;
    bool any_{false};
    std::uint64_t seq_{0};
    std::set<const TableSpec*> collapsing_;  ///< What the transaction in hand changes.
    /// Keys whose row the transaction in hand inserted.
    std::map<std::pair<const TableSpec*, DatumRow>, bool> born_;
};

}  // namespace pgchronicle::test
