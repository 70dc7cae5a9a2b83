#pragma once

#include "config/settings.hpp"
#include "history_writer/pg/quarantine_store.hpp"
#include "history_writer/pg/shape_store.hpp"
#include "history_writer/pg/table_state.hpp"
#include "history_writer/pg/target_table.hpp"
#include "initial_copy/snapshot_copy.hpp"
#include "log/log.hpp"
#include "pq/connection.hpp"
#include "replicator/io/session.hpp"
#include "source_catalog/model.hpp"

#include <map>
#include <memory>
#include <set>
#include <vector>

namespace pgchronicle::replicator::io {

/// The tables of one pipeline during one session: what the source's catalog says of them, where
/// their rows go, and which are still to be copied. Makes history tables and follows changes of
/// shape. Tables in quarantine count as excluded. Thread: one at a time.
/// Errors: pq::Error from either side, NeedsOperator, TableFailure, pg::TargetMismatch.
class PipelineTables : public TableResolver {
public:
    /// `needs_text`: relations that are met in the stream only, and cannot come in binary form;
    /// kept from one session to the next.
    PipelineTables(
        const config::Settings& settings,
        pq::Connection& source,
        pq::Connection& target,
        log::Logger& log,
        std::set<pgoutput::RelationId>& needs_text
    );

    /// Reads the catalog and makes every history table that is missing. `position`: the
    /// checkpoint's; changes behind it are still to come.
    void open(Lsn position);

    /// Throws what `open` would of tables that cannot be where the configuration puts them; makes
    /// nothing.
    void check();

    /// What is streamed was streamed before: its shapes are on record.
    void replay(bool replaying) { replaying_ = replaying; }

    [[nodiscard]] history_writer::WireForm form() const { return form_; }
    /// Tables whose rows are to be copied, or compared once more.
    [[nodiscard]] std::vector<initial_copy::PendingTable> pending() const;
    /// `locked`, with the shapes that the catalog had as of `snapshot`, when the stream has been
    /// applied up to there.
    [[nodiscard]] std::vector<initial_copy::PendingTable> pending_as_of(
        pq::Connection& snapshot,
        const std::vector<initial_copy::PendingTable>& locked,
        const history_writer::SourceTransaction& seam
    );

    std::optional<Answer> known(const pgoutput::Relation& relation) override;
    void see(pgoutput::Xid xid) override;
    bool same_columns(const pgoutput::Relation& relation) override;
    Answer resolve(const pgoutput::Relation& relation, const history_writer::SourceTransaction& at)
        override;
    bool equal(const history_writer::KeyQuestion& question) override;
    [[nodiscard]] bool copy_due() const override { return copy_due_; }
    void recheck() override;
    /// Ends what waits for an answer of the source, with an error. From any thread.
    void interrupt_source() noexcept { source_.interrupt(true); }

private:
    using TableState = history_writer::pg::TableState;
    using Quarantine = history_writer::pg::Quarantine;

    struct Entry {
        source_catalog::Table source;
        std::shared_ptr<const HistoryTable> table;
        bool pending{false};
        history_writer::pg::CompareAs compare_as{};
        /// The stream has not shown yet that the name stands for this relation, or that it has this
        /// shape: the next Relation message tells, or a copy.
        bool stale{false};
    };

