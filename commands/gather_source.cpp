#include "commands/gather_source.hpp"

#include "commands/probe_slot.hpp"
#include "config/suggest.hpp"
#include "pq/array_text.hpp"
#include "source_catalog/catalog.hpp"

#include <algorithm>

namespace pgchronicle::commands {
namespace {

using replicator::SourceFacts;

/// `check` is run by a person who waits.
constexpr std::chrono::seconds probe_time_limit{5};

/// Name columns of the first column of a result.
std::vector<std::string> names_of(const pq::Result& result) {
    std::vector<std::string> names;
    names.reserve(static_cast<std::size_t>(result.rows()));
    for (int row = 0; row < result.rows(); ++row) names.push_back(result.str(row, 0));
    return names;
}

void suggest_names(pq::Connection& source, const config::Settings& settings, SourceFacts& facts) {
    if (!facts.slot) {
        const auto slots = names_of(source.exec(
            "SELECT slot_name FROM pg_replication_slots WHERE plugin = 'pgoutput' ORDER BY 1"
        ));
        facts.similar_slot = config::nearest(settings.source.slot, slots);
    }
    const auto all = names_of(source.exec("SELECT pubname FROM pg_publication ORDER BY 1"));
    for (const std::string& name : settings.source.publications) {
        if (std::ranges::find(all, name) != all.end()) continue;
        if (const auto near = config::nearest(name, all)) {
            facts.similar_publications.emplace(name, *near);
        }
    }
}

std::string published_ids(const SourceFacts& facts) {
    std::vector<std::string> ids;
    for (const auto& table : facts.tables) {
        ids.push_back(std::to_string(static_cast<std::uint32_t>(table.id)));
    }
    return pq::array_text(ids);
}

// Not the server's own tables, nor those of extensions, nor what is published through its root or
// its partitions.
constexpr const char* unpublished_sql = R"(
SELECT n.nspname, c.relname, c.relpersistence = 'u'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence IN ('p', 'u')
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND c.oid <> ALL ($1::oid[])
  AND NOT EXISTS (SELECT FROM pg_partition_ancestors(c.oid) a(relid)
                  WHERE a.relid = ANY ($1::oid[]))
  AND NOT EXISTS (SELECT FROM pg_partition_tree(c.oid) t WHERE t.relid = ANY ($1::oid[]))
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
)";

constexpr const char* odd_partitions_sql = R"(
SELECT rn.nspname, r.relname, n.nspname, c.relname, c.relreplident
FROM pg_class r
JOIN pg_namespace rn ON rn.oid = r.relnamespace
CROSS JOIN LATERAL pg_partition_tree(r.oid) t
JOIN pg_class c ON c.oid = t.relid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE r.oid = ANY ($1::oid[]) AND r.relkind = 'p' AND t.isleaf
  AND c.relreplident <> r.relreplident AND c.relreplident <> 'f'
ORDER BY 1, 2, 3, 4
)";

constexpr const char* generated_sql = R"(
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum), c.oid
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attrelid = ANY ($1::oid[]) AND a.attgenerated <> '' AND NOT a.attisdropped
GROUP BY 1, 2, 4 ORDER BY 1, 2
)";

constexpr const char* row_security_sql = R"(
SELECT n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY ($1::oid[]) AND c.relrowsecurity AND row_security_active(c.oid)
ORDER BY 1, 2
)";

