#pragma once

#include "pgoutput/decode.hpp"
#include "tests/support/wire_builder.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// Streams recorded from real servers, as tests/golden/record.sh writes them.

namespace pgchronicle::test {

struct GoldenMessage {
    pgoutput::Lsn lsn;  ///< What pg_logical_slot_peek_binary_changes says of it.
    pgoutput::StreamContext context{};
    Bytes bytes;
};

struct GoldenStream {
    std::string name;  ///< "pg15/001_identities"
    std::vector<GoldenMessage> messages;
    std::vector<std::string> lines;  ///< The readable decoding, a line a message.
};

inline Bytes bytes_of_hex(std::string_view hex) {
    const auto digit = [](char c) -> unsigned {
        if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
        if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10U;
        throw std::runtime_error{"not a hexadecimal digit"};
    };
    Bytes bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>(digit(hex[i]) * 16U + digit(hex[i + 1])));
    }
    return bytes;
}

inline GoldenStream load_golden(const std::filesystem::path& hex_file) {
    using pgoutput::StreamContext;
    GoldenStream stream;
    stream.name = hex_file.parent_path().filename() / hex_file.stem();

    std::ifstream hex{hex_file};
    std::string line;
    auto context = StreamContext::outside_stream;
    while (std::getline(hex, line)) {
        std::istringstream fields{line};
        std::string lsn;
        std::string xid;
        std::string bytes;
        fields >> lsn >> xid >> bytes;
        const auto position = pgoutput::parse_lsn(lsn);
        if (!position) throw std::runtime_error{hex_file.string() + ": no LSN in: " + line};
        stream.messages.push_back({*position, context, bytes_of_hex(bytes)});
        const auto tag = std::to_integer<char>(stream.messages.back().bytes.at(0));
        if (tag == 'S') context = StreamContext::inside_stream;
        if (tag == 'E') context = StreamContext::outside_stream;
    }
    std::ifstream text{std::filesystem::path{hex_file}.replace_extension(".txt")};
    while (std::getline(text, line)) stream.lines.push_back(line);
    return stream;
}

/// Every recorded stream below `folder`, ordered by server and name.
inline std::vector<GoldenStream> load_golden_streams(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{folder}) {
        if (entry.path().extension() == ".hex") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    std::vector<GoldenStream> streams;
    for (const auto& file : files) streams.push_back(load_golden(file));
    return streams;
}

}  // namespace pgchronicle::test
