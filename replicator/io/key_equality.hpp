#pragma once

#include "history_writer/key_question.hpp"
#include "log/log.hpp"
#include "pq/connection.hpp"
#include "source_catalog/model.hpp"

namespace pgchronicle::replicator::io {

/// Asks the source, which knows its types, operators and collations, whether the keys are equal.
/// False, with a line in the log, where a type is not what it was when the rows were written:
/// taken for a new key, a row loses nothing. Throws pq::Error of the connection.
[[nodiscard]] bool equal_on_source(
    pq::Connection& source,
    const source_catalog::Table& table,
    const history_writer::KeyQuestion& question,
    history_writer::WireForm form,
    log::Logger& log
);

}  // namespace pgchronicle::replicator::io
