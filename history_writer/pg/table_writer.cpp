#include "history_writer/pg/table_writer.hpp"

#include "history_writer/kept_memory.hpp"
#include "history_writer/pg/array_params.hpp"
#include "history_writer/pg/collapse_sql.hpp"
#include "history_writer/pg/end_versions.hpp"
#include "history_writer/pg/interference.hpp"
#include "history_writer/pg/mismatch.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "history_writer/pg/sql_text.hpp"
#include "history_writer/pg/stage_sql.hpp"
#include "history_writer/pg/wide_keys.hpp"
#include "history_writer/row_key.hpp"
#include "history_writer/table_failure.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pgchronicle::history_writer::pg {

namespace {

// OIDs of built-in types. Source: pg_type.dat.
constexpr std::uint32_t timestamptz_oid = 1184;
constexpr std::uint32_t pg_lsn_oid = 3220;

/// A buffer that one batch of rows of the usual size fills is kept for the next; there may be
/// hundreds of tables, so one that a huge row or key has filled is not.
constexpr std::size_t kept_bytes_max = 1U << 20U;

std::span<const std::byte> part(const Bytes& bytes, std::uint64_t offset, std::uint32_t size) {
    return std::span<const std::byte>{bytes}.subspan(offset, size);
}

HistoryFields fields_of(const ChangeBatch& batch, const Version& version) {
    HistoryFields fields;
    const auto& opened = batch.transactions[version.opened_by];
    fields.valid_from = opened.recorded_time;
    fields.lsn_from = opened.end_lsn;
    fields.open = version.closed_by == no_index;
    if (!fields.open) {
        const auto& closed = batch.transactions[version.closed_by];
        fields.valid_to = closed.recorded_time;
        fields.lsn_to = closed.end_lsn;
    }
    fields.operation = version.operation;
    fields.change_seq = version.change_seq;
    return fields;
}

}  // namespace

TableWriter::TableWriter(
    pq::Connection& target,
    std::string pipeline,
    std::shared_ptr<const HistoryTable> table,
    std::size_t number
)
    : target_{target},
      pipeline_{std::move(pipeline)},
      table_{std::move(table)},
      close_name_{fmt::format("pgchronicle_close_{}", number)},
      stage_{target_, table_, number} {
    if (!table_->keyed) return;
    if (keys_are_hashed(target_, *table_)) {
        auto hashed = std::make_shared<HistoryTable>(*table_);
        hashed->key_hashed = true;
        table_ = std::move(hashed);
        // The planner cannot know that the hash alone finds the key, and may want to collect all of
        // a key's versions and sort them.
        target_.exec("SET enable_bitmapscan = off");
    }
    read_key_types();
    target_.prepare(close_name_, close_sql(*table_, key_types_));
    arrays_.resize(key_types_.size() + 2);
}

void TableWriter::retire() {
    if (table_->keyed) target_.exec("DEALLOCATE " + close_name_);
    stage_.drop();
}

void TableWriter::read_key_types() {
    const auto rows = target_.exec(fmt::format(
        "SELECT a.attname, a.atttypid FROM pg_attribute a WHERE a.attrelid = {}::regclass"
        " AND a.attnum > 0",
        pq::quote_literal(qualified_name(*table_))
    ));
    for (const auto column : table_->key) {
        for (int i = 0; i < rows.rows(); ++i) {
            if (rows.text(i, 0) != table_->columns[column].name) continue;
            key_types_.push_back(table_->columns[column].type_sql);
            key_oids_.push_back(static_cast<std::uint32_t>(rows.int64(i, 1)));
        }
    }
}

bool TableWriter::closes_by_arrays(const TableChanges& changes) const {
    return table_->keyed && changes.old_rows.empty();
}

void TableWriter::build_arrays(const ChangeBatch& batch, const TableChanges& changes) {
    const auto keys = key_types_.size();
    const bool binary = batch.form == WireForm::binary;
    const auto order = order_.closes(changes);
    for (std::size_t k = 0; k < arrays_.size(); ++k) {
        arrays_[k].clear();
        if (k < keys && !binary) continue;
        const auto oid = k < keys ? key_oids_[k] : (k == keys ? timestamptz_oid : pg_lsn_oid);
        begin_binary_array(arrays_[k], oid, order.size());
    }
    constexpr std::int32_t eight_bytes = 8;
    for (const auto i : order) {
        const Close& close = changes.closes[i];
        auto rest = part(changes.keys, close.offset, close.size);
        for (std::size_t k = 0; k < keys; ++k) {
            const auto field = take_neutral(rest);
            if (binary) {
                append(arrays_[k], field);
            } else {
                append_text_element(arrays_[k], field);
            }
        }
        const auto& closed = batch.transactions[close.closed_by];
        append_int32(arrays_[keys], eight_bytes);
        append_int64(arrays_[keys], closed.recorded_time.microseconds);
        append_int32(arrays_[keys + 1], eight_bytes);
        append_int64(arrays_[keys + 1], static_cast<std::int64_t>(closed.end_lsn.value));
    }
    params_.clear();
    for (std::size_t k = 0; k < arrays_.size(); ++k) {
        const bool as_text = k < keys && !binary;
        if (as_text) end_text_array(arrays_[k]);
        auto param = pq::Param::bytes(0, arrays_[k]);
        param.binary = !as_text;
        params_.push_back(param);
    }
}

