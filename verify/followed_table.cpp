#include "verify/followed_table.hpp"

#include "history_writer/pg/quarantine_store.hpp"
#include "history_writer/pg/shape_store.hpp"
#include "pq/quoting.hpp"

#include <algorithm>
#include <utility>

namespace pgchronicle::verify {
namespace {

namespace pg = history_writer::pg;

std::string relation_of(const HistoryFacts& facts) {
    return pq::quote_qualified(facts.schema, facts.table);
}

HistoryFacts
read_facts(pq::Connection& target, const std::string& pipeline, const pg::TableState& state) {
    HistoryFacts facts;
    facts.schema = state.target_schema;
    facts.table = state.target_table;
    facts.row_key = state.row_key;
    facts.shape = pg::last_shape(target, pipeline, state.relation);
    const auto columns = target.exec(
        "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass($1)"
        " AND attnum > 0 AND NOT attisdropped",
        {relation_of(facts)}
    );
    for (int i = 0; i < columns.rows(); ++i) facts.columns.insert(columns.str(i, 0));
    return facts;
}

}  // namespace

std::vector<FollowedTable> read_followed(pq::Connection& target, const std::string& pipeline) {
    const auto quarantines = pg::read_quarantines(target, pipeline);
    std::vector<FollowedTable> followed;
    auto states = pg::read_states(target, pipeline);
    for (auto& state : pg::read_imported_states(target, pipeline)) {
        states.push_back(std::move(state));
    }
    for (auto& state : states) {
        FollowedTable one;
        const auto row = target.exec(
            "SELECT seam, compared, consistent_from FROM pgchronicle.table_state"
            " WHERE pipeline = $1 AND source_schema = $2 AND source_table = $3",
            {pipeline, state.source_schema, state.source_table}
        );
        one.seam = pgoutput::parse_lsn(row.text(0, 0));
        one.compared = pgoutput::parse_lsn(row.text(0, 1));
        one.consistent_from = pgoutput::parse_lsn(row.text(0, 2));
        const auto left = std::ranges::find_if(quarantines, [&](const pg::Quarantine& quarantine) {
            return quarantine.source_schema == state.source_schema &&
                   quarantine.source_table == state.source_table;
        });
        if (left != quarantines.end()) one.left_behind = left->from;
        one.facts = read_facts(target, pipeline, state);
        one.state = std::move(state);
        followed.push_back(std::move(one));
    }
    return followed;
}

std::string lock_history(pq::Connection& target, const HistoryFacts& facts) {
    const auto name = relation_of(facts);
    target.exec("LOCK TABLE " + name + " IN ACCESS SHARE MODE");
    // pg_class is read with the snapshot; the function tells of now.
    const auto known = target.exec(
        "SELECT relfilenode <> 0 AND relfilenode IS DISTINCT FROM"
        " pg_catalog.pg_relation_filenode(oid) FROM pg_catalog.pg_class"
        " WHERE oid = pg_catalog.to_regclass($1)",
        {name}
    );
    if (known.rows() == 1 && !known.boolean(0, 0)) return "";
    return "its history table was written anew meanwhile; verify it again";
}

}  // namespace pgchronicle::verify
