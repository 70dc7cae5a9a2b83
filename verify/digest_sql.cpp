#include "verify/digest_sql.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pgchronicle::verify {
namespace {

std::string row_text(const std::vector<std::string>& columns) {
    return fmt::format("ROW({})::text", fmt::join(columns, ", "));
}

const std::vector<std::string>& key_of(const Side& side) {
    return side.key.empty() ? side.columns : side.key;
}

std::string from_where(const Side& side, const std::string& condition, const std::string& hash) {
    std::string where = condition.empty() ? "" : "(" + condition + ")";
    if (side.sample) {
        where += (where.empty() ? "" : " AND ") + sample_sql(hash, *side.sample);
    }
    return side.from + " t" + (where.empty() ? "" : " WHERE " + where);
}

}  // namespace

std::string hash_sql(const std::vector<std::string>& columns, DigestForm form) {
    const auto text = row_text(columns);
    if (form == DigestForm::fast) {
        // The collation says that equal bytes are what counts.
        return fmt::format(R"(pg_catalog.hashtextextended({} COLLATE pg_catalog."C", 0))", text);
    }
    return fmt::format(
        "('x' || pg_catalog.left(pg_catalog.md5(pg_catalog.convert_to({}, 'UTF8')), 16))"
        "::bit(64)::bigint",
        text
    );
}

std::string sample_sql(const std::string& hash, const Sample& sample) {
    // Other bits than those that choose the bucket.
    return fmt::format(
        "((({} >> 24) # {}) & {}) < {}",
        hash,
        sample.seed % sample_parts,
        sample_parts - 1,
        sample.parts
    );
}

std::string buckets_sql(const Side& side, std::uint32_t buckets) {
    const auto hash = hash_sql(key_of(side), side.form);
    return fmt::format(
        "SELECT ({} & {})::integer AS bucket, count(*), sum({}) FROM {} GROUP BY 1",
        hash,
        buckets - 1,
        hash_sql(side.columns, side.form),
        from_where(side, side.where, hash)
    );
}

std::string
rows_sql(const Side& side, std::uint32_t buckets, std::span<const std::uint32_t> wanted) {
    const auto hash = hash_sql(key_of(side), side.form);
    std::string keys;
    std::string shown;
    int n = 0;
    const auto add = [&](const std::string& text) {
        keys += fmt::format(
            R"(, pg_catalog.left({}, {}) COLLATE pg_catalog."C" AS key_{})",
            text,
            shown_characters,
            n
        );
        shown += fmt::format(", min(r.key_{})", n++);
    };
    for (const auto& column : side.key) add("(" + column + ")::text");
    if (side.key.empty()) add(row_text(side.columns));
    const bool tells_past = !side.ever.empty();
    const std::string valid = tells_past ? " FILTER (WHERE r.valid)" : "";
    // Rows with one hash have one key: as many as there are of it become one.
    return fmt::format(
        "SELECT r.hash, count(*){0}, sum(r.digest){0}, max(r.lsn_from){0}{1} FROM"
        " (SELECT {2} AS hash, {3} AS digest, {4} AS lsn_from, {5} AS valid{6} FROM {7}) r"
        " WHERE (r.hash & {8}) = ANY ('{{{9}}}'::bigint[]) GROUP BY r.hash ORDER BY r.hash",
        valid,
        shown,
        hash,
        hash_sql(side.columns, side.form),
        side.lsn_from,
        tells_past ? "(" + side.where + ")" : "true",
        keys,
        from_where(side, tells_past ? side.ever : side.where, hash),
        buckets - 1,
        fmt::join(wanted, ",")
    );
}

std::string columns_sql(const Side& side, std::span<const std::int64_t> hashes) {
    const auto hash = hash_sql(key_of(side), side.form);
    std::string list = hash_sql({"NULL"}, side.form);
    for (const auto& column : side.columns) list += ", " + hash_sql({column}, side.form);
    return fmt::format(
        "SELECT {}, {} FROM {}{} {} = ANY ('{{{}}}'::bigint[])",
        hash,
        list,
        from_where(side, side.where, hash),
        side.where.empty() && !side.sample ? " WHERE" : " AND",
        hash,
        fmt::join(hashes, ",")
    );
}

}  // namespace pgchronicle::verify