void TableWriter::send_closes(const ChangeBatch& batch, const TableChanges& changes) {
    build_arrays(batch, changes);
    target_.send_prepared(close_name_, params_);
}

void TableWriter::check_closes(const TableChanges& changes, std::uint64_t closed) {
    const auto expected = static_cast<std::uint64_t>(std::count_if(
        changes.closes.begin(),
        changes.closes.end(),
        [](const Close& close) { return close.closed_by != no_index; }
    ));
    const auto met = closed + unseen_;
    unseen_ = 0;
    if (met == expected) return;
    const bool unseen_allowed = table_->on_unknown_key == config::OnUnknownKey::open ||
                                (table_->below_seam && changes.old_rows.empty());
    if (met < expected && unseen_allowed) return;
    report_closes(expected, met);
}

void TableWriter::report_closes(std::uint64_t expected, std::uint64_t found) {
    require_untouched(target_, *table_);
    const bool doubled = found > expected;
    std::string keys;
    if (table_->keyed && !params_.empty()) {
        const std::span<const pq::Param> params{params_};
        const auto rows =
            doubled ? target_.exec(doubled_keys_sql(*table_, key_types_), params)
                    : target_.exec(
                          missing_keys_sql(*table_, key_types_), params.first(key_types_.size())
                      );
        for (int i = 0; i < rows.rows(); ++i) keys += (i == 0 ? "" : ", ") + rows.str(i, 0);
    }
    if (!keys.empty()) keys = fmt::format(" {}: {}.", doubled ? "More than one" : "Not open", keys);
    throw TableFailure{
        *table_,
        fmt::format(
            "history of table \"{}.{}\" {}",
            table_->source_schema,
            table_->source_table,
            doubled ? "holds more than one current version of a key"
                    : "does not hold every row that was changed"
        ),
        fmt::format("{} versions had to be closed and {} were open.{}", expected, found, keys),
        doubled ? "Somebody edited the history. Nothing was written; \"pgchronicle verify\" finds "
                  "such keys. Take back what was put there, then start again."
                : "Somebody edited the history, or rows are filtered on the source. Nothing was "
                  "written; restore the history, or set on_unknown_key: open for the table."};
}

void TableWriter::write_staged_closes(
    const ChangeBatch& batch,
    const TableChanges& changes,
    const SeamStart& start
) {
    stage_.begin(buffer_, batch.form);
    for (const auto& close : changes.closes) {
        const bool unseen = close.old_row != no_index;
        if (table_->keyed && !unseen) continue;
        const auto key = part(changes.keys, close.offset, close.size);
        StagedRow row;
        if (unseen) {
            const auto& old = changes.old_rows[close.old_row];
            row.payload = part(changes.payload, old.offset, old.size);
        } else {
            row.whole = key;
        }
        const auto& closed = batch.transactions[close.closed_by];
        row.fields = {
            start.time,
            start.lsn,
            false,
            closed.recorded_time,
            closed.end_lsn,
            Operation::snapshot,
            0};
        row.nth = static_cast<std::int32_t>(close.nth);
        if (table_->keyed) row.base = key;
        stage_.add(row);
    }
    stage_.end();
    unseen_ = 0;
    if (!changes.old_rows.empty()) {
        try {
            unseen_ = target_.exec(insert_unseen_sql(*table_, stage_.name())).affected();
        } catch (const pq::Error& error) {
            make_room(error);
            throw;
        }
    }
    if (table_->keyed) {
        target_.enter_pipeline();
        send_closes(batch, changes);
        check_closes(changes, target_.sync_pipeline().front().affected());
        return;
    }
    check_closes(changes, target_.exec(close_staged_sql(*table_, stage_.name())).affected());
}

void TableWriter::write_versions(const ChangeBatch& batch, const TableChanges& changes) {
    try {
        if (!changes.fills.empty()) write_fills(batch, changes);
        copy_versions(batch, changes);
    } catch (const pq::Error& error) {
        make_room(error);
        throw;
    }
    give_back();
}

void TableWriter::give_back() {
    clear_within(buffer_, kept_bytes_max);
    // They point into the arrays; until here, an error may have wanted to name the keys.
    params_.clear();
    for (auto& array : arrays_) clear_within(array, kept_bytes_max);
    order_.give_back();
}

void TableWriter::make_room(const pq::Error& error) {
    if (!table_->keyed || table_->key_hashed || !key_is_too_wide(error, *table_)) return;
    hash_keys(target_, *table_, error);
}

