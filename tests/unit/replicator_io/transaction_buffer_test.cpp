#include "replicator/io/transaction_buffer.hpp"

#include "pq/error.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <random>
#include <stdexcept>
#include <string>

namespace {

using namespace pgchronicle;
using replicator::io::TransactionBuffer;

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span{text.data(), text.size()});
}

std::string spool_dir() {
    return std::filesystem::temp_directory_path().string();
}

void append(TransactionBuffer& buffer, const std::vector<std::string>& messages) {
    for (const auto& message : messages) buffer.append(bytes_of(message));
}

std::vector<std::string> read_all(TransactionBuffer& buffer) {
    std::vector<std::string> messages;
    for (auto m = buffer.next(); !m.empty(); m = buffer.next()) {
        messages.emplace_back(reinterpret_cast<const char*>(m.data()), m.size());
    }
    return messages;
}

/// What is said when a transaction does not fit and `dir` cannot take it.
pq::Error error_of(const std::string& dir) {
    TransactionBuffer buffer{dir, 4};
    try {
        buffer.append(bytes_of("too large"));
    } catch (const pq::Error& error) {
        return error;
    }
    throw std::logic_error{"it was taken"};
}

}  // namespace

TEST_CASE("messages that fit in memory come back in order", "[replicator_io]") {
    TransactionBuffer buffer{spool_dir(), 1000};
    const std::vector<std::string> messages{"B", "Irow", "C"};
    append(buffer, messages);
    REQUIRE_FALSE(buffer.spilled());
    REQUIRE(read_all(buffer) == messages);
    REQUIRE(buffer.next().empty());
    buffer.rewind();
    REQUIRE(read_all(buffer) == messages);
}

TEST_CASE("messages that do not fit in memory come back in order", "[replicator_io]") {
    TransactionBuffer buffer{spool_dir(), 64};
    std::vector<std::string> messages;
    for (int i = 0; i < 1000; ++i) messages.push_back("row number " + std::to_string(i));
    append(buffer, messages);
    REQUIRE(buffer.spilled());
    REQUIRE(read_all(buffer) == messages);
    buffer.rewind();
    REQUIRE(read_all(buffer) == messages);
}

TEST_CASE(
    "a message larger than memory and than one read of the file comes back",
    "[replicator_io]"
) {
    TransactionBuffer buffer{spool_dir(), 1000};
    const std::string large(3'000'000, 'x');
    const std::vector<std::string> messages{"B", large, "after", large + "y", "C"};
    append(buffer, messages);
    REQUIRE(read_all(buffer) == messages);
}

TEST_CASE("a message larger than memory is never held there", "[replicator_io]") {
    TransactionBuffer buffer{spool_dir(), 1000};
    const std::string large(5'000, 'x');
    const std::vector<std::string> messages{"B", large, "after", "C"};
    append(buffer, {"B"});
    REQUIRE_FALSE(buffer.spilled());
    append(buffer, {large});
    REQUIRE(buffer.spilled());
    REQUIRE(buffer.memory_bytes() == 0);
    append(buffer, {"after", "C"});
    REQUIRE(buffer.memory_bytes() < 1000);
    REQUIRE(read_all(buffer) == messages);
}

TEST_CASE(
    "a cleared buffer takes the next transaction, in the file and out of it",
    "[replicator_io]"
) {
    TransactionBuffer buffer{spool_dir(), 64};
    append(buffer, {std::string(100, 'a'), std::string(100, 'b')});
    REQUIRE(read_all(buffer).size() == 2);
    REQUIRE(buffer.messages() == 2);
    buffer.clear();
    REQUIRE(buffer.bytes() == 0);
    REQUIRE(buffer.messages() == 0);
    REQUIRE_FALSE(buffer.spilled());
    REQUIRE(buffer.next().empty());
    append(buffer, {"small"});
    REQUIRE(read_all(buffer) == std::vector<std::string>{"small"});
    buffer.clear();
    append(buffer, {std::string(100, 'c')});
    REQUIRE(read_all(buffer) == std::vector<std::string>{std::string(100, 'c')});
}

TEST_CASE("messages of any size come back whatever the memory", "[replicator_io]") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random{seed};
    for (int round = 0; round < 20; ++round) {
        TransactionBuffer buffer{spool_dir(), 1U << (random() % 20)};
        std::vector<std::string> messages(1 + random() % 200);
        for (auto& message : messages) {
            message.assign(1 + random() % (1U << (random() % 18)), static_cast<char>(random()));
        }
        append(buffer, messages);
        REQUIRE(read_all(buffer) == messages);
    }
}

TEST_CASE("a spool folder that is not there is an error for an operator", "[replicator_io]") {
    const auto error = error_of("/nonexistent/spool");
    REQUIRE(
        error.primary() ==
        "could not create a file in spool_dir \"/nonexistent/spool\": No such file or directory"
    );
    REQUIRE(error.sqlstate() == "58P01");
    REQUIRE(error.disposition() == pq::Disposition::halt);
    REQUIRE_FALSE(error.detail().empty());
    REQUIRE_THAT(error.hint(), Catch::Contains("spool_dir"));
}