void read_oddities(pq::Connection& source, SourceFacts& facts) {
    const std::string ids = published_ids(facts);
    const auto unpublished = source.exec(unpublished_sql, {ids});
    for (int row = 0; row < unpublished.rows(); ++row) {
        facts.unpublished.push_back(
            {unpublished.str(row, 0), unpublished.str(row, 1), unpublished.boolean(row, 2)}
        );
    }
    const auto partitions = source.exec(odd_partitions_sql, {ids});
    for (int row = 0; row < partitions.rows(); ++row) {
        facts.odd_partitions.push_back(
            {partitions.str(row, 0),
             partitions.str(row, 1),
             partitions.str(row, 2),
             partitions.str(row, 3),
             pgoutput::ReplicaIdentity{partitions.text(row, 4).front()}}
        );
    }
    const auto hidden = source.exec(row_security_sql, {ids});
    for (int row = 0; row < hidden.rows(); ++row) {
        facts.row_security.push_back({hidden.str(row, 0), hidden.str(row, 1)});
    }
    const auto generated = source.exec(generated_sql, {ids});
    for (int row = 0; row < generated.rows(); ++row) {
        replicator::TableColumns table{
            generated.str(row, 0),
            generated.str(row, 1),
            pq::parse_array_text(generated.text(row, 2))};
        const auto id = static_cast<std::uint32_t>(generated.int64(row, 3));
        const auto streamed =
            std::ranges::find(facts.tables, pgoutput::RelationId{id}, &source_catalog::Table::id);
        std::erase_if(table.columns, [&](const std::string& name) {
            return std::ranges::find(streamed->columns, name, &source_catalog::Column::name) !=
                   streamed->columns.end();
        });
        if (!table.columns.empty()) facts.generated.push_back(std::move(table));
    }
}

void read_limits(pq::Connection& source, SourceFacts& facts) {
    const auto limits = source.exec(
        "SELECT current_setting('max_replication_slots'),"
        " (SELECT count(*) FROM pg_replication_slots),"
        " current_setting('max_wal_senders'), (SELECT count(*) FROM pg_stat_replication),"
        " (SELECT setting FROM pg_settings WHERE name = 'max_slot_wal_keep_size'),"
        " coalesce((SELECT setting::bigint * CASE unit WHEN 'min' THEN 60 ELSE 1 END"
        " FROM pg_settings WHERE name = 'idle_replication_slot_timeout'), 0)"
    );
    facts.replication_slots = {limits.int64(0, 0), limits.int64(0, 1)};
    facts.wal_senders = {limits.int64(0, 2), limits.int64(0, 3)};
    facts.slot_keep_mib = limits.int64(0, 4);
    facts.slot_idle_limit_s = limits.int64(0, 5);
}

bool probe_makes_sense(const SourceFacts& facts, const config::Settings& settings) {
    return facts.slot && !facts.slot->active && facts.slot->plugin == "pgoutput" &&
           facts.slot->database == facts.server.database && facts.slot->wal_status != "lost" &&
           facts.slot->invalidation_reason.empty() && facts.server.wal_level == "logical" &&
           facts.publications.size() == settings.source.publications.size();
}

}  // namespace

SourceFacts gather_source(pq::Connection& source, const config::Settings& settings) {
    const auto& publications = settings.source.publications;
    SourceFacts facts;
    facts.server = source_catalog::read_server(source);
    facts.slot = source_catalog::read_slot(source, settings.source.slot);
    facts.publications = source_catalog::read_publications(source, publications);
    facts.tables = source_catalog::read_tables(source, publications);
    suggest_names(source, settings, facts);
    read_oddities(source, facts);
    read_limits(source, facts);
    for (const auto& name : names_of(source.exec(
             "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
             " AND NOT temporary AND slot_name ~ '^pgchronicle_(bookmark|replay)_' ORDER BY 1"
         ))) {
        if (auto slot = source_catalog::read_slot(source, name)) {
            facts.made_slots.push_back(*std::move(slot));
        }
    }
    if (facts.slot && facts.slot->active) {
        const auto user = names_of(source.exec(
            "SELECT application_name FROM pg_stat_activity WHERE pid = $1::integer",
            {std::to_string(facts.slot->active_pid)}
        ));
        if (!user.empty()) facts.slot_user = user.front();
    }
    if (probe_makes_sense(facts, settings)) {
        facts.probe = probe_slot(
            source,
            settings.source.slot,
            publications,
            {.upto = std::nullopt, .time_limit = probe_time_limit}
        );
    }
    return facts;
}

}  // namespace pgchronicle::commands
