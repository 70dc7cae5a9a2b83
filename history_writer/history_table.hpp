#pragma once

#include "config/settings.hpp"
#include "history_writer/target_types.hpp"
#include "pgoutput/ids.hpp"
#include "pgoutput/relation.hpp"
#include "source_catalog/model.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::history_writer {

/// The form in which values travel, from the slot to COPY; one for a whole stream.
enum class WireForm : std::uint8_t { text, binary };

/// When two values of a key column are the same key, as far as bytes can tell.
enum class KeyEquality : std::uint8_t {
    bytes,         ///< Equal bytes, equal keys.
    numeric,       ///< 1.0 = 1.00
    floating,      ///< -0 = 0
    blank_padded,  ///< char(n): trailing blanks do not count.
    asked,  ///< Bytes that differ may be equal: only the source knows (citext, interval, jsonb).
};

/// One column of a history table that comes from the source.
struct HistoryColumn {
    std::string name;  ///< In the history table.
    std::string source_name;
    std::string type_sql;        ///< Its type there.
    bool stored_as_text{false};  ///< The target has no such type, so its text form is kept.
    KeyEquality equality{KeyEquality::bytes};
    std::string equals{"="};  ///< The operator that compares it as a key.
    bool of_extension{false};
    /// For a key column: the collation to be made in the history's schema, whose equality it has.
    struct Collation {
        std::string name;
        std::string locale;
        std::string rules;
        friend bool operator==(const Collation&, const Collation&) = default;
    };
    std::optional<Collation> collation{};
    bool tracked{true};  ///< Its change makes a version; else the open one is overwritten.

    friend bool operator==(const HistoryColumn&, const HistoryColumn&) = default;
};

/// Where the rows of one source table go, for one shape of it. Immutable once shared.
struct HistoryTable {
    pgoutput::RelationId relation{};
    std::string source_schema;
    std::string source_table;
    std::string target_schema;
    std::string target_table;
    std::string base_name;  ///< target_table without the suffix: names views and functions.
    std::vector<HistoryColumn> columns;  ///< Kept ones, in the order of the relation's columns.
    std::vector<std::uint16_t> key;      ///< Row key: indexes into `columns`, in key order.
    bool keyed{true};                    ///< False: no key at all, the whole row identifies it.
    /// The index holds hashes of the keys, some of which are too wide for it. The target knows:
    /// pg/wide_keys.
    bool key_hashed{false};
    config::HistoryColumnNames names;
    config::OnUnknownKey on_unknown_key{config::OnUnknownKey::stop};
    /// The table's rows have not been copied yet: a change may meet a row that nobody has seen.
    bool below_seam{false};
    /// Changes may have been missed: a key that begins may be open still.
    bool ends_missed{false};

    /// The root of partitions, each of which may have a replica identity of its own.
    bool partitioned{false};
    /// Its rows come from files, and from no relation.
    bool imported{false};
    /// Of the changes that one transaction makes to a key, only their net effect is kept. Not
    /// without a key.
    bool collapse{false};
    /// "schema.function" of the target, called for each new version; empty: none.
    std::string on_change{};

    /// For each column of the relation: its index in `columns`, or -1 when it is excluded.
    std::vector<std::int32_t> kept;

    bool tracks_all{true};      ///< Every column is tracked.
    bool asks_equality{false};  ///< The key has a column with KeyEquality::asked.

    [[nodiscard]] bool has_excluded() const { return kept.size() != columns.size(); }
    /// A change may leave no version, and it takes the last version to tell.
    [[nodiscard]] bool may_say_nothing() const { return has_excluded() || !tracks_all; }
};

/// Name of the history table that `schema`.`table` goes to: {schema} in the target's schema
/// pattern is replaced; a name over 63 bytes is cut and ends with a hash of the whole.
struct TargetName {
    std::string schema;
    std::string table;

    friend auto operator<=>(const TargetName&, const TargetName&) = default;
};
[[nodiscard]] TargetName
target_name(const std::string& schema, const std::string& table, const config::Settings& settings);

/// `name` when it fits PostgreSQL's 63 bytes, else a prefix (never half a character) and a hash.
[[nodiscard]] std::string shortened(const std::string& name);

/// Whether the configuration wants the history of this table.
[[nodiscard]] bool
wanted(const std::string& schema, const std::string& table, const config::Settings& settings);

/// The history table for a source table as its catalog describes it. Its row key is the primary
/// key under DEFAULT, FULL and NOTHING, the index's columns under USING INDEX, and the whole row
/// where there is neither.
[[nodiscard]] HistoryTable plan_history_table(
    const source_catalog::Table& source,
    const config::Settings& settings,
    const TargetTypes& types = {}
);
/// The column holds the text form, whose equality is that of bytes.
void store_as_text(HistoryColumn& column);
/// Sets asks_equality by the columns.
void note_equality(HistoryTable& table);

/// The type that keeps `column` in the target, and whether that is its text form.
struct TargetType {
    std::string type_sql;
    bool as_text{false};
    const ExtensionType* of_extension{nullptr};  ///< Points into `types`.
};
[[nodiscard]] TargetType
target_type(const source_catalog::Column& column, const TargetTypes& types = {});

/// Whether the binary form of every kept column means the same on both servers. False sends the
/// whole stream as text.
[[nodiscard]] bool binary_safe(const source_catalog::Table& source, const HistoryTable& table);

/// Whether a relation of the stream has the columns that `table` was planned for.
[[nodiscard]] bool matches(const pgoutput::Relation& relation, const source_catalog::Table& source);

}  // namespace pgchronicle::history_writer
