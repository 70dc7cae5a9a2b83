#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pgchronicle::replicator::io {

/// The messages of the transaction that is being received, kept until its commit says where it
/// ends. Small ones stay in memory; the rest of a large one goes to an unnamed file, which the
/// system removes with the process. Throws pq::Error when the file cannot be written, with the
/// SQLSTATE that a server would give: a full disk passes here as it does there.
class TransactionBuffer {
public:
    TransactionBuffer(std::string spool_dir, std::size_t memory_max)
        : spool_dir_{std::move(spool_dir)}, memory_max_{memory_max} {}
    ~TransactionBuffer();
    TransactionBuffer(const TransactionBuffer&) = delete;
    TransactionBuffer& operator=(const TransactionBuffer&) = delete;

    void append(std::span<const std::byte> message);
    void clear();

    /// Messages in order: valid until the next call; empty at the end. Starts at the first one
    /// after `rewind`. Nothing may be appended while reading.
    void rewind();
    [[nodiscard]] std::span<const std::byte> next();

    /// Moves what is in memory to the file.
    void spill();
    [[nodiscard]] std::size_t memory_bytes() const { return memory_.size(); }
    [[nodiscard]] std::uint64_t messages() const { return messages_; }
    [[nodiscard]] bool spilled() const { return file_bytes_ != 0; }
    [[nodiscard]] std::uint64_t bytes() const { return file_bytes_ + memory_.size(); }

private:
    void write(std::span<const std::byte> bytes);
    bool refill(std::size_t needed);

    std::string spool_dir_;
    std::size_t memory_max_;
    std::vector<std::byte> memory_;  ///< Length (4 bytes, native) and message, repeated.
    std::size_t memory_read_{0};
    std::uint64_t messages_{0};
    int file_{-1};
    std::uint64_t file_bytes_{0};
    std::uint64_t file_read_{0};
    std::vector<std::byte> window_;  ///< Part of the file that is being read.
    std::size_t window_read_{0};
};

}  // namespace pgchronicle::replicator::io
