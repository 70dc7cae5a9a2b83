#pragma once

#include "history_writer/change_batch.hpp"
#include "tests/support/history_model.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// A target in memory: does to lists of versions what the SQL of the sink does to tables, in the
// same order, and takes a batch's bytes apart with code of its own.

namespace pgchronicle::test {

namespace hw = history_writer;

class MemoryTarget {
public:
    using Tables = std::map<std::string, ModelTable>;

    /// What is committed: rows and checkpoint.
    struct State {
        std::shared_ptr<const Tables> tables{std::make_shared<const Tables>()};
        pgoutput::Lsn position;
        pgoutput::Lsn last_commit_end;
        std::optional<pgoutput::PgTimestamp> recorded_time;
    };

    MemoryTarget() = default;
    explicit MemoryTarget(State state) : working_{*state.tables}, committed_{std::move(state)} {}

    /// The batch changes a row that the target does not hold: the stream's fault, or the builder's.
    struct Refusal : std::runtime_error {
        using std::runtime_error::runtime_error;
    };

    /// An empty history that is complete up to there.
    void start_at(pgoutput::Lsn position) { committed_.position = position; }

    /// Writes one batch. What a batch that `continues` left open ends with the next one.
    void write(hw::ChangeBatch& batch) {
        for (auto& stretch : batch.stretches) {
            for (auto& changes : stretch.tables) drop_unchanged(batch, *changes);
            for (const auto& changes : stretch.tables) close(batch, *changes);
            for (const auto& changes : stretch.tables) open(batch, *changes);
            for (const auto& truncate : stretch.truncates) apply(batch, truncate);
        }
        for (const auto& collapse : batch.collapses) {
            leave_net_effect(*collapse.table, batch.transactions[collapse.transaction].end_lsn);
        }
        if (batch.continues) return;
        require(batch.position >= position(), "the checkpoint does not move back");
        committed_.tables = std::make_shared<const Tables>(working_);
        committed_.position = batch.position;
        committed_.last_commit_end = std::max(committed_.last_commit_end, batch.last_commit_end);
        if (batch.last_recorded_time) committed_.recorded_time = batch.last_recorded_time;
    }

    /// Forgets what was not committed, as the target does when the connection is lost.
    void crash() { working_ = *committed_.tables; }

    [[nodiscard]] const State& committed() const { return committed_; }
    [[nodiscard]] const Tables& tables() const { return *committed_.tables; }
    [[nodiscard]] pgoutput::Lsn position() const { return committed_.position; }
    [[nodiscard]] std::optional<pgoutput::PgTimestamp> recorded_time() const {
        return committed_.recorded_time;
    }

private:
    static void require(bool holds, const std::string& what) {
        if (!holds) throw std::runtime_error{"the batch is wrong: " + what};
    }

    static void expect(bool holds, const std::string& what) {
        if (!holds) throw Refusal{"the target does not hold it: " + what};
    }

    static std::string text_of(std::span<const std::byte> bytes) {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

    /// Fields of int32 length and bytes; -1 is NULL.
    static DatumRow sized_fields(std::span<const std::byte> bytes) {
        DatumRow row;
        while (!bytes.empty()) {
            std::uint32_t length = 0;
            for (int i = 0; i < 4; ++i) {
                length = length << 8U |
                         std::to_integer<std::uint32_t>(bytes[static_cast<std::size_t>(i)]);
            }
            bytes = bytes.subspan(4);
            if (length == 0xFFFFFFFFU) {
                row.emplace_back();
                continue;
            }
            row.emplace_back(text_of(bytes.first(length)));
            bytes = bytes.subspan(length);
        }
        return row;
    }

    /// Fields of COPY's text form, each with its tab.
    static DatumRow escaped_fields(std::span<const std::byte> bytes) {
        DatumRow row;
        std::string field;
        bool null = false;
        const auto text = text_of(bytes);
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '\t') {
                row.push_back(null ? Datum{} : Datum{field});
                field.clear();
                null = false;
            } else if (text[i] != '\\') {
                field += text[i];
            } else {
                const char letter = text[++i];
                null = letter == 'N';
                field += letter == 't'   ? '\t'
                         : letter == 'n' ? '\n'
                         : letter == 'r' ? '\r'
                                         : letter;
            }
        }
        require(field.empty(), "a row ends with a tab");
        return row;
    }

    static DatumRow row_at(
        const hw::ChangeBatch& batch,
        const hw::TableChanges& changes,
        std::uint64_t offset,
        std::uint32_t size
    ) {
        const auto part = std::span<const std::byte>{changes.payload}.subspan(offset, size);
        auto row = batch.form == hw::WireForm::binary ? sized_fields(part) : escaped_fields(part);
        require(row.size() == changes.table->columns.size(), "a row has every column");
        return row;
    }

    static DatumRow key_at(const hw::TableChanges& changes, const hw::Close& close) {
        return sized_fields(
            std::span<const std::byte>{changes.keys}.subspan(close.offset, close.size)
        );
    }

