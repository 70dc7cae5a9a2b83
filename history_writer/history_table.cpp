#include "history_writer/history_table.hpp"

#include "history_writer/table_pattern.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace pgchronicle::history_writer {

namespace {

/// NAMEDATALEN - 1: PostgreSQL cuts longer names silently, which could make two of them one.
constexpr std::size_t name_bytes_max = 63;

// OIDs of built-in types, which never change. Source: pg_type.dat.
constexpr std::uint32_t numeric_oid = 1700;
constexpr std::uint32_t float4_oid = 700;
constexpr std::uint32_t float8_oid = 701;
constexpr std::uint32_t bpchar_oid = 1042;

/// Types whose values are names of objects, and arrays of them: binary they are OIDs, which mean
/// nothing elsewhere, and the objects they name may not exist in the target.
constexpr std::array<std::uint32_t, 24> name_like_oids{
    24,   1033, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191,
    1008, 1034, 2207, 2208, 2209, 2210, 2211, 3735, 3770, 4090, 4097, 4192};
/// oidvector and int2vector, and arrays of them: PostgreSQL does not read back an empty one in
/// the binary form that it writes.
constexpr std::array<std::uint32_t, 4> vector_oids{22, 30, 1006, 1013};

std::uint32_t oid_of(const source_catalog::Column& column) {
    return static_cast<std::uint32_t>(column.type);
}

/// Types whose equality looks past what their text says: interval, jsonb, ranges of numeric, and
/// arrays of types like these.
constexpr std::array<std::uint32_t, 12>
    asked_oids{1186, 3802, 3906, 4532, 1014, 1021, 1022, 1187, 1231, 3807, 3907, 6151};

/// Types with values that only 17 and later know, interval and jsonpath, and arrays of them: an
/// infinite interval would be a finite one to an earlier server.
constexpr std::array<std::uint32_t, 4> grown_in_17_oids{1186, 1187, 4072, 4073};
constexpr int version_17 = 170'000;

template <typename Oids>
bool contains(const Oids& oids, std::uint32_t oid) {
    return std::ranges::find(oids, oid) != oids.end();
}

bool names_objects(std::uint32_t oid) {
    return contains(name_like_oids, oid);
}

bool built_in(std::uint32_t oid) {
    return oid < pgoutput::first_normal_oid;
}

std::uint64_t fnv1a(const std::string& text) {
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (const char c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001B3ULL;
    }
    return hash;
}

KeyEquality equality_of(const source_catalog::Column& column) {
    const auto base = column.base_type != 0 ? column.base_type : oid_of(column);
    if (!column.deterministic_collation || !built_in(base) || contains(asked_oids, base)) {
        return KeyEquality::asked;
    }
    switch (base) {
    case numeric_oid:
        return KeyEquality::numeric;
    case float4_oid:
    case float8_oid:
        return KeyEquality::floating;
    case bpchar_oid:
        return KeyEquality::blank_padded;
    default:
        return KeyEquality::bytes;
    }
}

/// As much of `name` as fits with a hash of `text` behind it; never half a character.
std::string hashed(const std::string& name, const std::string& text) {
    char hash[18];
    const int size =
        std::snprintf(hash, sizeof hash, "_%08x", static_cast<unsigned>(fnv1a(text) & 0xFFFFFFFFU));
    std::size_t cut = std::min(name.size(), name_bytes_max - static_cast<std::size_t>(size));
    while (cut > 0 && cut < name.size() && (static_cast<unsigned char>(name[cut]) & 0xC0U) == 0x80U
    ) {
        --cut;
    }
    return name.substr(0, cut) + hash;
}

const std::vector<std::string>& key_columns(const source_catalog::Table& source) {
    return source.replica_identity == pgoutput::ReplicaIdentity::index ? source.identity_index
                                                                       : source.primary_key;
}

}  // namespace

std::string shortened(const std::string& name) {
    return name.size() <= name_bytes_max ? name : hashed(name, name);
}

