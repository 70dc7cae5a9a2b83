#include "replicator/io/transaction_buffer.hpp"

#include "history_writer/kept_memory.hpp"
#include "pq/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace pgchronicle::replicator::io {

using history_writer::clear_within;
using history_writer::memory_of;

namespace {

using Length = std::uint32_t;

/// One read of the file: large enough that the system is asked rarely.
constexpr std::size_t window_bytes = 1U << 20U;
/// A part of a message may stand before what is read.
constexpr std::size_t window_kept_max = 4 * window_bytes;

/// What PostgreSQL says of the same error of a file, so that the same ones pass by themselves on
/// both sides. Source: errcode_for_file_access().
const char* sqlstate_of(int error) {
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return "53100";  // disk_full
    case ENFILE:
    case EMFILE:
        return "53000";  // insufficient_resources
    case EPERM:
    case EACCES:
    case EROFS:
        return "42501";  // insufficient_privilege
    case ENOENT:
        return "58P01";  // undefined_file
    case EIO:
        return "58030";  // io_error
    default:
        return "XX000";  // internal_error
    }
}

const char* hint_of(int error) {
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return "Make room there; the transaction is then streamed again.";
    case EOPNOTSUPP:
    case EISDIR:
        return "Its file system has no files without a name (O_TMPFILE); ext4, xfs, btrfs and "
               "tmpfs have. Set spool_dir to such a folder.";
    default:
        return "Let this user write in the folder, or set spool_dir to another one.";
    }
}

[[noreturn]] void fail(const char* what, const std::string& dir, int error = errno) {
    throw pq::Error{{
        .sqlstate = sqlstate_of(error),
        .primary = fmt::format(
            "{} in spool_dir \"{}\": {}", what, dir, std::generic_category().message(error)
        ),
        .detail = "A transaction that does not fit into memory waits there for its commit.",
        .hint = hint_of(error),
    }};
}

}  // namespace

TransactionBuffer::~TransactionBuffer() {
    if (file_ >= 0) ::close(file_);
}

void TransactionBuffer::append(std::span<const std::byte> message) {
    const auto length = static_cast<Length>(message.size());
    const auto length_bytes = std::as_bytes(std::span{&length, 1});
    const auto total = length_bytes.size() + message.size();
    ++messages_;
    if (memory_.size() + total > memory_max_) spill();
    if (total > memory_max_) {
        // It has no place in memory at any time, so that a huge row is not held here once more.
        write(length_bytes);
        write(message);
        return;
    }
    memory_.insert(memory_.end(), length_bytes.begin(), length_bytes.end());
    memory_.insert(memory_.end(), message.begin(), message.end());
}

void TransactionBuffer::spill() {
    write(memory_);
    memory_.clear();
}

void TransactionBuffer::write(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    if (file_ < 0) {
        file_ = ::open(spool_dir_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (file_ < 0) fail("could not create a file", spool_dir_);
    }
    while (!bytes.empty()) {
        const auto n = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(file_bytes_));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail("could not write", spool_dir_);
        bytes = bytes.subspan(static_cast<std::size_t>(n));
        file_bytes_ += static_cast<std::uint64_t>(n);
    }
}

void TransactionBuffer::clear() {
    memory_.clear();
    if (file_bytes_ != 0 && ::ftruncate(file_, 0) != 0) fail("could not truncate", spool_dir_);
    file_bytes_ = 0;
    messages_ = 0;
    rewind();
}

void TransactionBuffer::rewind() {
    memory_read_ = 0;
    file_read_ = 0;
    clear_within(window_, window_kept_max);
    window_read_ = 0;
}

bool TransactionBuffer::refill(std::size_t needed) {
    const auto rest = std::span<const std::byte>{window_}.subspan(window_read_);
    if (memory_of(window_) > window_kept_max && rest.size() <= window_bytes) {
        window_ = std::vector<std::byte>(rest.begin(), rest.end());
    } else {
        window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(window_read_));
    }
    window_read_ = 0;
    while (window_.size() < needed) {
        const auto have = window_.size();
        const auto wanted = std::min<std::uint64_t>(
            std::max(window_bytes, needed - have), file_bytes_ - file_read_
        );
        if (wanted == 0) return false;
        window_.resize(have + wanted);
        const auto n =
            ::pread(file_, window_.data() + have, wanted, static_cast<off_t>(file_read_));
        if (n == 0 || (n < 0 && errno != EINTR)) {
            fail("could not read", spool_dir_, n == 0 ? EIO : errno);
        }
        window_.resize(have + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
        file_read_ += static_cast<std::uint64_t>(std::max<ssize_t>(n, 0));
    }
    return true;
}

std::span<const std::byte> TransactionBuffer::next() {
    Length length = 0;
    const auto from_window = [&](std::size_t bytes) {
        return window_.size() - window_read_ >= bytes || refill(bytes);
    };
    if (file_bytes_ != 0 && from_window(sizeof length)) {
        std::memcpy(&length, window_.data() + window_read_, sizeof length);
        if (!from_window(sizeof length + length)) fail("could not read", spool_dir_, EIO);
        const auto message =
            std::span<const std::byte>{window_}.subspan(window_read_ + sizeof length, length);
        window_read_ += sizeof length + length;
        return message;
    }
    if (memory_read_ == memory_.size()) return {};
    std::memcpy(&length, memory_.data() + memory_read_, sizeof length);
    const auto message =
        std::span<const std::byte>{memory_}.subspan(memory_read_ + sizeof length, length);
    memory_read_ += sizeof length + length;
    return message;
}

}  // namespace pgchronicle::replicator::io
