#include "initial_copy/stamped_rows.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace pgchronicle::initial_copy {

namespace {

const std::string header{"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19};
const std::string end{"\377\377", 2};

std::span<const std::byte> bytes(const std::string& text) {
    return std::as_bytes(std::span{text});
}

std::string row(char columns, const std::string& fields) {
    return std::string{'\0', columns} + fields;
}

struct Copied {
    std::vector<std::string> pieces;
    std::uint64_t rows{0};

    std::string all() const {
        std::string joined;
        for (const auto& piece : pieces) joined += piece;
        return joined;
    }
};

Copied copy(const std::vector<std::string>& messages) {
    const std::string stamp = header + row(2, "<stamp>");
    Copied copied;
    StampedRows rows{
        first_row(bytes(stamp)), [&](std::span<const std::byte> piece) {
            copied.pieces.emplace_back(reinterpret_cast<const char*>(piece.data()), piece.size());
        }};
    for (const auto& message : messages) rows.add(bytes(message));
    rows.flush();
    copied.rows = rows.rows();
    return copied;
}

}  // namespace

TEST_CASE("every row gets the stamp's fields, in one piece") {
    const auto copied = copy({header + row(1, "a"), row(1, "bc"), end});
    CHECK(copied.all() == header + row(3, "a<stamp>") + row(3, "bc<stamp>") + end);
    CHECK(copied.pieces.size() == 1);
    CHECK(copied.rows == 2);
}

TEST_CASE("a table without rows stays one without rows") {
    const auto copied = copy({header + end});
    CHECK(copied.all() == header + end);
    CHECK(copied.rows == 0);
}

TEST_CASE("rows without columns get the stamp alone") {
    CHECK(copy({header + row(0, ""), end}).all() == header + row(2, "<stamp>") + end);
}

TEST_CASE("a huge row keeps its place among others") {
    const std::string huge(1U << 20U, 'x');
    const auto copied = copy({header + row(1, "a"), row(1, huge), row(1, "b"), end});
    CHECK(
        copied.all() ==
        header + row(3, "a<stamp>") + row(3, huge + "<stamp>") + row(3, "b<stamp>") + end
    );
    CHECK(copied.pieces.size() == 3);
}

}  // namespace pgchronicle::initial_copy
