#pragma once

#include "history_writer/history_table.hpp"
#include "history_writer/wire_bytes.hpp"
#include "pgoutput/tuple.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Values and tables for the tests of this folder.

namespace pgchronicle::test {

inline std::string string_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Points into `text`.
inline pgoutput::Value text_value(std::string_view text) {
    return {pgoutput::ValueKind::text, std::as_bytes(std::span{text.data(), text.size()})};
}
inline pgoutput::Value binary_value(std::string_view bytes) {
    return {pgoutput::ValueKind::binary, std::as_bytes(std::span{bytes.data(), bytes.size()})};
}

/// public.orders (id, status, note) into analytics.orders_history, keyed by id.
inline history_writer::HistoryTable orders_table() {
    history_writer::HistoryTable table;
    table.relation = pgoutput::RelationId{16400};
    table.source_schema = "public";
    table.source_table = "orders";
    table.target_schema = "analytics";
    table.target_table = "orders_history";
    table.base_name = "orders";
    table.columns = {
        {"id", "id", "integer"}, {"status", "status", "text"}, {"note", "note", "text"}};
    table.key = {0};
    table.kept = {0, 1, 2};
    return table;
}

inline std::shared_ptr<const history_writer::HistoryTable> shared(history_writer::HistoryTable table
) {
    return std::make_shared<const history_writer::HistoryTable>(std::move(table));
}

}  // namespace pgchronicle::test
