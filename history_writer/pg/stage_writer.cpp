#include "history_writer/pg/stage_writer.hpp"

#include "history_writer/pg/interference.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "history_writer/pg/stage_sql.hpp"
#include "history_writer/row_key.hpp"

namespace pgchronicle::history_writer::pg {

namespace {

void add_neutral_fields(CopyWriter& writer, std::span<const std::byte> fields) {
    while (!fields.empty()) writer.neutral_field(take_neutral(fields));
}

}  // namespace

StageWriter::StageWriter(
    pq::Connection& target,
    std::shared_ptr<const HistoryTable> table,
    std::size_t number
)
    : target_{target},
      table_{std::move(table)},
      name_{stage_name(number)},
      split_{stage_is_split(*table_)} {}

void StageWriter::make_empty() {
    target_.exec(made_ ? empty_stage_sql(*table_, name_) : create_stage_sql(*table_, name_));
    made_ = true;
}

void StageWriter::drop() {
    if (made_) target_.exec(drop_stage_sql(*table_, name_));
    made_ = false;
}

void StageWriter::begin(Bytes& buffer, WireForm form) {
    make_empty();
    form_ = form;
    rows_ = 0;
    writer_.emplace(target_, buffer, form);
    writer_->begin(copy_stage_sql(*table_, name_, form));
    if (!split_) return;
    rest_.emplace(target_, rest_buffer_, form);
    rest_->hold();
}

void StageWriter::add(const StagedRow& row) {
    const auto rest_columns = own_columns + instruction_columns(*table_);
    writer_->begin_row(table_->columns.size() + (split_ ? 1 : rest_columns), row.payload);
    add_neutral_fields(*writer_, row.whole);
    if (split_) {
        writer_->int32_field(rows_);
        writer_->end_row();
        rest_->begin_row(rest_columns + 1, {});
    }
    auto& rest = split_ ? *rest_ : *writer_;
    rest.history_fields(row.fields);
    if (row.unknown) {
        rest.bytea_field(*row.unknown);
    } else {
        rest.null_field();
    }
    rest.int32_field(row.nth);
    add_neutral_fields(rest, row.base);
    if (row.base.empty()) {
        for (std::size_t i = 0; i < table_->key.size(); ++i) rest.null_field();
    }
    if (split_) rest.int32_field(rows_);
    rest.end_row();
    ++rows_;
}

void StageWriter::end() {
    const auto written = static_cast<std::uint64_t>(rows_);
    require_stored(target_, *table_, written, writer_->end());
    if (!split_) return;
    rest_->begin_held(copy_rest_sql(*table_, name_, form_));
    require_stored(target_, *table_, written, rest_->end());
    rest_buffer_ = {};  // Such tables are few, and it may have held huge keys.
}

}  // namespace pgchronicle::history_writer::pg
