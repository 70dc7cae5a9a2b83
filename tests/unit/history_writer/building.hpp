#pragma once

#include "history_writer/batch_builder.hpp"
#include "history_writer/copy_row.hpp"
#include "tests/support/wire_builder.hpp"
#include "tests/unit/history_writer/rows.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <span>
#include <string>
#include <vector>

// Transactions into a BatchBuilder, and what the batch does in words.

namespace pgchronicle::test::building {

using namespace history_writer;
using pgoutput::OldTupleKind;
using Table = std::shared_ptr<const HistoryTable>;

/// A builder whose transactions end at 100, 200, ...; changes are numbered from 1 in each.
struct Building {
    explicit Building(WireForm form = WireForm::text) : builder{form} { next_transaction(); }

    void next_transaction() {
        ++transactions;
        seq = 0;
        builder.begin_transaction(
            {pgoutput::Lsn{transactions * 100U},
             pgoutput::PgTimestamp{static_cast<std::int64_t>(transactions)}}
        );
    }
    auto insert(const Table& table, const Row& row) {
        return builder.insert(table, row.tuple(), ++seq);
    }
    auto update(const Table& table, const Row& row) {
        return builder.update(table, {{}, {}, OldTupleKind::none, {}, row.tuple()}, ++seq);
    }
    auto update(const Table& table, OldTupleKind kind, const Row& old, const Row& row) {
        return builder.update(table, {{}, {}, kind, old.tuple(), row.tuple()}, ++seq);
    }
    auto remove(const Table& table, OldTupleKind kind, const Row& old) {
        return builder.remove(table, {{}, {}, kind, old.tuple()}, ++seq);
    }

    BatchBuilder builder;
    unsigned transactions{0};
    std::uint64_t seq{0};
};

inline Row order(const char* id, const char* status, const char* note = "-") {
    return {text(id), text(status), text(note)};
}
inline Row order_key(const char* id) {
    return {text(id), null(), null()};
}

/// A version in one line: `UPDATE 1|paid|- [200:1,300)`; `?` is left to the target.
inline std::string
line_of(const ChangeBatch& batch, const TableChanges& changes, const Version& version) {
    std::string line = name_of(version.operation);
    const auto row =
        std::span<const std::byte>{changes.payload}.subspan(version.offset, version.size);
    for (std::size_t i = 0; i < changes.table->columns.size(); ++i) {
        auto field = string_of(field_of(row, i, WireForm::text));
        field.pop_back();
        if (version.fill != no_index) {
            const auto bitmap = changes.fills.at(version.fill).bitmap;
            const auto byte = std::to_integer<unsigned>(changes.bitmaps.at(bitmap + i / 8));
            if ((byte >> (i % 8) & 1U) != 0) field = "?";
        }
        line += (i == 0 ? " " : "|") + field;
    }
    const auto lsn = [&](std::uint32_t transaction) {
        return std::to_string(batch.transactions.at(transaction).end_lsn.value);
    };
    line += " [" + lsn(version.opened_by) + ":" + std::to_string(version.change_seq) + ",";
    if (version.closed_by != no_index) line += lsn(version.closed_by);
    return line + ")";
}

using Lines = std::vector<std::string>;

/// Everything the batch does, stretch by stretch: closes, then versions, then truncates.
inline Lines lines_of(const ChangeBatch& batch) {
    Lines lines;
    for (const auto& stretch : batch.stretches) {
        for (const auto& changes : stretch.tables) {
            for (const auto& close : changes->closes) {
                const auto key = string_of(changes->keys).substr(close.offset + 4, close.size - 4);
                lines.push_back("close " + key + " #" + std::to_string(close.nth));
            }
            for (const auto& version : changes->versions) {
                lines.push_back(line_of(batch, *changes, version));
            }
        }
        for (const auto& truncate : stretch.truncates) {
            lines.push_back("truncate :" + std::to_string(truncate.change_seq));
        }
    }
    return lines;
}

inline Lines lines_of(Building& building) {
    return lines_of(building.builder.take(false));
}

inline PlanErrc code_of(const BatchBuilder::Outcome& outcome) {
    REQUIRE(outcome.has_value());
    return outcome->code;
}

inline Table whole_row_table() {
    auto table = orders_table();
    table.keyed = false;
    table.key.clear();
    return shared(std::move(table));
}

/// id and status are kept, note is not.
inline Table narrow_table() {
    auto table = orders_table();
    table.columns.pop_back();
    table.kept = {0, 1, -1};
    return shared(std::move(table));
}

inline const Table orders = shared(orders_table());

}  // namespace pgchronicle::test::building
