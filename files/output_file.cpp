#include "files/output_file.hpp"

#include "files/error.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>
#include <zlib.h>

namespace pgchronicle::files {
namespace {

/// As much as is written at once.
constexpr std::size_t buffer_bytes = 256UL << 10U;
/// A window of 32 KiB, and 16 more for a gzip header: zlib writes one without time and name.
constexpr int gzip_window_bits = 15 + 16;
constexpr int memory_level = 8;
constexpr ::mode_t file_mode = 0644;

}  // namespace

void OutputFile::EndStream::operator()(z_stream* stream) const {
    deflateEnd(stream);
    delete stream;  // NOLINT(cppcoreguidelines-owning-memory)
}

OutputFile::OutputFile(std::filesystem::path path, bool gzip) : path_{std::move(path)} {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file_mode);
    if (descriptor_ < 0) throw system_error("could not create \"" + path_.string() + "\"", errno);
    buffer_.reserve(buffer_bytes);
    if (!gzip) return;
    auto stream = std::make_unique<z_stream>();
    const int made = deflateInit2(
        stream.get(),
        Z_DEFAULT_COMPRESSION,
        Z_DEFLATED,
        gzip_window_bits,
        memory_level,
        Z_DEFAULT_STRATEGY
    );
    if (made != Z_OK) throw system_error("could not begin to compress", ENOMEM);
    stream_.reset(stream.release());
}

OutputFile::~OutputFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void OutputFile::store(std::string_view bytes) {
    digest_.add(bytes);
    bytes_ += bytes.size();
    while (!bytes.empty()) {
        const auto written = ::write(descriptor_, bytes.data(), bytes.size());
        if (written < 0) {
            if (errno == EINTR) continue;
            throw system_error("could not write \"" + path_.string() + "\"", errno);
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

void OutputFile::deflate_all(std::string_view text, int flush) {
    // zlib reads it only.
    stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // NOLINT
    stream_->avail_in = static_cast<uInt>(text.size());
    std::vector<char> out(buffer_bytes);
    do {
        stream_->next_out = reinterpret_cast<Bytef*>(out.data());  // NOLINT
        stream_->avail_out = static_cast<uInt>(out.size());
        if (deflate(stream_.get(), flush) == Z_STREAM_ERROR) {
            throw system_error("could not compress \"" + path_.string() + "\"", EINVAL);
        }
        store({out.data(), out.size() - stream_->avail_out});
    } while (stream_->avail_out == 0);
}

void OutputFile::write(std::string_view text) {
    // Compressed in pieces of one size, whatever the sizes are in which it comes.
    while (!text.empty()) {
        const auto part = text.substr(0, buffer_bytes - buffer_.size());
        buffer_.insert(buffer_.end(), part.begin(), part.end());
        text.remove_prefix(part.size());
        if (buffer_.size() < buffer_bytes) return;
        const std::string_view full{buffer_.data(), buffer_.size()};
        if (stream_) {
            deflate_all(full, Z_NO_FLUSH);
        } else {
            store(full);
        }
        buffer_.clear();
    }
}

void OutputFile::close() {
    const std::string_view rest{buffer_.data(), buffer_.size()};
    if (stream_) {
        deflate_all(rest, Z_FINISH);
    } else {
        store(rest);
    }
    buffer_.clear();
    if (::fsync(descriptor_) != 0) {
        throw system_error("could not flush \"" + path_.string() + "\"", errno);
    }
    const int closed = ::close(std::exchange(descriptor_, -1));
    if (closed != 0) throw system_error("could not close \"" + path_.string() + "\"", errno);
    sha256_ = digest_.hex();
}

}  // namespace pgchronicle::files
