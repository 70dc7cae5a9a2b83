#pragma once

#include "history_writer/wire_bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace pgchronicle::initial_copy {

using history_writer::Bytes;

/// The fields of a row of COPY in binary form, and how many they are.
struct RowFields {
    std::span<const std::byte> bytes;
    std::int16_t count{0};
};
/// Those of the first row. `message` is the first of COPY TO, which holds the header, too.
[[nodiscard]] RowFields first_row(std::span<const std::byte> message);

/// Turns what COPY TO of the source sends, in binary form, into what COPY FROM of the history
/// takes: the same fields are added to each row, which the source need not make and send again and
/// again, and many rows go out in one piece.
class StampedRows {
public:
    using Sink = std::function<void(std::span<const std::byte>)>;

    /// `stamp` stays valid while rows are added.
    StampedRows(RowFields stamp, Sink sink);

    /// One message of COPY TO: a row, with the header before it if it is the first, or the end.
    void add(std::span<const std::byte> message);
    /// Sends what is left.
    void flush();
    [[nodiscard]] std::uint64_t rows() const { return rows_; }

private:
    RowFields stamp_;
    Sink sink_;
    Bytes buffer_;
    std::uint64_t rows_{0};
    bool begun_{false};
};

}  // namespace pgchronicle::initial_copy
