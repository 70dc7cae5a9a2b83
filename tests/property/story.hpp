#pragma once

#include "history_writer/history_table.hpp"
#include "pgoutput/message.hpp"
#include "tests/support/history_model.hpp"
#include "tests/support/wire_builder.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

// Random transactions over a few tables, told twice: to the model as full rows, and as the
// messages that a server sends of them, with what it leaves out left out.

namespace pgchronicle::test {

/// Draws numbers: from a seed, or from bytes that a fuzzer has chosen, one for each; behind these
/// from a seed again, or nothing but 0.
class Random {
public:
    explicit Random(std::uint64_t seed) : engine_{seed} {}
    explicit Random(std::span<const std::byte> bytes) : bytes_{bytes}, is_random_{false} {}
    Random(std::span<const std::byte> bytes, std::uint64_t seed) : engine_{seed}, bytes_{bytes} {}

    std::uint64_t operator()() {
        if (bytes_.empty()) return is_random_ ? engine_() : 0;
        const auto value = std::to_integer<std::uint64_t>(bytes_.front());
        bytes_ = bytes_.subspan(1);
        return value;
    }

private:
    std::mt19937_64 engine_;
    std::span<const std::byte> bytes_;
    bool is_random_{true};
};

inline std::size_t below(Random& random, std::size_t end) {
    return static_cast<std::size_t>(random() % end);
}
inline bool one_in(Random& random, std::size_t n) {
    return below(random, n) == 0;
}

/// Every kind of table that the history treats in a way of its own.
inline const std::vector<TableSpec>& story_tables() {
    static const std::vector<TableSpec> tables{
        {.name = "plain", .columns = {"id", "name", "big"}, .key = {0}},
        {.name = "numbered", .columns = {"name", "id", "big"}, .key = {1}, .numeric_key = true},
        {.name = "full", .columns = {"id", "name", "big"}, .key = {0}, .full = true},
        {.name = "bag", .columns = {"name", "big"}, .full = true},
        {.name = "narrow", .columns = {"id", "name", "hidden", "big"}, .key = {0}, .excluded = {2}},
        {.name = "narrow_full",
         .columns = {"hidden", "id", "name"},
         .key = {1},
         .excluded = {0},
         .full = true},
        {.name = "narrow_bag", .columns = {"name", "hidden"}, .excluded = {1}, .full = true},
        {.name = "pair", .columns = {"a", "b", "name", "big"}, .key = {1, 0}},
        {.name = "loose", .columns = {"id", "name", "seen", "big"}, .key = {0}, .untracked = {2}},
        {.name = "loose_full",
         .columns = {"seen", "id", "big"},
         .key = {1},
         .full = true,
         .untracked = {0, 2}},
        {.name = "net", .columns = {"id", "name", "big"}, .key = {0}, .collapse = true},
        {.name = "net_full",
         .columns = {"id", "name", "big"},
         .key = {0},
         .full = true,
         .collapse = true},
        {.name = "net_numbered",
         .columns = {"name", "id"},
         .key = {1},
         .numeric_key = true,
         .collapse = true},
        {.name = "ignored", .columns = {"id", "name"}, .key = {0}, .ignored = true},
    };
    return tables;
}

inline pgoutput::RelationId relation_id(std::size_t table) {
    return static_cast<pgoutput::RelationId>(16400 + table);
}

/// How the server describes the table.
inline Bytes describe_table(std::size_t index) {
    const auto& spec = story_tables()[index];
    pgoutput::Relation relation;
    relation.id = relation_id(index);
    relation.schema_name = "public";
    relation.name = spec.name;
    relation.replica_identity =
        spec.full ? pgoutput::ReplicaIdentity::full : pgoutput::ReplicaIdentity::by_default;
    for (std::size_t i = 0; i < spec.columns.size(); ++i) {
        const bool in_key = std::find(spec.key.begin(), spec.key.end(), i) != spec.key.end();
        relation.columns.push_back(
            {spec.full || in_key, spec.columns[i], static_cast<pgoutput::TypeOid>(25), -1}
        );
    }
    return encode(pgoutput::RelationMessage{{}, relation});
}

/// Where its rows go; null for an ignored one.
inline std::shared_ptr<const history_writer::HistoryTable> history_table(std::size_t index) {
    const auto& spec = story_tables()[index];
    if (spec.ignored) return nullptr;
    auto table = std::make_shared<history_writer::HistoryTable>();
    table->relation = relation_id(index);
    table->source_schema = "public";
    table->source_table = spec.name;
    table->keyed = !spec.key.empty();
    for (std::size_t i = 0; i < spec.columns.size(); ++i) {
        const bool out =
            std::find(spec.excluded.begin(), spec.excluded.end(), i) != spec.excluded.end();
        table->kept.push_back(out ? -1 : static_cast<std::int32_t>(table->columns.size()));
        if (out) continue;
        table->columns.push_back({spec.columns[i], spec.columns[i], "text"});
        table->columns.back().tracked =
            std::find(spec.untracked.begin(), spec.untracked.end(), i) == spec.untracked.end();
    }
    table->tracks_all = spec.untracked.empty();
    table->collapse = spec.collapse;
    for (const auto key : spec.key) {
        const auto column = static_cast<std::uint16_t>(table->kept[key]);
        table->key.push_back(column);
        if (spec.numeric_key) {
            table->columns[column].equality = history_writer::KeyEquality::numeric;
        }
    }
    return table;
}

struct StoryMessage {
    Bytes bytes;
    std::vector<std::size_t> tables;  ///< Must have been described before.
};

struct StoryTransaction {
    pgoutput::Lsn commit_lsn;  ///< Where its commit record begins.
    pgoutput::Lsn end_lsn;
    pgoutput::PgTimestamp commit_time;
    std::vector<StoryMessage> messages;  ///< From Begin to Commit.
    /// The same, told to a model that was told of all transactions before.
    std::vector<std::function<void(HistoryModel&)>> changes{};
};

struct StoryShape {
    std::size_t transactions_max{25};
    std::size_t changes_max{8};
    /// One in so many is `large_factor` times as large; 0: none.
    std::size_t large_one_in{0};
    std::size_t large_factor{10};
    /// The story ends there, and is the same until then.
    std::size_t told_at_most{std::numeric_limits<std::size_t>::max()};
};

/// Makes up a story of some transactions.
class Story {
public:
    Story(Random& random, history_writer::WireForm form, StoryShape shape = {})
        : form_{form}, shape_{shape}, random_{random}, rows_(story_tables().size()) {
        const auto count =
            std::min(1 + below(random_, shape_.transactions_max), shape_.told_at_most);
        for (std::size_t i = 0; i < count; ++i) tell_transaction();
        model_.commit();
    }

