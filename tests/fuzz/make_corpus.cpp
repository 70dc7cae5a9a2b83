#include "tests/fuzz/stream_faults.hpp"
#include "tests/fuzz/text_seeds.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/sample_messages.hpp"
#include "tests/support/wire_builder.hpp"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <random>

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

/// `choices`: the first byte of stream_fuzz, which is part of the position to sequence_fuzz.
Bytes session_of(const std::vector<Bytes>& messages, unsigned choices = 0) {
    WireWriter session;
    session.u8(choices).u8(0).u16(0).u32(0);
    for (const auto& message : messages) {
        session.u16(static_cast<unsigned>(message.size())).raw(message);
    }
    return session.take();
}

/// Sessions that no server sends; the recorded ones are all well-formed.
void write_broken_sessions(const std::filesystem::path& folder) {
    using namespace pgoutput;
    const PgTimestamp time{2};
    const Xid xid{742};
    const RelationId orders{16400};
    const Row row{text("1"), text("note"), null()};
    const Row narrow{text("1")};
    const auto begin = encode(Begin{Lsn{100}, time, xid});
    const auto commit = encode(Commit{0, Lsn{100}, Lsn{148}, time});
    const auto relation = encode(RelationMessage{{}, orders_relation()});
    const auto insert = encode(Insert{{}, orders, row.tuple()});
    const auto too_narrow = encode(Insert{{}, orders, narrow.tuple()});
    const auto streamed_relation = encode(RelationMessage{xid, orders_relation()});
    const auto start = encode(StreamStart{xid, true});
    const auto stop = encode(StreamStop{});
    const auto abort = encode(StreamAbort{xid, xid, {}, {}});

    write_seed(folder, "broken_commit_without_begin", session_of({commit}));
    write_seed(folder, "broken_begin_in_begin", session_of({begin, begin}));
    write_seed(folder, "broken_same_commit_twice", session_of({begin, commit, begin, commit}));
    write_seed(folder, "broken_row_before_relation", session_of({begin, insert, commit}));
    write_seed(folder, "broken_row_outside", session_of({begin, relation, commit, insert}));
    write_seed(folder, "broken_narrow_row", session_of({begin, relation, too_narrow, commit}));
    write_seed(folder, "broken_stop_without_start", session_of({stop, begin, commit}));
    write_seed(folder, "broken_nested_start", session_of({start, start, stop}));
    write_seed(
        folder, "broken_aborted_stream", session_of({start, streamed_relation, stop, abort, abort})
    );
}

/// stream_fuzz begins with the sessions of sequence_fuzz; these are what its choices add.
void write_stream_sessions(
    const std::filesystem::path& folder,
    const GoldenStream& stream,
    const std::vector<Bytes>& messages
) {
    const auto write = [&](const std::string& what, unsigned choices) {
        write_seed(folder, stream.name + what, session_of(messages, choices));
    };
    if (stream.name.ends_with("009_binary")) write("_form", 1);
    if (stream.name == "pg18/001_identities") {
        write("_spooled", 2);
        write("_keyless", 4);
        write("_excluded", 8);
        write("_some_tracked", 16);
        write("_collapsed", 32);
        write("_partitioned", 64);
        write("_all", 0x7E);
    }
    if (stream.name == "pg18/010_subtransactions" || stream.name == "pg18/012_two_phase") {
        write("_spooled", 2);
    }
}

/// A frame as it comes, a keepalive among them.
void write_framed_session(const std::filesystem::path& folder) {
    using namespace pgoutput;
    constexpr unsigned whole_frame = 0x8000;
    WireWriter session;
    session.u64(0);
    const auto add = [&](const Bytes& frame) {
        session.u16(whole_frame | static_cast<unsigned>(frame.size())).raw(frame);
    };
    add(encode(Keepalive{Lsn{90}, {}, true}));
    add(encode(XLogData{{}, {}, {}, encode(Begin{Lsn{100}, {}, Xid{742}})}));
    add(encode(Keepalive{Lsn{148}, {}, true}));
    add(encode(XLogData{{}, {}, {}, encode(Commit{0, Lsn{100}, Lsn{148}, {}})}));
    write_seed(folder, "frames", session.take());
}

/// Two stories for each fault: the rest of a story is any bytes.
void write_stories(const std::filesystem::path& folder, unsigned faults) {
    constexpr std::size_t story_bytes = 200;
    std::mt19937_64 random{1};  // The same seeds each time.
    for (unsigned fault = 0; fault < faults; ++fault) {
        for (const char* const name : {"a", "b"}) {
            WireWriter seed;
            seed.u64(random()).u8(fault % 3).u8(fault);
            seed.u16(static_cast<unsigned>(random() & 0xFFU));
            seed.u16(static_cast<unsigned>(random() & 0xFFU));
            for (std::size_t i = 0; i < story_bytes; ++i) {
                seed.u8(static_cast<unsigned>(random() & 0xFFU));
            }
            write_seed(folder, "fault_" + std::to_string(fault) + name, seed.take());
        }
    }
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
        std::vector<Bytes> messages;
        for (const auto& message : stream.messages) messages.push_back(message.bytes);
        write_seed(corpus / "sequence", stream.name, session_of(messages));
        write_stream_sessions(corpus / "stream", stream, messages);
    }
    write_broken_sessions(corpus / "sequence");
    write_framed_session(corpus / "stream");
    write_stories(corpus / "story", static_cast<unsigned>(Fault::count));
    for (const auto& seed : text_seeds()) {
        write_seed(corpus / seed.target, seed.name, WireWriter{}.text(seed.text).take());
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
