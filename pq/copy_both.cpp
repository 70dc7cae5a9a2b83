#include "pq/copy_both.hpp"

#include <utility>

namespace pgchronicle::pq {

CopyBoth::CopyBoth(Connection connection, const std::string& command)
    : connection_{std::move(connection)} {
    const Result result{PQexec(connection_.native(), command.c_str())};
    if (result.status() != PGRES_COPY_BOTH) throw error_of(result.native(), connection_.native());
    PQsetnonblocking(connection_.native(), 1);
}

std::span<const std::byte> CopyBoth::next() {
    constexpr int async = 1;
    constexpr int end_of_copy = -1;
    buffer_.reset();
    if (ended_) return {};
    char* raw = nullptr;
    const int length = PQgetCopyData(connection_.native(), &raw, async);
    buffer_.reset(raw);
    if (length > 0) {
        return std::as_bytes(std::span{raw, static_cast<std::size_t>(length)});
    }
    if (length == 0) return {};
    if (length != end_of_copy) throw connection_.last_error();
    const Result result{PQgetResult(connection_.native())};
    const auto status = result.status();
    if (status != PGRES_COMMAND_OK && status != PGRES_COPY_IN && status != PGRES_COPY_BOTH) {
        throw error_of(result.native(), connection_.native());
    }
    ended_ = true;
    return {};
}

void CopyBoth::consume() {
    if (PQconsumeInput(connection_.native()) != 1) throw connection_.last_error();
}

void CopyBoth::put(std::span<const std::byte> message) {
    const auto* data = reinterpret_cast<const char*>(message.data());  // NOLINT
    if (PQputCopyData(connection_.native(), data, static_cast<int>(message.size())) < 0) {
        throw connection_.last_error();
    }
    flush();
}

bool CopyBoth::flush() {
    const int left = PQflush(connection_.native());
    if (left < 0) throw connection_.last_error();
    return left == 0;
}

void CopyBoth::end() {
    if (PQputCopyEnd(connection_.native(), nullptr) < 0) throw connection_.last_error();
    flush();
}

}  // namespace pgchronicle::pq
