#include "tests/simulation/fake_process.hpp"

#include "pq/error.hpp"

#include <algorithm>
#include <vector>

namespace pgchronicle::simulation {

namespace {

using TablePtr = std::shared_ptr<const history_writer::HistoryTable>;

/// Whether keys of "numbered" are equal is asked, for once.
TablePtr asking(const TablePtr& table) {
    if (!table || table->source_table != "numbered") return table;
    auto asks = std::make_shared<history_writer::HistoryTable>(*table);
    for (const auto column : asks->key) {
        asks->columns[column].equality = history_writer::KeyEquality::asked;
    }
    asks->asks_equality = true;
    return asks;
}

const TablePtr& table_of(pgoutput::RelationId id) {
    static const auto tables = [] {
        std::vector<TablePtr> made;
        for (std::size_t i = 0; i < test::story_tables().size(); ++i) {
            made.push_back(asking(test::history_table(i)));
        }
        return made;
    }();
    const auto first = static_cast<std::uint32_t>(test::relation_id(0));
    return tables.at(static_cast<std::uint32_t>(id) - first);
}

/// As numbers.
bool equal_values(std::string a, std::string b) {
    for (auto* value : {&a, &b}) {
        if (value->ends_with(".0")) value->resize(value->size() - 2);
    }
    return a == b;
}

}  // namespace

void FakeTables::fail_now_and_then() {
    if (!world_.chance(options_.error_one_in)) return;
    world_.fault("catalog cannot be read");
    throw pq::Error{{.sqlstate = "55P03", .primary = "canceling statement due to lock timeout"}};
}

std::optional<replicator::io::TableResolver::Answer> FakeTables::known(
    const pgoutput::Relation& relation
) {
    if (!options_.known_from_start && !resolved_.contains(relation.id)) return std::nullopt;
    return Answer{table_of(relation.id)};
}

bool FakeTables::same_columns(const pgoutput::Relation& /*relation*/) {
    fail_now_and_then();
    world_.count("columns are looked at");
    // Said to be others: the table is looked up then, and turns out to be the same.
    return !world_.chance(options_.other_columns_one_in);
}

replicator::io::TableResolver::Answer FakeTables::resolve(
    const pgoutput::Relation& relation,
    const history_writer::SourceTransaction& /*at*/
) {
    fail_now_and_then();
    world_.count("table is looked up");
    resolved_.insert(relation.id);
    if (world_.chance(options_.copy_one_in)) copy_due_ = true;
    return {table_of(relation.id)};
}

bool FakeTables::equal(const history_writer::KeyQuestion& question) {
    fail_now_and_then();
    world_.count("keys are compared by the source");
    return std::all_of(question.columns.begin(), question.columns.end(), [](const auto& column) {
        return equal_values(column.before, column.after);
    });
}

void FakeTables::recheck() {
    fail_now_and_then();
}

}  // namespace pgchronicle::simulation
