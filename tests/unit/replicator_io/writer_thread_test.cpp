#include "replicator/io/writer_thread.hpp"

#include <catch2/catch.hpp>

#include <future>
#include <stdexcept>
#include <thread>

namespace {

using pgchronicle::replicator::io::WriterThread;

/// Runs one job and waits for its end.
std::exception_ptr run(WriterThread& writer, std::function<void()> job) {
    std::promise<std::exception_ptr> ended;
    auto end = ended.get_future();
    writer.start(std::move(job), [&](std::exception_ptr failure) { ended.set_value(failure); });
    return end.get();
}

}  // namespace

TEST_CASE("a job runs on a thread of its own and its end is reported", "[replicator_io]") {
    WriterThread writer;
    std::thread::id ran_on;
    REQUIRE(run(writer, [&] { ran_on = std::this_thread::get_id(); }) == nullptr);
    REQUIRE(ran_on != std::this_thread::get_id());
}

TEST_CASE("a job that throws reports what it threw, and the next one runs", "[replicator_io]") {
    WriterThread writer;
    const auto failure = run(writer, [] { throw std::runtime_error{"connection was lost"}; });
    REQUIRE(failure != nullptr);
    REQUIRE_THROWS_WITH(std::rethrow_exception(failure), "connection was lost");
    bool ran = false;
    REQUIRE(run(writer, [&] { ran = true; }) == nullptr);
    REQUIRE(ran);
}

TEST_CASE("a job may be given from the report of the one before", "[replicator_io]") {
    WriterThread writer;
    std::promise<int> ended;
    auto end = ended.get_future();
    int jobs = 0;
    std::function<void(std::exception_ptr)> next = [&](const std::exception_ptr& /*failure*/) {
        if (++jobs == 100) {
            ended.set_value(jobs);
        } else {
            writer.start([] {}, next);
        }
    };
    writer.start([] {}, next);
    REQUIRE(end.get() == 100);
}

TEST_CASE("a job lets go of what it holds before its end is reported", "[replicator_io]") {
    WriterThread writer;
    auto held = std::make_shared<int>(1);
    std::weak_ptr<int> watched = held;
    std::promise<bool> ended;
    auto end = ended.get_future();
    writer.start(
        [held] { static_cast<void>(*held); },
        [&](const std::exception_ptr& /*failure*/) { ended.set_value(watched.expired()); }
    );
    held.reset();
    // The caller's copy may go after the job: only a writer that kept its own would fail.
    static_cast<void>(end.get());
    REQUIRE(run(writer, [] {}) == nullptr);
    REQUIRE(watched.expired());
}

TEST_CASE("the end of the writer waits for the job in hand", "[replicator_io]") {
    std::promise<void> may_end;
    bool ended = false;
    std::thread opener;
    {
        WriterThread writer;
        writer.start(
            [&, gate = may_end.get_future().share()] {
                gate.wait();
                ended = true;
            },
            [](const std::exception_ptr& /*failure*/) {}
        );
        opener = std::thread{[&] { may_end.set_value(); }};
    }
    REQUIRE(ended);
    opener.join();
}
