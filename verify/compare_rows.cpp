#include "verify/compare_rows.hpp"

#include "verify/row_cursor.hpp"

#include <algorithm>
#include <bit>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pgchronicle::verify {
namespace {

/// What both sides' rows are compared by: the finer, the fewer rows are read again for one that
/// differs. All buckets of a side are held in memory, at some 60 bytes each.
constexpr std::uint64_t rows_per_bucket = 256;
constexpr std::uint64_t buckets_min = 64;
constexpr std::uint64_t buckets_max = 65'536;

/// Digests that are asked for at once when rows are asked for their columns: some 10 MB a side.
/// Each such question reads the table.
constexpr std::size_t digests_max = 100'000;

/// What both sides say, asked at the same time. If the target fails, the source is not waited for.
template <typename ReadSource, typename ReadTarget>
auto at_once(pq::Connection& source, ReadSource read_source, ReadTarget read_target) {
    auto reading = std::async(std::launch::async, read_source);
    try {
        auto there = read_target();
        return std::pair{reading.get(), std::move(there)};
    } catch (...) {
        if (reading.valid()) source.interrupt(false);
        throw;
    }
}

struct Bucket {
    std::uint64_t rows{0};
    std::string digest;

    friend bool operator==(const Bucket&, const Bucket&) = default;
};

std::vector<Bucket>
read_buckets(pq::Connection& side, const std::string& sql, std::uint32_t count) {
    std::vector<Bucket> buckets(count);
    const auto rows = side.exec(sql);
    for (int i = 0; i < rows.rows(); ++i) {
        buckets.at(static_cast<std::size_t>(rows.int64(i, 0))) = {
            static_cast<std::uint64_t>(rows.int64(i, 1)), rows.str(i, 2)};
    }
    return buckets;
}

std::uint64_t rows_of(const std::vector<Bucket>& buckets) {
    std::uint64_t rows = 0;
    for (const auto& bucket : buckets) rows += bucket.rows;
    return rows;
}

/// Digests of a row's columns; the first is that of NULL.
using ColumnDigests = std::map<std::int64_t, std::vector<std::string>>;

ColumnDigests read_columns(pq::Connection& side, const std::string& sql) {
    ColumnDigests digests;
    const auto rows = side.exec(sql);
    for (int i = 0; i < rows.rows(); ++i) {
        auto& row = digests[rows.int64(i, 0)];
        row.clear();
        for (int column = 1; column < rows.columns(); ++column) row.push_back(rows.str(i, column));
    }
    return digests;
}

/// Merges the rows of the buckets that differ.
class Narrowing {
public:
    Narrowing(
        pq::Connection& source,
        pq::Connection& target,
        const ComparedTable& table,
        const KnownGaps& gaps,
        const CompareOptions& options,
        TableReport& report
    )
        : source_{source},
          target_{target},
          table_{table},
          gaps_{gaps},
          options_{options},
          report_{report} {}

    void run(std::uint32_t buckets, const std::vector<std::uint32_t>& wanted) {
        auto key = table_.key;
        if (key.empty()) key.emplace_back("row");
        // The first part of each makes its server sort.
        const auto cursor = [&](pq::Connection& connection, const Side& side) {
            return std::make_unique<RowCursor>(connection, rows_sql(side, buckets, wanted), key);
        };
        const auto [source, history] = at_once(
            source_,
            [&] { return cursor(source_, table_.source); },
            [&] { return cursor(target_, table_.history); }
        );
        while (source->row() || history->row()) {
            const auto& mine = source->row();
            const auto& theirs = history->row();
            const bool take_source = mine && (!theirs || mine->hash <= theirs->hash);
            const bool take_history = theirs && (!mine || theirs->hash <= mine->hash);
            compare(take_source ? &*mine : nullptr, take_history ? &*theirs : nullptr);
            if (take_source) source->next();
            if (take_history) history->next();
            if (asked_.size() * table_.columns.size() >= digests_max) ask();
        }
        ask();
    }

private:
    void compare(const KeyedRows* source, const KeyedRows* history) {
        const std::uint64_t here = source == nullptr ? 0 : source->count;
        const std::uint64_t there = history == nullptr ? 0 : history->count;
        // The history may tell a key that it has seen, and that was gone at the LSN.
        if (here == there && (here == 0 || source->digest == history->digest)) return;
        const auto version = history == nullptr ? std::nullopt : history->version;
        const bool keyed = !table_.key.empty();
        Difference difference;
        difference.key = (source == nullptr ? history : source)->key;
        if (there == 0 || (!keyed && there < here)) {
            difference.kind = DifferenceKind::missing;
            difference.count = here - there;
            const bool seen = keyed && history != nullptr;
            if (options_.unseen_allowed && !seen) {
                report_.unseen += difference.count;
                return;
            }
        } else if (here == 0 || !keyed) {
            difference.kind = DifferenceKind::extra;
            difference.count = there - here;
        } else if (there > here) {
            difference.kind = DifferenceKind::several;
            difference.count = there;
        } else {
            difference.kind = DifferenceKind::differs;
        }
        if (gaps_.explain(options_.lsn, version)) {
            report_.gaps += rows_in(difference);
            return;
        }
        if (difference.kind == DifferenceKind::differs) {
            const bool unknown_values = version && gaps_.explain_nulls(*version);
            if (unknown_values || has_room()) {
                asked_.push_back({std::move(difference), source->hash, unknown_values});
                return;
            }
        }
        if (has_room()) {
            add(std::move(difference));
        } else {
            report_.differences += rows_in(difference);
        }
    }

