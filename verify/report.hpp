#pragma once

#include "pgoutput/lsn.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What a verification finds, as plain values. Columns go by their names in the history table.

namespace pgchronicle::verify {

/// A column's name and its value as text.
struct Field {
    std::string name;
    std::optional<std::string> value;

    friend bool operator==(const Field&, const Field&) = default;
};
using Fields = std::vector<Field>;

enum class DifferenceKind : std::uint8_t {
    missing,  ///< The source has the row, the history has no version of it.
    extra,    ///< The other way round.
    several,  ///< Several versions of one key are valid at once.
    differs,  ///< Both have it, with other values.
};

struct Difference {
    DifferenceKind kind{};
    Fields key;  ///< The row key; without one, the row's text form as the field "row".
    /// Of `several` the versions, of a table without a key the rows more or less; else 1.
    std::uint64_t count{1};
    std::vector<std::string> columns;  ///< Of `differs`: those that do.
};

struct BrokenInvariant {
    std::string check;  ///< As in sql/checks.
    std::string says;   ///< What its rows are.
    std::uint64_t count{0};
    std::vector<Fields> rows;  ///< The first of them.
};

/// A column that is not compared, and why.
struct ColumnLeftOut {
    std::string name;
    std::string why;
};

enum class TableOutcome : std::uint8_t {
    compared,
    dropped,       ///< The source has no such table any more: every open version is one too many.
    unknown,       ///< It cannot be compared at this LSN, though it should be.
    not_followed,  ///< Nobody says that the history follows it; at most its invariants are checked.
};

struct TableReport {
    std::string source;   ///< schema.table
    std::string history;  ///< schema.table; empty where there is none.
    TableOutcome outcome{TableOutcome::compared};
    std::string why;            ///< Of `compared`: what is to be known of it, if anything.
    bool sampled{false};        ///< Some of its rows were compared, not all.
    std::uint64_t rows{0};      ///< Of the source.
    std::uint64_t versions{0};  ///< Valid at the LSN.
    std::uint64_t differences{0};
    std::uint64_t gaps{0};  ///< Differences, and broken invariants, that pgchronicle.gap explains.
    std::uint64_t unseen{0};       ///< Under `snapshot: never`: rows that no change has shown yet.
    std::vector<Difference> keys;  ///< The first of `differences`, in the order of their keys.
    std::vector<ColumnLeftOut> left_out;
    unsigned invariants{0};  ///< Checked.
    std::vector<BrokenInvariant> broken;

    [[nodiscard]] bool sound() const {
        return outcome != TableOutcome::unknown && differences == 0 && broken.empty();
    }
};

struct SampleReport {
    std::string asked;  ///< 5% or 1000
    std::uint32_t seed{0};
};

struct Report {
    std::string pipeline;
    pgoutput::Lsn lsn;
    std::string time;  ///< Of the source's snapshot, timestamptz text.
    std::string note;  ///< Why the history is complete up to `lsn` though nobody runs it; or empty.
    std::optional<SampleReport> sample;
    std::vector<TableReport> tables;
    double seconds{0};

    [[nodiscard]] bool sound() const {
        for (const auto& table : tables) {
            if (!table.sound()) return false;
        }
        return true;
    }
};

}  // namespace pgchronicle::verify
