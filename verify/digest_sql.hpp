#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

// SQL that digests the rows of one side, the same text for source and target. Text only.
//
// A value's canonical form is what its output function writes under the settings that every
// connection pins; a row's is that of ROW(...), which tells NULL from the empty string.

namespace pgchronicle::verify {

enum class DigestForm : std::uint8_t {
    fast,      ///< The server's own hash, where both servers are seen to hash alike.
    portable,  ///< md5 of the text in UTF-8, where encodings or machines differ.
};

/// A bigint that stands for the row.
[[nodiscard]] std::string hash_sql(const std::vector<std::string>& columns, DigestForm form);

/// Which rows: some of 2^20 parts, by the hash of their key.
struct Sample {
    std::uint32_t seed{0};
    std::uint32_t parts{0};
};
inline constexpr std::uint32_t sample_parts = 1U << 20U;

/// Condition for a row whose key hashes to `hash`.
[[nodiscard]] std::string sample_sql(const std::string& hash, const Sample& sample);

/// The rows of one table on one side.
struct Side {
    std::string from;   ///< The relation, called t.
    std::string where;  ///< Empty: all of it.
    /// Of a history: rows that were valid at some time until then. rows_sql then tells these keys,
    /// too, with a count of 0. Empty: it does not.
    std::string ever;
    std::vector<std::string> key;      ///< Expressions; empty: the whole row is the key.
    std::vector<std::string> columns;  ///< Expressions, in the same order on both sides.
    std::string lsn_from{"NULL::pg_lsn"};
    DigestForm form{DigestForm::fast};
    std::optional<Sample> sample;
};

/// (bucket, count, sum of digests): rows are spread by the hash of their key over `buckets`, a
/// power of two.
[[nodiscard]] std::string buckets_sql(const Side& side, std::uint32_t buckets);

/// Characters of a key column, or of a keyless row's text, that are kept to show it: keys may be
/// as wide as a table takes them.
inline constexpr int shown_characters = 500;

/// (key hash, count, sum of digests, newest lsn_from, key columns...) of the rows in `wanted`
/// buckets, ordered by hash. Without a key the last one is the row's text. Texts are cut.
[[nodiscard]] std::string
rows_sql(const Side& side, std::uint32_t buckets, std::span<const std::uint32_t> wanted);

/// (key hash, digest of NULL, digest of each column) of the rows with these key hashes.
[[nodiscard]] std::string columns_sql(const Side& side, std::span<const std::int64_t> hashes);

}  // namespace pgchronicle::verify
