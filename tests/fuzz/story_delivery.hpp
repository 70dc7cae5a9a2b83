#pragma once

#include "pgoutput/decode.hpp"
#include "tests/property/story.hpp"
#include "tests/support/wire_builder.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// The frames in which a server may send a story: transactions at once, in pieces while they run,
// with a PREPARE before their turn; beside them what is rolled back, and keepalives.

namespace pgchronicle::test {

class StoryDelivery {
public:
    /// The transactions of `story` from `first` on.
    StoryDelivery(const Story& story, std::size_t first, Random& random)
        : story_{story}, random_{random}, parts_(story.transactions().size()) {
        const auto& transactions = story_.transactions();
        if (first > 0) last_end_ = transactions[first - 1].end_lsn;
        for (auto i = first; i < transactions.size(); ++i) plan(i);
        for (auto i = first; i < transactions.size(); ++i) {
            send_of_later(i);
            while (!parts_[i].ends.empty()) send_part(i);
            send_end(i);
            last_end_ = transactions[i].end_lsn;
            maybe_keepalive();
        }
    }

    [[nodiscard]] std::vector<Bytes> take() { return std::move(frames_); }

private:
    enum class Way { whole, streamed, prepared, streamed_and_prepared };

    /// What is still to be sent of a transaction before its end.
    struct Parts {
        Way way{Way::whole};
        std::size_t sent{0};            ///< Messages.
        std::vector<std::size_t> ends;  ///< Of the parts that remain, the next one last.
        bool begun{false};
        std::set<std::size_t> described{};  ///< Within this streamed transaction.
    };

    /// Content without Begin and Commit.
    [[nodiscard]] std::span<const StoryMessage> content(std::size_t i) const {
        const std::span all{story_.transactions()[i].messages};
        return all.subspan(1, all.size() - 2);
    }

    static pgoutput::Xid xid_of(std::size_t i) { return static_cast<pgoutput::Xid>(700 + 10 * i); }
    static std::string gid_of(std::size_t i) { return "story " + std::to_string(i); }

    void plan(std::size_t i) {
        auto& parts = parts_[i];
        parts.way = static_cast<Way>(below(random_, 4));
        const auto count = content(i).size();
        switch (parts.way) {
        case Way::whole:
            return;
        case Way::prepared:
            parts.ends = {count};
            return;
        case Way::streamed:
        case Way::streamed_and_prepared:
            parts.ends = {count};
            // From the last part to the first.
            while (parts.ends.back() > 0 && one_in(random_, 2)) {
                parts.ends.push_back(below(random_, parts.ends.back() + 1));
            }
            return;
        }
    }

    /// Parts of the two transactions after this one may come before it commits.
    void send_of_later(std::size_t i) {
        for (auto later = i; later < std::min(i + 3, parts_.size()); ++later) {
            while (!parts_[later].ends.empty() && one_in(random_, 2)) send_part(later);
            if (one_in(random_, 8)) send_rolled_back(later);
            maybe_keepalive();
        }
    }

    void send_part(std::size_t i) {
        auto& parts = parts_[i];
        const auto end = parts.ends.back();
        parts.ends.pop_back();
        if (parts.way == Way::prepared) {
            const auto gid = gid_of(i);
            send(encode(pgoutput::BeginPrepare{last_end_, after_last(), {}, xid_of(i), gid}));
            for (; parts.sent < end; ++parts.sent) {
                send_message(content(i)[parts.sent], known_, std::nullopt);
            }
            send(encode(pgoutput::Prepare{0, last_end_, after_last(), {}, xid_of(i), gid}));
            return;
        }
        send(encode(pgoutput::StreamStart{xid_of(i), !std::exchange(parts.begun, true)}));
        std::optional<pgoutput::Xid> rolled_back;
        for (; parts.sent < end; ++parts.sent) {
            if (!rolled_back && one_in(random_, 6)) {
                rolled_back = static_cast<pgoutput::Xid>(static_cast<unsigned>(xid_of(i)) + 1);
                send_message(content(i)[parts.sent], parts.described, rolled_back);
            }
            // What the subtransaction described counts for it alone.
            if (rolled_back) parts.described.clear();
            send_message(content(i)[parts.sent], parts.described, xid_of(i));
        }
        send(encode(pgoutput::StreamStop{}));
        if (rolled_back) {
            send(encode(pgoutput::StreamAbort{xid_of(i), *rolled_back, {}, {}}));
            if (one_in(random_, 4)) {  // A server that restarts may say it twice.
                send(encode(pgoutput::StreamAbort{xid_of(i), *rolled_back, {}, {}}));
            }
            parts.described.clear();
        }
        if (parts.ends.empty() && parts.way == Way::streamed_and_prepared) {
            const auto gid = gid_of(i);
            send(encode(pgoutput::StreamPrepare{0, last_end_, after_last(), {}, xid_of(i), gid}));
        }
    }

