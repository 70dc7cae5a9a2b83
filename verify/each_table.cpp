#include "verify/each_table.hpp"

#include "history_writer/table_pattern.hpp"
#include "pq/quoting.hpp"
#include "source_catalog/catalog.hpp"
#include "verify/compare_rows.hpp"
#include "verify/compared_table.hpp"
#include "verify/followed_table.hpp"
#include "verify/invariants.hpp"
#include "verify/known_gaps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace pgchronicle::verify {
namespace {

namespace pg = history_writer::pg;

using pgoutput::Lsn;
using source_catalog::Table;

/// Rows of a block, at least about that many: for tables that were never analysed.
constexpr std::uint64_t rows_per_block = 40;

DigestForm choose_form(pq::Connection& source, pq::Connection& target) {
    const auto probe = [](pq::Connection& side) {
        return side.parameter("server_encoding") + " " +
               side.exec("SELECT " + hash_sql({"'pgchronicle'", "1"}, DigestForm::fast)).str(0, 0);
    };
    return probe(source) == probe(target) ? DigestForm::fast : DigestForm::portable;
}

/// Whether only this table cannot be verified, not the ones after it.
bool of_one_table(const pq::Error& error) {
    return !error.connection_lost() && error.disposition() == pq::Disposition::halt;
}

class Verification {
public:
    Verification(
        const config::Settings& settings,
        const Options& options,
        SourceAt& source,
        pq::Connection& target
    )
        : settings_{settings}, options_{options}, source_{source}, target_{target} {
        at_.lsn = source.lsn();
        at_.names = settings.tables.history_columns;
        at_.form = choose_form(source.connection(), target);
        for (const auto& table : source.tables) progress_.total += steps_of(table);
    }

    std::vector<TableReport> run() {
        std::vector<TableReport> reports;
        auto followed = read_chosen();
        std::uint64_t done = 0;
        for (const auto& table : source_.tables) {
            const auto found = find_history(followed, table);
            if (found == followed.end()) {
                reports.push_back(without_history(table));
            } else {
                step_ = table.pages + 1;
                reports.push_back(apart(*found, qualified(table), [&](TableReport report) {
                    return verify_table(table, *found, std::move(report));
                }));
                followed.erase(found);
            }
            done += steps_of(table);
            progress_.done = done;
        }
        step_ = 0;
        for (const auto& one : followed) {
            const auto name = one.state.source_schema + "." + one.state.source_table;
            reports.push_back(apart(one, name, [&](TableReport report) {
                return verify_leftover(one, std::move(report));
            }));
        }
        std::ranges::sort(reports, {}, &TableReport::source);
        return reports;
    }

private:
    using Followed = std::vector<FollowedTable>;

    /// The blocks of a table count once for its rows, and once for its invariants.
    static std::uint64_t steps_of(const Table& table) {
        return (table.pages + 1) * 2 * all_checks().size();
    }

    /// What was asked for, by its name here or there. Throws Impossible where nothing has the name.
    Followed read_chosen() {
        auto followed = read_followed(target_, settings_.pipeline);
        for (const auto& pattern : options_.tables) {
            const bool here = std::ranges::any_of(source_.tables, [&](const Table& table) {
                return names_table(pattern, table.schema_name, table.name);
            });
            const bool there = std::ranges::any_of(followed, [&](const FollowedTable& one) {
                return names_table(pattern, one.state.source_schema, one.state.source_table);
            });
            if (here || there) continue;
            throw Impossible{
                Impossible::Reason::no_table,
                fmt::format("pipeline \"{}\" has no table \"{}\"", settings_.pipeline, pattern),
                "",
                "\"pgchronicle status\" lists its tables."};
        }
        std::erase_if(followed, [&](const FollowedTable& one) {
            // A table may have been renamed since.
            return !asked_for(options_, one.state.source_schema, one.state.source_table) &&
                   !is_there(one.state.relation);
        });
        return followed;
    }

    [[nodiscard]] bool is_there(pgoutput::RelationId relation) const {
        return std::ranges::find(source_.tables, relation, &Table::id) != source_.tables.end();
    }

    /// The history of this very table, or else the one that its name still stands for.
    Followed::iterator find_history(Followed& followed, const Table& table) const {
        const auto same = std::ranges::find_if(followed, [&](const FollowedTable& one) {
            return one.state.relation == table.id && !one.state.ended && !one.state.imported;
        });
        if (same != followed.end()) return same;
        return std::ranges::find_if(followed, [&](const FollowedTable& one) {
            return one.state.source_schema == table.schema_name &&
                   one.state.source_table == table.name && !one.state.ended &&
                   !one.state.imported && !is_there(one.state.relation);
        });
    }

