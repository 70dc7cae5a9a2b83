#include "history_writer/pg/array_params.hpp"
#include "history_writer/pg/copy_writer.hpp"
#include "tests/support/counted_memory.hpp"

#include <catch2/catch.hpp>

#include <memory>

// What the writer does for every row of a batch, up to where a connection comes in: the rows of a
// COPY below the size at which they are sent, and the arrays of keys to be closed.

namespace {

using namespace pgchronicle;
using namespace pgchronicle::test;
using history_writer::Bytes;
using history_writer::WireForm;
using history_writer::pg::CopyWriter;

/// Stands where a connection is asked for that is never used.
union Nowhere {
    Nowhere() {}
    ~Nowhere() {}
    Nowhere(const Nowhere&) = delete;
    Nowhere& operator=(const Nowhere&) = delete;
    pq::Connection connection;
};

constexpr int rows = 100;

/// Allocations by `row`, called for each of some rows, when the same was done before.
template <typename Begin, typename RowOf>
std::uint64_t allocations_again(const Begin& begin, const RowOf& row) {
    std::uint64_t counted_last = 0;
    for (int round = 0; round < 2; ++round) {
        begin();
        const auto before = allocations.load();
        for (int i = 0; i < rows; ++i) row();
        counted_last = allocations.load() - before;
    }
    return counted_last;
}

}  // namespace

TEST_CASE("the counter sees the writer's allocations", "[history_writer]") {
    const auto before = allocations.load();
    const auto made = std::make_unique<int>(1);
    REQUIRE(allocations.load() > before);
    REQUIRE(*made == 1);
}

TEST_CASE("rows of a binary COPY ask for no memory once its buffer has grown", "[history_writer]") {
    const bool open = GENERATE(true, false);
    Nowhere nowhere;
    Bytes buffer;
    CopyWriter writer{nowhere.connection, buffer, WireForm::binary};
    const Bytes payload(100, std::byte{7});
    const Bytes bitmap(8);
    const Bytes key{{}, {}, {}, std::byte{4}, {}, {}, {}, std::byte{1}};
    const auto counted_last = allocations_again(
        [&] { buffer.clear(); },
        [&] {
            writer.begin_row(13, payload);
            writer.history_fields({{}, {}, open, {}, {}, history_writer::Operation::update, 1});
            // What a row has besides when it goes by way of a staging table.
            writer.bytea_field(bitmap);
            writer.int32_field(0);
            writer.neutral_field(key);
            writer.null_field();
            writer.end_row();
        }
    );
    REQUIRE(counted_last == 0);
    REQUIRE(buffer.size() > rows * payload.size());
}

TEST_CASE("keys ask for no memory in either form of array, once it has grown", "[history_writer]") {
    const bool as_text = GENERATE(true, false);
    Bytes array;
    const Bytes key{{}, {}, {}, std::byte{3}, std::byte{'a'}, std::byte{'"'}, std::byte{'c'}};
    constexpr std::uint32_t text_oid = 25;
    const auto counted_last = allocations_again(
        [&] {
            array.clear();
            if (!as_text) history_writer::pg::begin_binary_array(array, text_oid, rows);
        },
        [&] {
            if (as_text) {
                history_writer::pg::append_text_element(array, key);
            } else {
                history_writer::append(array, key);
            }
        }
    );
    REQUIRE(counted_last == 0);
    REQUIRE(array.size() >= rows * key.size());
}
