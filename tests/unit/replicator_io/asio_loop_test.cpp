#include "replicator/io/asio_loop.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <thread>

namespace {

using pgchronicle::replicator::io::AsioLoop;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE("what is posted from any thread runs on the loop's, in order", "[replicator_io]") {
    AsioLoop loop;
    std::string order;
    std::thread::id ran_on;
    std::thread other{[&] {
        loop.post([&] {
            ran_on = std::this_thread::get_id();
            order += 'a';
        });
        loop.post([&] {
            order += 'b';
            loop.stop();
        });
    }};
    other.join();
    loop.run();
    REQUIRE(order == "ab");
    REQUIRE(ran_on == std::this_thread::get_id());
}

TEST_CASE("a call at a time takes the place of the one before it", "[replicator_io]") {
    AsioLoop loop;
    std::string order;
    loop.call_at(loop.now() + 1ms, [&] { order += 'a'; });
    const auto due = loop.now() + 5ms;
    loop.call_at(due, [&] {
        order += 'b';
        loop.stop();
    });
    loop.run();
    REQUIRE(order == "b");
    REQUIRE(loop.now() >= due);
}
