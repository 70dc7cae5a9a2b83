#include "http/answer_cache.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::http;
using namespace std::chrono_literals;
using pgchronicle::pgoutput::Lsn;

namespace {

const Clock::time_point t0{};

SharedAnswer answer(std::uint64_t lsn, std::string body = "x", unsigned status = 200) {
    Answer made;
    made.status = status;
    made.body = std::move(body);
    if (lsn != 0) made.lsn = Lsn{lsn};
    return std::make_shared<const Answer>(std::move(made));
}

}  // namespace

TEST_CASE("an answer is given again for a while, a shorter one when history goes on", "[http]") {
    AnswerCache cache{{}};
    const auto made = answer(7);
    cache.settle("k", made, t0);
    CHECK(cache.find("k", t0 + 1s, Lsn{7}, {}) == made);
    CHECK(cache.find("k", t0 + 1001ms, Lsn{7}, {}) == nullptr);
    CHECK(cache.find("k", t0 + 100ms, Lsn{8}, {}) == made);
    CHECK(cache.find("k", t0 + 101ms, Lsn{8}, {}) == nullptr);
    // Set back by a replay.
    CHECK(cache.find("k", t0 + 101ms, Lsn{6}, {}) == nullptr);
    CHECK(cache.find("other", t0, Lsn{7}, {}) == nullptr);
}

TEST_CASE("an answer is not given to who has to see more than it shows", "[http]") {
    AnswerCache cache{{}};
    cache.settle("k", answer(7), t0);
    CHECK(cache.find("k", t0, Lsn{7}, Lsn{7}) != nullptr);
    CHECK(cache.find("k", t0, Lsn{7}, Lsn{8}) == nullptr);
}

TEST_CASE("only good answers whose LSN is known are kept", "[http]") {
    AnswerCache cache{{}};
    cache.settle("error", answer(7, "x", 503), t0);
    cache.settle("nowhere", answer(0), t0);
    CHECK(cache.size() == 0);
    AnswerCache none{{.time_max = 0ms, .time_min = 0ms}};
    none.settle("k", answer(7), t0);
    CHECK(none.size() == 0);
}

TEST_CASE("equal questions that come together are asked once, and all are answered", "[http]") {
    AnswerCache cache{{}};
    std::vector<std::string> told;
    const auto join = [&](const std::string& key, const std::string& who) {
        return cache.join(key, [&told, who](const SharedAnswer& given) {
            told.push_back(who + given->body);
        });
    };
    CHECK(join("k", "a"));
    CHECK_FALSE(join("k", "b"));
    CHECK(join("other", "c"));
    cache.settle("k", answer(7, "!"), t0);
    CHECK(told == std::vector<std::string>{"a!", "b!"});
    // The next one is a new question.
    CHECK(join("k", "d"));
}

TEST_CASE("memory is bounded: by number, and by bytes", "[http]") {
    AnswerCache few{{.entries_max = 2}};
    for (const auto* key : {"a", "b", "c"}) few.settle(key, answer(7), t0);
    CHECK(few.size() == 2);
    CHECK(few.find("a", t0, Lsn{7}, {}) == nullptr);
    CHECK(few.find("c", t0, Lsn{7}, {}) != nullptr);

    AnswerCache small{{.bytes_max = 10'000}};
    small.settle("large", answer(7, std::string(6'000, 'x')), t0);
    CHECK(small.size() == 0);
    for (const auto* key : {"a", "b", "c"})
        small.settle(key, answer(7, std::string(3'500, 'x')), t0);
    CHECK(small.size() == 2);
}