TargetName
target_name(const std::string& schema, const std::string& table, const config::Settings& settings) {
    TargetName name{settings.target.schema, table + settings.target.table_suffix};
    constexpr std::string_view placeholder = "{schema}";
    if (const auto at = name.schema.find(placeholder); at != std::string::npos) {
        name.schema.replace(at, placeholder.size(), schema);
    }
    const auto found = settings.tables.overrides.find(schema + "." + table);
    if (found != settings.tables.overrides.end() && found->second.target_table) {
        name.table = *found->second.target_table;
    }
    return {shortened(name.schema), shortened(name.table)};
}

bool wanted(const std::string& schema, const std::string& table, const config::Settings& settings) {
    return TableFilter{settings.tables.include, settings.tables.exclude}.selects(schema, table);
}

TargetType target_type(const source_catalog::Column& column, const TargetTypes& types) {
    constexpr char domain_kind = 'd';
    constexpr char base_kind = 'b';
    // From 18 on, array types are members of the extension, too.
    if (!column.extension.empty() && column.type_kind == base_kind && !column.array &&
        column.has_binary_send) {
        const auto found = types.extension_types.find({column.extension, column.type_name});
        if (found != types.extension_types.end()) {
            return {found->second.type_sql, false, &found->second};
        }
    }
    // A domain is its base type, with all that holds for that.
    const auto base = column.base_type != 0 ? column.base_type : oid_of(column);
    const auto element = column.array ? column.element_type : base;
    const bool grown = types.versions.source >= version_17 && types.versions.target < version_17 &&
                       contains(grown_in_17_oids, base);
    if (!built_in(base) || !built_in(element) || names_objects(base) || names_objects(element) ||
        contains(vector_oids, base) || grown || !column.has_binary_send) {
        return {"text", true, nullptr};
    }
    const bool domain = column.type_kind == domain_kind && column.domain_base_sql;
    return {domain ? *column.domain_base_sql : column.type_sql, false, nullptr};
}

void store_as_text(HistoryColumn& column) {
    column.type_sql = "text";
    column.stored_as_text = true;
    column.of_extension = false;
    column.equals = "=";
    column.equality = KeyEquality::bytes;
}

void note_equality(HistoryTable& table) {
    table.asks_equality = std::ranges::any_of(table.key, [&](std::uint16_t column) {
        return table.columns[column].equality == KeyEquality::asked;
    });
}