    /// PostgreSQL's equality for one key column.
    static bool equal(const Datum& a, const Datum& b, hw::KeyEquality equality) {
        const auto stripped = [&](Datum value) {
            // What the source is asked about, here, is how numbers are written, too.
            const bool numeric =
                equality == hw::KeyEquality::numeric || equality == hw::KeyEquality::asked;
            if (numeric && value && value->ends_with(".0")) value->resize(value->size() - 2);
            return value;
        };
        return stripped(a) == stripped(b);
    }

    ModelTable& versions_of(const hw::HistoryTable& table) { return working_[table.source_table]; }

    /// The newest version of a key, open or not.
    ModelVersion* newest(const hw::HistoryTable& table, const DatumRow& key) {
        ModelVersion* found = nullptr;
        for (auto& version : versions_of(table)) {
            bool same = true;
            for (std::size_t i = 0; i < table.key.size(); ++i) {
                const auto column = table.key[i];
                same = same && equal(version.row[column], key[i], table.columns[column].equality);
            }
            if (!same) continue;
            const auto order = [](const ModelVersion& v) {
                return std::pair{v.lsn_from, v.change_seq};
            };
            if (found == nullptr || order(version) > order(*found)) found = &version;
        }
        return found;
    }

    /// The row of a version, with what only the target knows filled in from the base key.
    DatumRow filled_row(
        const hw::ChangeBatch& batch,
        const hw::TableChanges& changes,
        const hw::Version& version,
        const hw::Close& base_close
    ) {
        auto row = row_at(batch, changes, version.offset, version.size);
        if (version.fill == hw::no_index) return row;
        // A row that entered a row filter: what was not sent stays NULL.
        if (changes.fills[version.fill].close == hw::no_index) return row;
        const auto bitmap = changes.fills[version.fill].bitmap;
        const auto* base = newest(*changes.table, key_at(changes, base_close));
        expect(base != nullptr, "the version that fills another is there");
        for (std::size_t i = 0; i < row.size(); ++i) {
            const auto byte = std::to_integer<unsigned>(changes.bitmaps[bitmap + i / 8]);
            if ((byte >> (i % 8) & 1U) == 0) continue;
            require(!row[i], "a value that is not known is NULL");
            row[i] = base->row[i];
        }
        return row;
    }

    void drop_unchanged(const hw::ChangeBatch& batch, hw::TableChanges& changes) {
        for (auto& close : changes.closes) {
            if (close.unless_same_as == hw::no_index) continue;
            auto& version = changes.versions[close.unless_same_as];
            auto* base = newest(*changes.table, key_at(changes, close));
            expect(base != nullptr && !base->lsn_to, "what may be repeated is open");
            const auto row = filled_row(batch, changes, version, close);
            const auto& columns = changes.table->columns;
            bool same = true;
            for (std::size_t i = 0; i < row.size(); ++i) {
                same = same && (!columns[i].tracked || row[i] == base->row[i]);
            }
            if (!same) continue;
            base->row = row;
            version.dropped = true;
            close.closed_by = version.closed_by;
        }
    }

    void close(const hw::ChangeBatch& batch, const hw::TableChanges& changes) {
        std::vector<std::pair<ModelVersion*, std::uint32_t>> ends;
        for (const auto& close : changes.closes) {
            if (close.closed_by == hw::no_index) continue;
            const auto key = key_at(changes, close);
            ModelVersion* version = nullptr;
            if (changes.table->keyed) {
                version = newest(*changes.table, key);
            } else {
                version = nth_identical(versions_of(*changes.table), key, close.nth);
            }
            expect(version != nullptr && !version->lsn_to, "what is closed is open");
            ends.emplace_back(version, close.closed_by);
        }
        for (const auto& [version, closed_by] : ends) {
            require(!version->lsn_to, "no version is closed twice");
            version->lsn_to = batch.transactions[closed_by].end_lsn;
            version->valid_to = batch.transactions[closed_by].recorded_time;
        }
    }

    static ModelVersion* nth_identical(ModelTable& versions, const DatumRow& row, std::size_t nth) {
        std::vector<ModelVersion*> open;
        for (auto& version : versions) {
            if (!version.lsn_to && version.row == row) open.push_back(&version);
        }
        std::sort(open.begin(), open.end(), [](const auto* a, const auto* b) {
            return std::pair{a->lsn_from, a->change_seq} > std::pair{b->lsn_from, b->change_seq};
        });
        return nth < open.size() ? open[nth] : nullptr;
    }