    void send_end(std::size_t i) {
        const auto& transaction = story_.transactions()[i];
        const auto& last = transaction.messages.back().bytes;
        const auto decoded = pgoutput::decode(last, pgoutput::StreamContext::outside_stream);
        const auto commit = std::get<pgoutput::Commit>(*decoded);
        const auto gid = gid_of(i);
        switch (parts_[i].way) {
        case Way::whole:
            send(transaction.messages.front().bytes);
            for (const auto& message : content(i)) {
                maybe_keepalive();
                send_message(message, known_, std::nullopt);
            }
            send(transaction.messages.back().bytes);
            break;
        case Way::streamed:
            send(encode(pgoutput::StreamCommit{
                xid_of(i), 0, commit.commit_lsn, commit.end_lsn, commit.commit_time}));
            known_.insert(parts_[i].described.begin(), parts_[i].described.end());
            break;
        case Way::prepared:
        case Way::streamed_and_prepared:
            send(encode(pgoutput::CommitPrepared{
                0, commit.commit_lsn, commit.end_lsn, commit.commit_time, xid_of(i), gid}));
            break;
        }
    }

    /// A whole transaction that comes, streamed or prepared, and is rolled back then.
    void send_rolled_back(std::size_t i) {
        const auto xid = static_cast<pgoutput::Xid>(static_cast<unsigned>(xid_of(i)) + 5);
        if (one_in(random_, 2)) {
            send(encode(pgoutput::StreamStart{xid, true}));
            std::set<std::size_t> described;
            for (const auto& message : content(i)) send_message(message, described, xid);
            send(encode(pgoutput::StreamStop{}));
            send(encode(pgoutput::StreamAbort{xid, xid, {}, {}}));
            return;
        }
        const std::string gid{"rolled back"};
        send(encode(pgoutput::BeginPrepare{last_end_, after_last(), {}, xid, gid}));
        for (const auto& message : content(i)) send_message(message, known_, std::nullopt);
        send(encode(pgoutput::Prepare{0, last_end_, after_last(), {}, xid, gid}));
        maybe_keepalive();
        send(encode(pgoutput::RollbackPrepared{0, last_end_, after_last(), {}, {}, xid, gid}));
    }

    /// The tables that a message is about are described before it, unless that was done.
    void send_message(
        const StoryMessage& message,
        std::set<std::size_t>& described,
        std::optional<pgoutput::Xid> xid
    ) {
        for (const auto table : message.tables) {
            if (!described.insert(table).second && !one_in(random_, 20)) continue;
            send(with_xid(describe_table(table), xid));
        }
        send(with_xid(message.bytes, xid));
    }

    /// Inside of a stream the transaction's number stands after the letter.
    static Bytes with_xid(const Bytes& message, std::optional<pgoutput::Xid> xid) {
        if (!xid) return message;
        const std::span all{message};
        return WireWriter{}.raw(all.first(1)).xid(*xid).raw(all.subspan(1)).take();
    }

    /// Where a PREPARE ends that begins where the last commit ended.
    [[nodiscard]] pgoutput::Lsn after_last() const { return pgoutput::Lsn{last_end_.value + 1}; }

    void maybe_keepalive() {
        if (!one_in(random_, 6)) return;
        frames_.push_back(encode(pgoutput::Keepalive{last_end_, {}, one_in(random_, 2)}));
    }

    void send(const Bytes& payload) {
        frames_.push_back(encode(pgoutput::XLogData{last_end_, last_end_, {}, payload}));
    }

    const Story& story_;
    Random& random_;
    std::vector<Parts> parts_;
    std::set<std::size_t> known_;  ///< Tables that this session has described.
    pgoutput::Lsn last_end_{900};  ///< Of the last commit; stories begin after 1000.
    std::vector<Bytes> frames_;
};

}  // namespace pgchronicle::test