    [[nodiscard]] history_writer::WireForm form() const { return form_; }
    [[nodiscard]] const std::vector<StoryTransaction>& transactions() const {
        return transactions_;
    }
    [[nodiscard]] const HistoryModel& model() const { return model_; }

private:
    void tell_transaction() {
        // The next commit record may begin exactly where the last one ended, and clocks step back.
        const pgoutput::Lsn commit_lsn{
            end_lsn_.value + (one_in(random_, 3) ? 0 : 1 + below(random_, 90))};
        end_lsn_ = pgoutput::Lsn{commit_lsn.value + 8 + below(random_, 40)};
        const pgoutput::PgTimestamp time{static_cast<std::int64_t>(1000 + below(random_, 500))};
        model_.begin(end_lsn_, time);
        transactions_.push_back({commit_lsn, end_lsn_, time, {}});
        add(encode(pgoutput::Begin{commit_lsn, time, pgoutput::Xid{700}}), {});
        auto changes = below(random_, shape_.changes_max + 1);
        if (shape_.large_one_in != 0 && one_in(random_, shape_.large_one_in)) {
            changes *= shape_.large_factor;
        }
        for (std::size_t i = 0; i < changes; ++i) tell_change();
        add(encode(pgoutput::Commit{0, commit_lsn, end_lsn_, time}), {});
    }

