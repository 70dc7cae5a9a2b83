#pragma once

#include "history_writer/change_batch.hpp"
#include "history_writer/wire_bytes.hpp"
#include "pq/connection.hpp"

#include <cstdint>
#include <span>

namespace pgchronicle::history_writer::pg {

/// Our seven columns of one row.
struct HistoryFields {
    pgoutput::PgTimestamp valid_from;
    pgoutput::Lsn lsn_from;
    bool open{true};
    pgoutput::PgTimestamp valid_to;  ///< Unless open.
    pgoutput::Lsn lsn_to;            ///< Unless open.
    Operation operation{Operation::insert};
    std::uint64_t change_seq{0};
};

/// Sends the rows of one COPY in large pieces: `begin`, rows, `end`. Or keeps them while another
/// COPY runs: `hold`, rows, `begin_held`, `end`.
class CopyWriter {
public:
    CopyWriter(pq::Connection& connection, Bytes& buffer, WireForm form)
        : connection_{connection}, buffer_{buffer}, form_{form} {}

    void begin(const std::string& copy_sql);
    void hold();
    void begin_held(const std::string& copy_sql);
    /// Starts a row of `columns` fields in all with its source columns as a batch holds them.
    void begin_row(std::size_t columns, std::span<const std::byte> payload);
    void history_fields(const HistoryFields& fields);
    /// Further fields, for staging tables.
    void bytea_field(std::span<const std::byte> value);
    void int32_field(std::int32_t value);
    void null_field();
    /// A field in the keys' neutral form: int32 length and bytes.
    void neutral_field(std::span<const std::byte> neutral);
    void end_row();
    /// Rows that the server took.
    std::uint64_t end();

private:
    void start();
    void add(std::span<const std::byte> bytes);
    void text_field(std::string_view text);

    pq::Connection& connection_;
    Bytes& buffer_;
    WireForm form_;
    bool held_{false};
};

}  // namespace pgchronicle::history_writer::pg
