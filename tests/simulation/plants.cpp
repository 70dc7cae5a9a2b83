#include "tests/simulation/plants.hpp"

#include "tests/support/wire_builder.hpp"

#include <algorithm>
#include <utility>

namespace pgchronicle::simulation {

namespace {

using pgoutput::Lsn;
using replicator::io::Stream;

class PlantedStream : public Stream {
public:
    PlantedStream(Plant plant, std::unique_ptr<Stream> stream, std::function<Lsn()> flushed)
        : plant_{plant}, stream_{std::move(stream)}, flushed_{std::move(flushed)} {}

    [[nodiscard]] std::span<const std::byte> next() override {
        const auto bytes = stream_->next();
        if (bytes.empty()) return bytes;
        const auto frame = pgoutput::decode_frame(bytes);
        const auto* const keepalive = std::get_if<pgoutput::Keepalive>(&*frame);
        if (keepalive == nullptr) return bytes;
        seen_ = std::max(seen_, keepalive->wal_end);
        if (plant_ != Plant::idle_position_unnoticed) return bytes;
        frame_ = test::encode(pgoutput::Keepalive{{}, {}, keepalive->reply_requested});
        return frame_;
    }
    void when_readable(std::function<void()> callback) override {
        stream_->when_readable(std::move(callback));
    }
    void send(const pgoutput::StatusUpdate& status) override {
        auto sent = status;
        if (plant_ == Plant::ack_before_flush) sent.flushed = sent.written;
        if (plant_ == Plant::keepalive_acknowledged) sent.flushed = std::max(sent.flushed, seen_);
        if (plant_ == Plant::prepare_acknowledged)
            sent.flushed = std::max(sent.flushed, flushed_());
        if (plant_ == Plant::held_back_told && !sent.flushed.valid()) {
            sent.flushed = told_.value_or(Lsn{});
        }
        if (plant_ == Plant::request_unanswered && told_ == sent.flushed) return;
        told_ = sent.flushed;
        stream_->send(sent);
    }
    [[nodiscard]] bool ended() const override { return stream_->ended(); }
    [[nodiscard]] bool same_host() const override { return stream_->same_host(); }

private:
    Plant plant_;
    std::unique_ptr<Stream> stream_;
    std::function<Lsn()> flushed_;
    Lsn seen_;
    std::optional<Lsn> told_;
    test::Bytes frame_;
};

class PlantedSink : public history_writer::Sink {
public:
    explicit PlantedSink(std::unique_ptr<history_writer::Sink> sink) : sink_{std::move(sink)} {}

    history_writer::Stored write(history_writer::ChangeBatch& batch) override {
        for (auto& stretch : batch.stretches) {
            for (auto& changes : stretch.tables) {
                for (auto& version : changes->versions) {
                    version.dropped |= version.operation == history_writer::Operation::remove;
                }
            }
        }
        return sink_->write(batch);
    }
    history_writer::Stored poll_flushed() override { return sink_->poll_flushed(); }
    history_writer::Stored flush() override { return sink_->flush(); }

private:
    std::unique_ptr<history_writer::Sink> sink_;
};

}  // namespace

const std::vector<Plant>& all_plants() {
    static const std::vector<Plant> plants{
        Plant::ack_before_flush,
        Plant::resume_at_commit_lsn,
        Plant::close_without_tombstone,
        Plant::keepalive_acknowledged,
        Plant::clamp_forgotten,
        Plant::request_unanswered,
        Plant::idle_position_unnoticed,
        Plant::prepare_acknowledged,
        Plant::held_back_told,
        Plant::window_forgotten,
        Plant::guard_asleep};
    return plants;
}

std::string name_of(Plant plant) {
    switch (plant) {
    case Plant::none:
        return "none";
    case Plant::ack_before_flush:
        return "ack_before_flush";
    case Plant::resume_at_commit_lsn:
        return "resume_at_commit_lsn";
    case Plant::close_without_tombstone:
        return "close_without_tombstone";
    case Plant::keepalive_acknowledged:
        return "keepalive_acknowledged";
    case Plant::clamp_forgotten:
        return "clamp_forgotten";
    case Plant::request_unanswered:
        return "request_unanswered";
    case Plant::idle_position_unnoticed:
        return "idle_position_unnoticed";
    case Plant::prepare_acknowledged:
        return "prepare_acknowledged";
    case Plant::held_back_told:
        return "held_back_told";
    case Plant::window_forgotten:
        return "window_forgotten";
    case Plant::guard_asleep:
        return "guard_asleep";
    }
    return {};
}

history_writer::Checkpoint
planted(Plant plant, history_writer::Checkpoint checkpoint, const test::Story& story) {
    if (plant == Plant::clamp_forgotten) checkpoint.last_commit_time.reset();
    if (plant == Plant::resume_at_commit_lsn) {
        for (const auto& transaction : story.transactions()) {
            if (transaction.end_lsn != checkpoint.position) continue;
            checkpoint.position = transaction.commit_lsn;
        }
    }
    return checkpoint;
}

std::unique_ptr<Stream>
planted(Plant plant, std::unique_ptr<Stream> stream, std::function<Lsn()> flushed) {
    if (plant == Plant::none) return stream;
    return std::make_unique<PlantedStream>(plant, std::move(stream), std::move(flushed));
}

std::unique_ptr<history_writer::Sink>
planted(Plant plant, std::unique_ptr<history_writer::Sink> sink) {
    if (plant != Plant::close_without_tombstone) return sink;
    return std::make_unique<PlantedSink>(std::move(sink));
}

}  // namespace pgchronicle::simulation