    void tell_change() {
        const auto table = below(random_, story_tables().size());
        if (one_in(random_, 25)) return tell_truncate(table);
        auto& rows = rows_[table];
        if (rows.empty() || one_in(random_, 4)) return tell_insert(table);
        const auto row = below(random_, rows.size());
        switch (below(random_, 8)) {
        case 0:
        case 1:
            return tell_delete(table, row);
        case 2:
            return tell_key_change(table, row);
        case 3:
            return tell_swap(table, row);
        case 4:
            return tell_update(table, row, rows[row]);  // SET v = v
        default:
            return tell_value_change(table, row);
        }
    }

    void tell_insert(std::size_t table) {
        auto row = random_row(table);
        if (taken(table, row)) return;
        const Row wire{cells(row)};
        add(encode(pgoutput::Insert{{}, relation_id(table), wire.tuple()}), {table});
        tell([table, row](HistoryModel& model) { model.insert(story_tables()[table], row); });
        rows_[table].push_back(std::move(row));
    }

    void tell_delete(std::size_t table, std::size_t index) {
        auto& rows = rows_[table];
        const auto& spec = story_tables()[table];
        const Row old{spec.full ? cells(rows[index]) : key_cells(spec, rows[index])};
        const auto kind = spec.full ? pgoutput::OldTupleKind::full : pgoutput::OldTupleKind::key;
        add(encode(pgoutput::Delete{{}, relation_id(table), kind, old.tuple()}), {table});
        tell([table, row = rows[index]](HistoryModel& model) {
            model.remove(story_tables()[table], row);
        });
        rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(index));
    }

    void tell_value_change(std::size_t table, std::size_t index) {
        auto after = rows_[table][index];
        const auto& key = story_tables()[table].key;
        const auto column = below(random_, after.size());
        if (std::find(key.begin(), key.end(), column) != key.end()) return;
        after[column] = random_value();
        tell_update(table, index, after);
    }

    void tell_key_change(std::size_t table, std::size_t index) {
        auto after = rows_[table][index];
        const auto fresh = random_row(table);
        for (const auto column : story_tables()[table].key) after[column] = fresh[column];
        if (one_in(random_, 2)) after.back() = fresh.back();
        tell_update(table, index, after);
    }

    /// Two rows change keys, by way of a third one.
    void tell_swap(std::size_t table, std::size_t index) {
        auto& rows = rows_[table];
        const auto& key = story_tables()[table].key;
        const auto other = below(random_, rows.size());
        if (key.empty() || other == index) return;
        const auto with_key = [&](DatumRow row, const DatumRow& from) {
            for (const auto column : key) row[column] = from[column];
            return row;
        };
        auto aside = rows[index];
        for (const auto column : key) aside[column] = "99";
        const auto first = rows[index];
        const auto second = rows[other];
        tell_update(table, index, aside);
        tell_update(table, other, with_key(second, first));
        tell_update(table, index, with_key(rows[index], second));
    }

