#include "history_writer/change_batch.hpp"

#include "history_writer/kept_memory.hpp"

namespace pgchronicle::history_writer {

const char* name_of(Operation operation) {
    switch (operation) {
    case Operation::insert:
        return "INSERT";
    case Operation::update:
        return "UPDATE";
    case Operation::remove:
        return "DELETE";
    case Operation::truncate:
        return "TRUNCATE";
    case Operation::rekey:
        return "REKEY";
    case Operation::snapshot:
        return "SNAPSHOT";
    case Operation::reconcile:
        return "RECONCILE";
    case Operation::rewrite:
        return "REWRITE";
    }
    return "";
}

void TableChanges::clear() {
    table.reset();
    payload.clear();
    keys.clear();
    bitmaps.clear();
    versions.clear();
    closes.clear();
    fills.clear();
    old_rows.clear();
}

std::size_t TableChanges::bytes() const {
    return payload.size() + keys.size() + bitmaps.size() + versions.size() * sizeof(Version) +
           closes.size() * sizeof(Close) + fills.size() * sizeof(Fill) +
           old_rows.size() * sizeof(OldRow);
}

std::size_t TableChanges::memory() const {
    return sizeof *this + memory_of(payload) + memory_of(keys) + memory_of(bitmaps) +
           memory_of(versions) + memory_of(closes) + memory_of(fills) + memory_of(old_rows);
}

std::size_t ChangeBatch::bytes() const {
    std::size_t total = transactions.size() * sizeof(SourceTransaction);
    for (const auto& stretch : stretches) {
        for (const auto& table : stretch.tables) total += table->bytes();
    }
    return total;
}

}  // namespace pgchronicle::history_writer