    void read_states();
    void plan_all(const std::vector<source_catalog::Table>& published);
    [[nodiscard]] bool known_before(pgoutput::RelationId id) const;
    [[nodiscard]] static bool due(const Entry& entry);
    [[nodiscard]] const TableState* state_of(const source_catalog::Table& source) const;
    Entry make(const source_catalog::Table& source, const history_writer::SourceTransaction& at);
    Entry take_over(
        const source_catalog::Table& source,
        HistoryTable table,
        const history_writer::SourceTransaction& at
    );
    void follow(
        const source_catalog::Table& source,
        const HistoryTable& table,
        const history_writer::SourceTransaction& at
    );
    /// Names in the history that columns take with this change, and other columns had before.
    std::set<std::string> names_taken(
        const source_catalog::Table& source,
        const HistoryTable& table,
        const history_writer::ShapeChange& change
    );
    void tell_changes(
        const source_catalog::Table& source,
        const history_writer::ShapeChange& change,
        const history_writer::SourceTransaction& at
    );
    /// Whether the source has, or may have, written rows anew that the stream does not show.
    /// `kept`: open versions have values of a column that is gone.
    bool may_be_rewritten(
        const source_catalog::Table& source,
        const history_writer::ShapeChange& change,
        bool kept
    );
    Entry entry_of(const source_catalog::Table& source, HistoryTable table);
    /// Ends the names that stood for `relation` before.
    void end_other_names(
        const source_catalog::Table& source,
        const history_writer::SourceTransaction& at
    );
    void log_text_columns(const HistoryTable& table);
    [[nodiscard]] HistoryTable plan(const source_catalog::Table& source);
    source_catalog::Table describe(
        const pgoutput::Relation& relation,
        const history_writer::SourceTransaction& at,
        bool& gone
    );
    // pipeline_tables_replay.cpp: what was recorded when this came for the first time.
    using RecordedShape = std::vector<history_writer::pg::RecordedColumn>;
    /// Empty unless a replay is under way, and when no such shape was recorded.
    [[nodiscard]] RecordedShape
    shape_then(const pgoutput::Relation& relation, const history_writer::SourceTransaction& at);
    /// A column that the catalog does not have (any more), by its type; `then`: as recorded.
    [[nodiscard]] source_catalog::Column described(
        const pgoutput::Relation& relation,
        const pgoutput::Column& column,
        const history_writer::pg::RecordedColumn* then
    );
    /// Gives the columns their numbers and defaults of then, and the table its key.
    void recall(source_catalog::Table& table, const RecordedShape& then) const;
    /// Whether the source wrote the table anew, and not by a TRUNCATE that the stream still brings.
    [[nodiscard]] bool rewritten(const source_catalog::Table& table, const TableState& state);
    void compare_with_catalog(const std::vector<source_catalog::Table>& published);
    /// Of tables that are not `published` as of a seam that the stream has reached, nothing is left
    /// to be compared.
    void forget_comparisons_without(const std::vector<source_catalog::Table>& published);
    void find_withdrawn(const std::vector<source_catalog::Table>& published);
    void check_plans() const;
    /// Nobody else has put a trigger or the like on what we write.
    void check_history_tables();
    // pipeline_tables_quarantine.cpp
    /// What the configuration wants of the published tables, but for those left behind.
    [[nodiscard]] std::vector<source_catalog::Table> read_published();
    [[nodiscard]] const Quarantine* quarantine_of(pgoutput::RelationId id) const;
    [[nodiscard]] bool left_behind(pgoutput::RelationId id) const;
    void tell_quarantines() const;
    /// Has a released table compared, or copied.
    void prepare_release(Entry& entry);
    /// How a released table meets the stream again at the seam.
    void release_at(const history_writer::SourceTransaction& seam, Entry& entry);
    /// Released tables that the source does not have any more.
    void forget_dropped();

    const config::Settings& settings_;
    pq::Connection& source_;
    pgoutput::Xid seen_{};  ///< The last transaction that the catalog was seen to show.
    pq::Connection& target_;
    log::Logger& log_;
    history_writer::TargetTypes types_;
    std::map<pgoutput::RelationId, Entry> entries_;
    std::vector<TableState> states_;
    std::vector<Quarantine> quarantined_;
    bool replaying_{false};
    /// Partitions that are described although their ancestor is published, and the like.
    std::set<pgoutput::RelationId> ignored_;
    std::set<pgoutput::RelationId> reported_dropped_;
    std::set<pgoutput::RelationId> text_columns_logged_;
    /// Tables with another file than known: where the source was when that was seen.
    std::map<pgoutput::RelationId, Lsn> other_file_seen_;
    std::set<pgoutput::RelationId>& needs_text_;
    history_writer::WireForm form_{history_writer::WireForm::binary};
    bool copy_due_{false};
};

}  // namespace pgchronicle::replicator::io