HistoryTable plan_history_table(
    const source_catalog::Table& source,
    const config::Settings& settings,
    const TargetTypes& types
) {
    HistoryTable table;
    table.relation = source.id;
    table.source_schema = source.schema_name;
    table.source_table = source.name;
    const auto name = target_name(source.schema_name, source.name, settings);
    table.target_schema = name.schema;
    table.target_table = name.table;
    const auto& suffix = settings.target.table_suffix;
    table.base_name = name.table.ends_with(suffix) && name.table.size() > suffix.size()
                          ? name.table.substr(0, name.table.size() - suffix.size())
                          : name.table;
    constexpr char partitioned_kind = 'p';
    table.partitioned = source.kind == partitioned_kind;
    table.names = settings.tables.history_columns;
    table.on_unknown_key = settings.snapshot == config::Snapshot::never
                               ? config::OnUnknownKey::open
                               : config::OnUnknownKey::stop;

    const config::TableOverride none;
    const auto found = settings.tables.overrides.find(qualified(source));
    const auto& override = found == settings.tables.overrides.end() ? none : found->second;
    table.on_change = override.on_change.value_or("");
    if (override.on_unknown_key) table.on_unknown_key = *override.on_unknown_key;

    const auto tracked = [&](const std::string& column) {
        return !override.track ||
               std::ranges::find(*override.track, column) != override.track->end();
    };
    for (const auto& column : source.columns) {
        const auto& excluded = override.exclude_columns;
        if (std::find(excluded.begin(), excluded.end(), column.name) != excluded.end()) {
            table.kept.push_back(-1);
            continue;
        }
        const auto renamed = override.rename.find(column.name);
        const auto type = target_type(column, types);
        table.kept.push_back(static_cast<std::int32_t>(table.columns.size()));
        auto& kept = table.columns.emplace_back();
        kept.name = renamed == override.rename.end() ? column.name : renamed->second;
        kept.source_name = column.name;
        kept.type_sql = type.type_sql;
        kept.equality = equality_of(column);
        kept.tracked = tracked(column.name);
        if (type.as_text) store_as_text(kept);
        if (type.of_extension != nullptr) {
            kept.of_extension = true;
            if (!type.of_extension->equals.empty()) kept.equals = type.of_extension->equals;
        }
    }
    for (const auto& key : key_columns(source)) {
        const auto at = std::find_if(table.columns.begin(), table.columns.end(), [&](auto& c) {
            return c.source_name == key;
        });
        if (at == table.columns.end()) {  // A key column is excluded or not published.
            table.key.clear();
            break;
        }
        table.key.push_back(static_cast<std::uint16_t>(at - table.columns.begin()));
    }
    table.keyed = !table.key.empty();
    table.collapse =
        table.keyed && override.intra_transaction.value_or(settings.tables.intra_transaction) ==
                           config::IntraTransaction::collapse;
    for (const auto column : table.key) {
        auto& kept = table.columns[column];
        kept.tracked = true;  // Another key is another row.
        const auto described =
            std::ranges::find(source.columns, kept.source_name, &source_catalog::Column::name);
        if (described->deterministic_collation || kept.stored_as_text) continue;
        // Without the collation the history tells keys apart that the source does not.
        if (types.icu) {
            // Schemas of the source may have another one of that name each.
            const auto& locale = described->collation_locale;
            const auto& rules = described->collation_rules;
            kept.collation = {hashed(described->collation_name, locale + rules), locale, rules};
        } else {
            kept.equality = KeyEquality::bytes;
        }
    }
    note_equality(table);
    table.tracks_all = std::ranges::all_of(table.columns, &HistoryColumn::tracked);
    return table;
}

bool binary_safe(const source_catalog::Table& source, const HistoryTable& table) {
    for (std::size_t i = 0; i < source.columns.size(); ++i) {
        const auto& column = source.columns[i];
        if (i < table.kept.size() && table.kept[i] < 0) continue;
        const auto oid = oid_of(column);
        const bool plain =
            column.type_kind == 'b' || column.type_kind == 'r' || column.type_kind == 'm';
        const bool element_plain =
            !column.array || (built_in(column.element_type) && !names_objects(column.element_type));
        if (!plain || !element_plain || !built_in(oid) || names_objects(oid) ||
            !column.has_binary_send ||
            table.columns[static_cast<std::size_t>(table.kept[i])].stored_as_text) {
            return false;
        }
    }
    // An array cannot be an element of the arrays that carry keys, unless as text.
    return std::none_of(table.key.begin(), table.key.end(), [&](std::uint16_t k) {
        return table.columns[k].type_sql.ends_with("[]");
    });
}

bool matches(const pgoutput::Relation& relation, const source_catalog::Table& source) {
    if (relation.schema_name != source.schema_name || relation.name != source.name ||
        relation.replica_identity != source.replica_identity ||
        relation.columns.size() != source.columns.size()) {
        return false;
    }
    // Of FULL and NOTHING, a relation does not say which columns are the key.
    const auto* const identity =
        relation.replica_identity == pgoutput::ReplicaIdentity::by_default ? &source.primary_key
        : relation.replica_identity == pgoutput::ReplicaIdentity::index    ? &source.identity_index
                                                                           : nullptr;
    const auto same_key = [&](const pgoutput::Column& column) {
        return identity == nullptr ||
               column.in_identity == (std::ranges::find(*identity, column.name) != identity->end());
    };
    return std::equal(
        relation.columns.begin(),
        relation.columns.end(),
        source.columns.begin(),
        [&](const auto& a, const auto& b) {
            return a.name == b.name && a.type == b.type && a.type_modifier == b.type_modifier &&
                   same_key(a);
        }
    );
}

}  // namespace pgchronicle::history_writer