    static TableReport report_of(const std::string& source, const FollowedTable& followed) {
        TableReport report;
        report.source = source;
        report.history = followed.facts.schema + "." + followed.facts.table;
        return report;
    }

    static TableReport unknown(TableReport report, std::string why) {
        report.outcome = TableOutcome::unknown;
        report.why = std::move(why);
        return report;
    }

    /// The same of a table with a history.
    static TableReport cannot(const FollowedTable& known, TableReport report, std::string why) {
        if (known.left_behind) why = quarantined(known) + "; " + why;
        return unknown(std::move(report), std::move(why));
    }

    static std::string quarantined(const FollowedTable& known) {
        return fmt::format(
            "it is in quarantine, and its history ends at {}", to_string(*known.left_behind)
        );
    }

    static TableReport without_history(const Table& table) {
        TableReport report;
        report.source = qualified(table);
        return unknown(std::move(report), "the history does not know it yet");
    }

    /// Verifies one table in a savepoint of both transactions: locks on its history are let go of,
    /// and what fails because of it alone leaves the other tables to be verified.
    TableReport apart(
        const FollowedTable& known,
        const std::string& name,
        const std::function<TableReport(TableReport)>& verify_it
    ) {
        const auto both = [&](const char* sql) {
            source_.connection().exec(sql);
            target_.exec(sql);
        };
        both("SAVEPOINT one_table");
        TableReport report;
        try {
            report = verify_it(report_of(name, known));
        } catch (const pq::Error& error) {
            if (!of_one_table(error)) throw;
            report = cannot(known, report_of(name, known), error.primary());
        }
        both("ROLLBACK TO one_table; RELEASE one_table");
        return report;
    }

    TableReport verify_table(const Table& table, const FollowedTable& known, TableReport report) {
        if (known.facts.columns.empty()) {
            return cannot(known, std::move(report), "its history table is gone");
        }
        if (known.state.relation != table.id) {
            return cannot(
                known,
                std::move(report),
                "another table has taken its name, which the history has not followed yet"
            );
        }
        if (!known.state.copied || !known.consistent_from) {
            return cannot(known, std::move(report), "its rows are still to be copied");
        }
        if (*known.consistent_from > at_.lsn) {
            return cannot(
                known,
                std::move(report),
                fmt::format("its history is complete from {} on", to_string(*known.consistent_from))
            );
        }
        const auto expected = expected_rows(table);
        auto at = at_;
        at.sample = sample_of(expected);
        at.tells_past = unseen_allowed(known);
        const auto planned = history_writer::plan_history_table(table, settings_);
        const auto compared = plan_comparison(table, planned, known.facts, at);
        report.left_out = compared.left_out;
        if (!compared.trouble.empty()) return cannot(known, std::move(report), compared.trouble);
        if (known.left_behind) {
            report.why = quarantined(known);
        } else if (known.state.compare_as != pg::CompareAs::nothing) {
            report.why = "\"run\" is still to compare its rows with the source's once more";
        }
        return compare(compared, known, expected, std::move(report));
    }

    /// Nobody has copied the rows, nor compared them since.
    [[nodiscard]] bool unseen_allowed(const FollowedTable& known) const {
        return settings_.snapshot == config::Snapshot::never && !known.compared;
    }

    KnownGaps read_gaps(const FollowedTable& known) {
        // A comparison behind the LSN has mended nothing of what stands there.
        const auto by_then = [&](const std::optional<Lsn>& lsn) {
            return lsn && *lsn <= at_.lsn ? *lsn : Lsn{};
        };
        const auto compared = by_then(known.compared);
        const WholeSince whole{
            std::max(by_then(known.seam), compared), compared, known.left_behind.has_value()};
        return KnownGaps::read(target_, settings_.pipeline, known.state, whole);
    }

    TableReport compare(
        const ComparedTable& table,
        const FollowedTable& known,
        std::uint64_t expected,
        TableReport report
    ) {
        if (auto why = lock_history(target_, known.facts); !why.empty()) {
            return cannot(known, std::move(report), std::move(why));
        }
        tell(report.source, "rows");
        report.sampled = table.source.sample.has_value();
        CompareOptions options{at_.lsn, options_.keys_max, expected, unseen_allowed(known)};
        const auto gaps = read_gaps(known);
        compare_rows(source_.connection(), target_, table, gaps, options, report);
        progress_.done += step_ * all_checks().size();
        check(table, known, gaps, report);
        return report;
    }