    /// Questions under way may be told, too.
    [[nodiscard]] bool has_room() const { return told_ + asked_.size() < options_.keys_max; }

    /// Of a key it is one difference, however many versions it has.
    static std::uint64_t rows_in(const Difference& difference) {
        return difference.kind == DifferenceKind::several ? 1 : difference.count;
    }

    void add(Difference difference) {
        report_.differences += rows_in(difference);
        if (told_ == options_.keys_max) return;
        ++told_;
        report_.keys.push_back(std::move(difference));
    }

    /// Finds the columns in which rows differ.
    void ask() {
        if (asked_.empty()) return;
        std::vector<std::int64_t> hashes;
        for (const auto& question : asked_) hashes.push_back(question.hash);
        const auto [source, history] = at_once(
            source_,
            [&] { return read_columns(source_, columns_sql(table_.source, hashes)); },
            [&] { return read_columns(target_, columns_sql(table_.history, hashes)); }
        );
        for (auto& question : asked_) {
            const auto& here = source.at(question.hash);
            const auto& there = history.at(question.hash);
            bool all_null = true;
            for (std::size_t i = 1; i < here.size(); ++i) {
                if (here[i] == there[i]) continue;
                question.difference.columns.push_back(table_.columns[i - 1]);
                all_null = all_null && there[i] == there[0];
            }
            if (question.unknown_values && all_null) {
                ++report_.gaps;
            } else {
                add(std::move(question.difference));
            }
        }
        asked_.clear();
    }

    struct Question {
        Difference difference;
        std::int64_t hash{0};
        bool unknown_values{false};  ///< Values of this version may be NULL because of a gap.
    };

    pq::Connection& source_;
    pq::Connection& target_;
    const ComparedTable& table_;
    const KnownGaps& gaps_;
    const CompareOptions& options_;
    TableReport& report_;
    std::vector<Question> asked_;
    std::size_t told_{0};
};

/// Numbers in their order, the rest as text.
bool before(const Field& a, const Field& b) {
    const auto number = [](const Field& field) {
        return field.value && !field.value->empty() &&
               field.value->find_first_not_of("0123456789") == std::string::npos;
    };
    if (!number(a) || !number(b)) return a.value < b.value;
    return std::pair{a.value->size(), *a.value} < std::pair{b.value->size(), *b.value};
}

}  // namespace

void compare_rows(
    pq::Connection& source,
    pq::Connection& target,
    const ComparedTable& table,
    const KnownGaps& gaps,
    const CompareOptions& options,
    TableReport& report
) {
    const auto buckets = static_cast<std::uint32_t>(
        std::bit_ceil(std::clamp(options.rows_expected / rows_per_bucket, buckets_min, buckets_max))
    );
    const auto [rows, versions] = at_once(
        source,
        [&] { return read_buckets(source, buckets_sql(table.source, buckets), buckets); },
        [&] { return read_buckets(target, buckets_sql(table.history, buckets), buckets); }
    );
    report.rows = rows_of(rows);
    report.versions = rows_of(versions);
    std::vector<std::uint32_t> differing;
    for (std::uint32_t i = 0; i < buckets; ++i) {
        if (rows[i] != versions[i]) differing.push_back(i);
    }
    if (differing.empty()) return;
    Narrowing{source, target, table, gaps, options, report}.run(buckets, differing);
    std::ranges::sort(report.keys, [](const Difference& a, const Difference& b) {
        return std::ranges::lexicographical_compare(a.key, b.key, before);
    });
}

}  // namespace pgchronicle::verify