void TableWriter::copy_versions(const ChangeBatch& batch, const TableChanges& changes) {
    if (changes.versions.size() == changes.fills.size()) return;
    CopyWriter writer{target_, buffer_, batch.form};
    writer.begin(copy_sql(*table_, batch.form));
    const auto columns = table_->columns.size() + own_columns;
    std::uint64_t written = 0;
    for (const auto i : order_.versions(changes, batch.form)) {
        const Version& version = changes.versions[i];
        if (version.fill != no_index || version.dropped) continue;
        ++written;
        writer.begin_row(columns, part(changes.payload, version.offset, version.size));
        writer.history_fields(fields_of(batch, version));
        writer.end_row();
    }
    require_stored(target_, *table_, written, writer.end());
}

void TableWriter::stage_version(
    const ChangeBatch& batch,
    const TableChanges& changes,
    std::uint32_t version,
    std::uint32_t close,
    std::int32_t nth
) {
    const auto& from = changes.versions[version];
    const auto bitmap_bytes = (table_->columns.size() + 7) / 8;
    const Bytes none_unknown(from.fill == no_index ? bitmap_bytes : 0);
    StagedRow row;
    row.payload = part(changes.payload, from.offset, from.size);
    row.fields = fields_of(batch, from);
    row.unknown = from.fill == no_index ? std::span<const std::byte>{none_unknown}
                                        : part(
                                              changes.bitmaps,
                                              changes.fills[from.fill].bitmap,
                                              static_cast<std::uint32_t>(bitmap_bytes)
                                          );
    row.nth = nth;
    if (close != no_index) {
        const auto& base = changes.closes[close];
        row.base = part(changes.keys, base.offset, base.size);
    }
    stage_.add(row);
}

void TableWriter::drop_unchanged(const ChangeBatch& batch, TableChanges& changes) {
    const auto doubtful = [](const Close& close) { return close.unless_same_as != no_index; };
    if (std::none_of(changes.closes.begin(), changes.closes.end(), doubtful)) return;
    stage_.begin(buffer_, batch.form);
    for (std::uint32_t i = 0; i < changes.closes.size(); ++i) {
        const auto& close = changes.closes[i];
        if (!doubtful(close)) continue;
        stage_version(batch, changes, close.unless_same_as, i, static_cast<std::int32_t>(i));
    }
    stage_.end();
    const auto same = target_.exec(unchanged_sql(*table_, stage_.name()));
    for (int i = 0; i < same.rows(); ++i) {
        auto& close = changes.closes[static_cast<std::size_t>(same.int64(i, 0))];
        auto& version = changes.versions[close.unless_same_as];
        version.dropped = true;
        close.closed_by = version.closed_by;  // What ends it ends the one before it.
    }
}

void TableWriter::write_fills(const ChangeBatch& batch, const TableChanges& changes) {
    stage_.begin(buffer_, batch.form);
    std::uint64_t staged = 0;
    bool base_may_miss = table_->below_seam || table_->on_unknown_key == config::OnUnknownKey::open;
    for (const auto& fill : changes.fills) {
        if (changes.versions[fill.version].dropped) continue;
        const bool without_base = fill.close == no_index;
        stage_version(batch, changes, fill.version, fill.close, without_base ? -1 : 0);
        base_may_miss = base_may_miss || without_base;
        ++staged;
    }
    stage_.end();
    if (base_may_miss) {
        const pq::Param pipeline = pq::Param::text(pipeline_);
        target_.exec(pending_sql(*table_, stage_.name()), {&pipeline, 1});
    }
    if (base_may_miss && !table_->below_seam) {
        // No copy will come that might know.
        const auto from = to_string(batch.transactions.front().end_lsn);
        const auto to = to_string(batch.transactions.back().end_lsn);
        target_.exec(unknown_values_sql(*table_), {pipeline_, from, to});
        target_.exec(
            "DELETE FROM pgchronicle.pending_value WHERE pipeline = $1 AND target_schema = $2"
            " AND target_table = $3",
            {pipeline_, table_->target_schema, table_->target_table}
        );
    }
    const auto filled = target_.exec(fill_sql(*table_, stage_.name())).affected();
    if (filled != staged) report_closes(staged, filled);
}

void TableWriter::collapse(const SourceTransaction& transaction) {
    target_.exec(collapse_sql(*table_), {to_string(transaction.end_lsn)});
}

void TableWriter::truncate(const ChangeBatch& batch, const TruncateTable& truncate) {
    const auto& transaction = batch.transactions[truncate.transaction];
    end_open_versions(target_, *table_, Operation::truncate, transaction, truncate.change_seq);
    // The source's table has another file from now on, and not because it was rewritten.
    target_.exec(
        "UPDATE pgchronicle.table_state SET source_file = NULL WHERE pipeline = $1"
        " AND target_schema = $2 AND target_table = $3",
        {pipeline_, table_->target_schema, table_->target_table}
    );
}

}  // namespace pgchronicle::history_writer::pg
