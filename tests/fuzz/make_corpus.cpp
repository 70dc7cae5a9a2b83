#include "tests/support/golden.hpp"
#include "tests/support/sample_messages.hpp"
#include "tests/support/wire_builder.hpp"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>

// Writes the seeds of the fuzz targets out of the samples and the recorded streams. Files that a
// fuzzer found stand beside them and are left alone.
//
// usage: make_corpus GOLDEN_FOLDER CORPUS_FOLDER

namespace {

using namespace pgchronicle;
using namespace pgchronicle::test;

/// Longer seeds make a fuzzer slow and teach it nothing new.
constexpr std::size_t seed_bytes_max = 4096;

void write_seed(const std::filesystem::path& folder, std::string name, const Bytes& bytes) {
    if (bytes.size() > seed_bytes_max) return;
    std::filesystem::create_directories(folder);
    std::replace(name.begin(), name.end(), '/', '_');
    std::ofstream out{folder / name, std::ios::binary};
    out.write(
        reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())
    );
}

void make_corpus(const std::filesystem::path& golden, const std::filesystem::path& corpus) {
    for (const auto& sample : sample_messages()) {
        const bool inside = sample.context == pgoutput::StreamContext::inside_stream;
        const auto seed = WireWriter{}.flag(inside).raw(sample.bytes).take();
        write_seed(corpus / "decode", sample.name, seed);
        const pgoutput::XLogData frame{
            pgoutput::Lsn{0}, pgoutput::Lsn{1}, pgoutput::PgTimestamp{2}, sample.bytes};
        if (!inside) write_seed(corpus / "frame", sample.name, encode(frame));
    }
    const pgoutput::Keepalive keepalive{pgoutput::Lsn{1}, pgoutput::PgTimestamp{2}, true};
    write_seed(corpus / "frame", "keepalive", encode(keepalive));

    for (const auto& stream : load_golden_streams(golden)) {
        WireWriter session;
        session.u64(0);
        for (const auto& message : stream.messages) {
            session.u16(static_cast<unsigned>(message.bytes.size())).raw(message.bytes);
        }
        write_seed(corpus / "sequence", stream.name, session.take());
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: make_corpus GOLDEN_FOLDER CORPUS_FOLDER\n");
        return 2;
    }
    try {
        make_corpus(argv[1], argv[2]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "make_corpus: error: %s\n", error.what());
        return 1;
    }
    return 0;
}