    /// From where on the stream tells how every row begins and what becomes of it.
    static std::optional<Lsn>
    complete_from(const ComparedTable& table, const FollowedTable& known, const KnownGaps& gaps) {
        // Without a seam, under `snapshot: never`, it met rows with their first change only.
        if (!table.begins_known || !known.state.copied || (!known.seam && !known.compared) ||
            known.state.compare_as != pg::CompareAs::nothing) {
            return std::nullopt;
        }
        auto from = gaps.complete_from();
        for (const auto& lsn : {known.seam, known.compared, known.consistent_from}) {
            if (from && lsn) from = std::max(*from, *lsn);
        }
        return from;
    }

    void check(
        const ComparedTable& table,
        const FollowedTable& known,
        const KnownGaps& gaps,
        TableReport& report
    ) {
        CheckedHistory history{
            .relation = pq::quote_qualified(known.facts.schema, known.facts.table),
            .columns = table.columns,
            .lasting_columns = table.lasting_columns,
            .key = known.facts.row_key,
            .names = at_.names,
            .pipeline = settings_.pipeline,
            .complete_from = complete_from(table, known, gaps),
            .collapses = table.collapses,
            .form = at_.form,
            .sample = table.history.sample,
            .missed = gaps.missed(),
        };
        // The versions of a key would be torn apart where it is written in several ways.
        if (table.key_has_spellings) history.sample.reset();
        const auto on_check = [&] {
            tell(report.source, "invariants");
            progress_.done += step_;
        };
        check_invariants(target_, history, options_.keys_max, on_check, report);
    }

    /// A history whose table is not among the published ones.
    TableReport verify_leftover(const FollowedTable& known, TableReport report) {
        const auto& state = known.state;
        if (known.facts.columns.empty()) {
            report.outcome = state.ended ? TableOutcome::not_followed : TableOutcome::unknown;
            report.why = "its history table is gone";
            return report;
        }
        const auto table = plan_leftover(known.facts, at_);
        const auto now = source_catalog::read_table(
            source_.connection(), state.relation, settings_.source.publications
        );
        report.outcome = TableOutcome::not_followed;
        if (state.imported) {
            report.why = "its rows come from files";
        } else if (state.ended) {
            report.why = "the name stands for no table any more";
        } else if (!history_writer::wanted(state.source_schema, state.source_table, settings_)) {
            report.why = "the configuration leaves it out";
        } else if (now && now->through_ancestor) {
            report.why = "it is a partition that is published as its root";
        } else if (now && qualified(*now) != report.source) {
            report.why = fmt::format("it is called \"{}\" now", qualified(*now));
        } else if (now) {
            return unknown(
                std::move(report),
                now->unlogged ? "it is unlogged now, and not published any more"
                              : "it is not published any more"
            );
        } else if (!state.copied) {
            report.why = "it was dropped before it was copied";
        } else {
            report.outcome = TableOutcome::dropped;
            report.why = "the source has no such table any more";
            return compare(table, known, 0, std::move(report));
        }
        if (auto why = lock_history(target_, known.facts); !why.empty()) {
            return cannot(known, std::move(report), std::move(why));
        }
        check(table, known, read_gaps(known), report);
        return report;
    }

    static std::uint64_t expected_rows(const Table& table) {
        const auto estimated =
            table.estimated_rows < 0 ? 0 : static_cast<std::uint64_t>(table.estimated_rows);
        return std::max(estimated, table.pages * rows_per_block);
    }

    [[nodiscard]] std::optional<Sample> sample_of(std::uint64_t expected) const {
        if (!options_.sample) return std::nullopt;
        const auto& size = *options_.sample;
        const auto rows = static_cast<double>(std::max<std::uint64_t>(expected, 1));
        const double share = size.share ? *size.share : static_cast<double>(size.rows) / rows;
        if (share >= 1) return std::nullopt;
        const auto parts = static_cast<std::uint32_t>(std::ceil(share * sample_parts));
        return Sample{size.seed, parts};
    }

    void tell(const std::string& table, const char* step) {
        progress_.table = table;
        progress_.step = step;
        options_.on_progress(progress_);
    }

    const config::Settings& settings_;
    const Options& options_;
    SourceAt& source_;
    pq::Connection& target_;
    CompareAt at_;
    Progress progress_;
    std::uint64_t step_{0};  ///< What one invariant adds to the progress.
};

}  // namespace

std::vector<TableReport> verify_each_table(
    const config::Settings& settings,
    const Options& options,
    SourceAt& source,
    pq::Connection& target
) {
    return Verification{settings, options, source, target}.run();
}

}  // namespace pgchronicle::verify
