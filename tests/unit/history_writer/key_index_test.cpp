#include "history_writer/key_index.hpp"

#include "tests/unit/history_writer/rows.hpp"

#include <catch2/catch.hpp>

#include <set>

namespace {

using namespace pgchronicle::history_writer;

std::span<const std::byte> key(const std::string& text) {
    return std::as_bytes(std::span{text.data(), text.size()});
}

}  // namespace

TEST_CASE("a key is new once and found after that", "[history_writer]") {
    KeyIndex index;
    REQUIRE_FALSE(index.find_or_add(key("a")).seen);
    index.find_or_add(key("a")).open_version = 7;
    const auto& found = index.find_or_add(key("a"));
    REQUIRE(found.seen);
    REQUIRE(found.open_version == 7);
    REQUIRE_FALSE(index.find_or_add(key("b")).seen);
}

TEST_CASE("keys that begin alike, and the empty one, are different keys", "[history_writer]") {
    KeyIndex index;
    const std::vector<std::string> keys{
        "",
        std::string(1, '\0'),
        std::string(2, '\0'),
        "a",
        "aa",
        "12345678",
        "123456789",
        "1234567812345678"};
    for (const auto& k : keys) REQUIRE_FALSE(index.find_or_add(key(k)).seen);
    for (const auto& k : keys) REQUIRE(index.find_or_add(key(k)).seen);
}

TEST_CASE("keys keep their states while the index grows", "[history_writer]") {
    KeyIndex index;
    constexpr std::uint32_t count = 10'000;
    for (std::uint32_t i = 0; i < count; ++i) {
        index.find_or_add(key("key " + std::to_string(i))).open_version = i;
    }
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto& state = index.find_or_add(key("key " + std::to_string(i)));
        REQUIRE(state.seen);
        REQUIRE(state.open_version == i);
    }
}

TEST_CASE("a cleared index knows no key and keeps its memory", "[history_writer]") {
    KeyIndex index;
    for (int i = 0; i < 1000; ++i) index.find_or_add(key(std::to_string(i)));
    const auto memory = index.memory();
    index.clear();
    REQUIRE(index.memory() == memory);
    REQUIRE_FALSE(index.find_or_add(key("1")).seen);
    REQUIRE(index.find_or_add(key("1")).open_version == no_index);
}

TEST_CASE("the hash tells single bits apart", "[history_writer]") {
    for (std::size_t size = 1; size <= 32; ++size) {
        CAPTURE(size);
        std::set<std::uint64_t> hashes{hash_bytes(key(std::string(size, '\0')))};
        for (std::size_t bit = 0; bit < size * 8; ++bit) {
            std::string text(size, '\0');
            text[bit / 8] = static_cast<char>(1U << (bit % 8));
            hashes.insert(hash_bytes(key(text)));
        }
        REQUIRE(hashes.size() == size * 8 + 1);
    }
}
