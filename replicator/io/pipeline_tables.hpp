#pragma once

#include "config/settings.hpp"
#include "history_writer/pg/target_table.hpp"
#include "initial_copy/snapshot_copy.hpp"
#include "log/log.hpp"
#include "pq/connection.hpp"
#include "replicator/io/session.hpp"
#include "source_catalog/model.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pgchronicle::replicator::io {

/// The tables of one pipeline during one session: what the source's catalog says of them, where
/// their rows go, and which are still to be copied. Makes history tables and follows changes of
/// shape. Thread: one at a time.
class PipelineTables : public TableResolver {
public:
    PipelineTables(
        const config::Settings& settings,
        pq::Connection& source,
        pq::Connection& target,
        log::Logger& log
    );

    /// Reads the catalog, makes every history table that is missing. `start` is the slot's
    /// starting position.
    void open(Lsn start);

    [[nodiscard]] history_writer::WireForm form() const { return form_; }
    /// Tables whose rows have not been copied.
    [[nodiscard]] std::vector<initial_copy::PendingTable> pending() const;
    /// `locked`, with the shapes that the catalog had as of `snapshot`.
    [[nodiscard]] std::vector<initial_copy::PendingTable> pending_as_of(
        pq::Connection& snapshot,
        const std::vector<initial_copy::PendingTable>& locked,
        Lsn seam
    );

    std::optional<Answer> known(const pgoutput::Relation& relation) override;
    Answer resolve(const pgoutput::Relation& relation, Lsn end_lsn) override;
    [[nodiscard]] bool copy_due() const override { return copy_due_; }
    void recheck() override;

private:
    struct Entry {
        source_catalog::Table source;
        std::shared_ptr<const HistoryTable> table;
        bool pending{false};
        /// The catalog is ahead of what the stream has shown: the next Relation message tells.
        bool stale{false};
    };

    Entry make(const source_catalog::Table& source, Lsn lsn);
    source_catalog::Table describe(const pgoutput::Relation& relation);
    void check_names() const;

    const config::Settings& settings_;
    pq::Connection& source_;
    pq::Connection& target_;
    log::Logger& log_;
    Lsn start_;
    history_writer::WireForm form_{history_writer::WireForm::binary};
    std::map<pgoutput::RelationId, Entry> entries_;
    bool copy_due_{false};
};

}  // namespace pgchronicle::replicator::io
