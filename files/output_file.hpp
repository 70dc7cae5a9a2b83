#pragma once

#include "files/digest.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using z_stream = struct z_stream_s;

namespace pgchronicle::files {

/// A new file that is written once, from its beginning to its end, gzip-compressed or not. Equal
/// text makes equal bytes: the compressed form holds neither a time nor a name.
/// Throws Error.
class OutputFile {
public:
    OutputFile(std::filesystem::path path, bool gzip);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;
    OutputFile(OutputFile&&) = delete;
    OutputFile& operator=(OutputFile&&) = delete;

    void write(std::string_view text);
    /// Everything is on the disk on return.
    void close();

    /// Of the file as it is stored; only once it is closed.
    [[nodiscard]] const std::string& sha256() const { return sha256_; }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

private:
    void store(std::string_view bytes);
    void deflate_all(std::string_view text, int flush);

    struct EndStream {
        void operator()(z_stream* stream) const;
    };

    std::filesystem::path path_;
    int descriptor_{-1};
    std::unique_ptr<z_stream, EndStream> stream_;
    std::vector<char> buffer_;
    Digest digest_;
    std::string sha256_;
    std::uint64_t bytes_{0};
};

}  // namespace pgchronicle::files