    void open(const hw::ChangeBatch& batch, const hw::TableChanges& changes) {
        ModelTable added;  // A base is looked for among the versions from before.
        for (const auto& version : changes.versions) {
            if (version.dropped) continue;
            const auto base =
                version.fill == hw::no_index ? hw::no_index : changes.fills.at(version.fill).close;
            const auto close = base == hw::no_index ? hw::Close{} : changes.closes.at(base);
            ModelVersion made;
            made.row = filled_row(batch, changes, version, close);
            made.change_seq = version.change_seq;
            made.operation = hw::name_of(version.operation);
            made.lsn_from = batch.transactions[version.opened_by].end_lsn;
            made.valid_from = batch.transactions[version.opened_by].recorded_time;
            if (version.closed_by != hw::no_index) {
                made.lsn_to = batch.transactions[version.closed_by].end_lsn;
                made.valid_to = batch.transactions[version.closed_by].recorded_time;
            }
            added.push_back(std::move(made));
        }
        if (changes.table->keyed) {
            // Also those that end within the batch: the one before is then still open.
            for (const auto& version : added) {
                const auto* before = newest(*changes.table, key_in(*changes.table, version));
                expect(before == nullptr || before->lsn_to, "what is opened is not open");
            }
        }
        auto& versions = versions_of(*changes.table);
        versions.insert(versions.end(), added.begin(), added.end());
    }

    static DatumRow key_in(const hw::HistoryTable& table, const ModelVersion& version) {
        DatumRow key;
        for (const auto column : table.key) key.push_back(version.row[column]);
        return key;
    }

    /// What one transaction did to each key becomes one version, or a tombstone, at most.
    void leave_net_effect(const hw::HistoryTable& table, pgoutput::Lsn end) {
        struct OfKey {
            bool was_there{false};
            std::vector<ModelVersion*> made;  ///< In order.
        };
        const auto key_of_version = [&](const ModelVersion& version) {
            DatumRow key;
            for (const auto column : table.key) {
                auto value = version.row[column];
                const bool numeric = table.columns[column].equality == hw::KeyEquality::numeric;
                if (numeric && value && value->ends_with(".0")) value->resize(value->size() - 2);
                key.push_back(value);
            }
            return key;
        };
        const auto open = [&](const ModelVersion& version) {
            return !version.lsn_to || *version.lsn_to > end;
        };
        const auto tombstone = [](const ModelVersion& version) {
            return version.operation != "INSERT" && version.operation != "UPDATE";
        };
        std::map<DatumRow, OfKey> keys;
        auto& versions = versions_of(table);
        std::stable_sort(versions.begin(), versions.end(), [](const auto& a, const auto& b) {
            return a.change_seq < b.change_seq;
        });
        for (auto& version : versions) {
            auto& of_key = keys[key_of_version(version)];
            if (version.lsn_from == end) of_key.made.push_back(&version);
            if (version.lsn_from != end && version.lsn_to == end) of_key.was_there = true;
        }
        // Whether the row whose life at `key` ends at number `last` of it was inserted.
        const std::function<bool(const DatumRow&, std::size_t)> born = [&](const auto& key,
                                                                           std::size_t last) {
            const auto& of_key = keys.at(key);
            if (of_key.was_there) return false;
            auto first = last;
            while (first > 0 && !tombstone(*of_key.made[first - 1])) --first;
            const auto& start = *of_key.made[first];
            if (start.operation == "INSERT") return true;
            for (const auto& [other, from] : keys) {
                for (std::size_t i = 0; other != key && i < from.made.size(); ++i) {
                    const auto& end_there = *from.made[i];
                    if (end_there.operation == "REKEY" && end_there.change_seq == start.change_seq)
                        return born(other, i);
                }
            }
            return false;
        };
        std::set<const ModelVersion*> kept;
        std::vector<std::pair<ModelVersion*, std::string>> operations;
        for (auto& [key, of_key] : keys) {
            if (of_key.made.empty()) continue;
            auto& last = *of_key.made.back();
            if (open(last) || (tombstone(last) && of_key.was_there)) kept.insert(&last);
        }
        for (auto& [key, of_key] : keys) {
            if (of_key.made.empty() || !open(*of_key.made.back())) continue;
            operations.emplace_back(
                of_key.made.back(), born(key, of_key.made.size() - 1) ? "INSERT" : "UPDATE"
            );
        }
        for (auto& [version, operation] : operations) version->operation = operation;
        ModelTable left;
        for (const auto& version : versions) {
            if (version.lsn_from != end || kept.contains(&version)) left.push_back(version);
        }
        versions = std::move(left);
    }

    void apply(const hw::ChangeBatch& batch, const hw::TruncateTable& truncate) {
        const auto& transaction = batch.transactions[truncate.transaction];
        ModelTable tombstones;
        for (auto& version : versions_of(*truncate.table)) {
            if (version.lsn_to) continue;
            version.lsn_to = transaction.end_lsn;
            version.valid_to = transaction.recorded_time;
            auto tombstone = version;
            tombstone.lsn_from = transaction.end_lsn;
            tombstone.valid_from = transaction.recorded_time;
            tombstone.change_seq = truncate.change_seq;
            tombstone.operation = "TRUNCATE";
            tombstones.push_back(std::move(tombstone));
        }
        auto& versions = versions_of(*truncate.table);
        versions.insert(versions.end(), tombstones.begin(), tombstones.end());
    }

    Tables working_;
    State committed_;
};

}  // namespace pgchronicle::test
