#include "replicator/commit_record.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cstring>

namespace pgchronicle::replicator {

namespace {

using pgoutput::Lsn;
using pgoutput::Xid;

constexpr WalLayout usual{};
constexpr Xid xid{731};

/// The record's first bytes, as a server of this machine's byte order writes them.
std::array<std::byte, 8> head(std::uint32_t length, Xid writer = xid) {
    std::array<std::byte, 8> bytes{};
    const auto number = static_cast<std::uint32_t>(writer);
    std::memcpy(bytes.data(), &length, sizeof length);
    std::memcpy(bytes.data() + sizeof length, &number, sizeof number);
    return bytes;
}

std::optional<Lsn> end(std::uint64_t start, std::uint32_t length, WalLayout layout = usual) {
    return end_of_commit(Lsn{start}, xid, head(length), layout);
}

}  // namespace

TEST_CASE("a record ends at the next multiple of eight bytes", "[replicator]") {
    CHECK(end(0x1000028, 46) == Lsn{0x1000028 + 48});
    CHECK(end(0x1000028, 48) == Lsn{0x1000028 + 48});
}

TEST_CASE(
    "a record that fills its page ends there, before the next page's header",
    "[replicator]"
) {
    CHECK(end(0x1002000 - 48, 46) == Lsn{0x1002000});
}

TEST_CASE("a record goes on behind the header of the next page", "[replicator]") {
    CHECK(end(0x1002000 - 40, 46) == Lsn{0x1002000 + 24 + 8});
    CHECK(end(0x1002000 - 8, 46) == Lsn{0x1002000 + 24 + 40});
}

TEST_CASE("a segment's first page has a longer header", "[replicator]") {
    CHECK(end(0x2000000 - 40, 46) == Lsn{0x2000000 + 40 + 8});
    const WalLayout small{8192, 1U << 20U};
    CHECK(end(0x1100000 - 40, 46, small) == Lsn{0x1100000 + 40 + 8});
    CHECK(end(0x1100000 - 40, 46) == Lsn{0x1100000 + 24 + 8});
}

TEST_CASE("a long record goes on over many pages", "[replicator]") {
    const std::uint32_t of_page = 8192 - 24;
    CHECK(end(0x1002000 - 16, 16 + 2 * of_page) == Lsn{0x1002000 + 2 * 8192});
    CHECK(end(0x1002000 - 16, 16 + 2 * of_page + 1) == Lsn{0x1002000 + 2 * 8192 + 24 + 8});
}

TEST_CASE("pages may have other sizes", "[replicator]") {
    const WalLayout large{32768, 64U << 20U};
    CHECK(end(0x1002000 - 40, 46, large) == Lsn{0x1002000 + 8});
}

TEST_CASE(
    "what a prepared transaction commits with has no transaction of its own",
    "[replicator]"
) {
    CHECK(end_of_commit(Lsn{0x1000028}, xid, head(46, Xid{0}), usual) == Lsn{0x1000028 + 48});
}

TEST_CASE("what is no commit of the transaction has no end", "[replicator]") {
    CHECK_FALSE(end_of_commit(Lsn{0x1000028}, xid, head(46, Xid{732}), usual));
    CHECK_FALSE(end(0x1000028, 23));
    CHECK_FALSE(end(0x1000028, 0xFFFFFFFF));
    const auto bytes = head(46);
    CHECK_FALSE(end_of_commit(Lsn{0x1000028}, xid, std::span{bytes}.first(7), usual));
    CHECK_FALSE(end_of_commit(Lsn{0x1000028}, xid, {}, usual));
}

}  // namespace pgchronicle::replicator