    void tell_update(std::size_t table, std::size_t index, const DatumRow& after) {
        auto& rows = rows_[table];
        const auto before = rows[index];
        const auto& spec = story_tables()[table];
        if (key_of(spec, before) != key_of(spec, after) && taken(table, after)) return;
        auto new_cells = cells(after);
        bool respelt = false;
        for (std::size_t i = 0; i < after.size(); ++i) {
            const bool in_key = std::find(spec.key.begin(), spec.key.end(), i) != spec.key.end();
            respelt = respelt || (in_key && before[i] != after[i]);
            const bool toasted = after[i] && before[i] == after[i] && !in_key;
            if (toasted && one_in(random_, 2)) new_cells[i] = unchanged();
        }
        const Row new_row{new_cells};
        const Row old_row{spec.full ? cells(before) : key_cells(spec, before)};
        pgoutput::Update message{{}, relation_id(table), {}, {}, new_row.tuple()};
        if (spec.full || respelt) {
            message.old_kind =
                spec.full ? pgoutput::OldTupleKind::full : pgoutput::OldTupleKind::key;
            message.old_tuple = old_row.tuple();
        }
        add(encode(message), {table});
        tell([table, before, after](HistoryModel& model) {
            model.update(story_tables()[table], before, after);
        });
        rows[index] = after;
    }

    void tell_truncate(std::size_t first) {
        std::vector<std::size_t> tables{first};
        const auto second = below(random_, story_tables().size());
        if (second != first && one_in(random_, 2)) tables.push_back(second);
        WireWriter ids;
        std::vector<const TableSpec*> specs;
        for (const auto table : tables) {
            ids.relation_id(relation_id(table));
            if (!story_tables()[table].ignored) specs.push_back(&story_tables()[table]);
            rows_[table].clear();
        }
        const auto oid_bytes = ids.take();
        const auto count = static_cast<std::uint32_t>(tables.size());
        add(encode(pgoutput::Truncate{{}, count, false, false, oid_bytes}), tables);
        tell([specs](HistoryModel& model) { model.truncate(specs); });
    }

    void tell(std::function<void(HistoryModel&)> change) {
        change(model_);
        transactions_.back().changes.push_back(std::move(change));
    }

    void add(Bytes bytes, std::vector<std::size_t> tables) {
        transactions_.back().messages.push_back({std::move(bytes), std::move(tables)});
    }

    [[nodiscard]] bool taken(std::size_t table, const DatumRow& row) const {
        const auto& spec = story_tables()[table];
        if (spec.key.empty()) return false;
        return std::any_of(rows_[table].begin(), rows_[table].end(), [&](const auto& other) {
            return key_of(spec, other) == key_of(spec, row);
        });
    }

    /// Few values, so that rows meet again; some of them need care in COPY's text form.
    Datum random_value() {
        static const std::vector<Datum> values{
            "a", "b", "", "tab\there", "back\\slash", "two\nlines\r", "\\N", std::nullopt};
        return values[below(random_, values.size())];
    }

    DatumRow random_row(std::size_t table) {
        const auto& spec = story_tables()[table];
        DatumRow row;
        for (std::size_t i = 0; i < spec.columns.size(); ++i) row.push_back(random_value());
        for (const auto column : spec.key) {
            row[column] = std::to_string(1 + below(random_, spec.key.size() > 1 ? 2 : 5));
            if (spec.numeric_key && form_ == history_writer::WireForm::text && one_in(random_, 2)) {
                *row[column] += ".0";
            }
        }
        return row;
    }

    [[nodiscard]] std::vector<Cell> cells(const DatumRow& row) const {
        std::vector<Cell> cells;
        for (const auto& value : row) {
            if (!value) {
                cells.push_back(null());
            } else if (form_ == history_writer::WireForm::binary) {
                cells.push_back(binary(*value));
            } else {
                cells.push_back(text(*value));
            }
        }
        return cells;
    }

    /// Only the key; the rest reads NULL.
    [[nodiscard]] std::vector<Cell> key_cells(const TableSpec& spec, const DatumRow& row) const {
        DatumRow key(row.size());
        for (const auto column : spec.key) key[column] = row[column];
        return cells(key);
    }

    history_writer::WireForm form_;
    StoryShape shape_;
    Random& random_;
    std::vector<std::vector<DatumRow>> rows_;
    std::vector<StoryTransaction> transactions_;
    HistoryModel model_;
    pgoutput::Lsn end_lsn_{1000};
};

}  // namespace pgchronicle::test
