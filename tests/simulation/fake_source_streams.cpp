#include "tests/simulation/fake_source.hpp"

#include <algorithm>
#include <utility>

// Transactions that are sent before they commit: while they run, in blocks between others and with
// parts that are rolled back; or at their PREPARE.

namespace pgchronicle::simulation {

namespace {

/// Blocks of a transaction come while so many before it commit, at most.
constexpr std::size_t commits_before_max = 5;

pgoutput::Xid xid_of(std::size_t transaction) {
    return static_cast<pgoutput::Xid>(5'000 + transaction);
}
/// Numbers of what is rolled back.
pgoutput::Xid aborted_xid(std::size_t number) {
    return static_cast<pgoutput::Xid>(9'000 + number);
}
pgoutput::Xid rolled_back_xid(std::size_t number) {
    return static_cast<pgoutput::Xid>(4'000 + number);
}

/// In a streamed block, each message names its transaction behind its tag.
Bytes with_xid(const Bytes& message, pgoutput::Xid xid) {
    test::WireWriter out;
    out.raw(std::span{message}.first(1)).xid(xid).raw(std::span{message}.subspan(1));
    return out.take();
}

}  // namespace

void FakeSource::plan_streams() {
    const auto& transactions = story_.transactions();
    for (std::size_t i = 0; i < transactions.size(); ++i) {
        const auto count = transactions[i].messages.size();
        if (count < 4 || !world_.chance(2)) continue;
        auto& early = streams_[i];
        for (auto blocks = world_.below(4); blocks > 0; --blocks) {
            const auto ahead = std::min(i, world_.below(commits_before_max + 1));
            early.push_back({i - ahead, 1 + world_.below(count - 1)});
        }
    }
}

void FakeSource::send_early(std::vector<Bytes>& burst) {
    const auto next = sender_->transaction;
    for (auto it = streams_.lower_bound(next);
         it != streams_.end() && it->first <= next + commits_before_max;
         ++it) {
        const auto& [transaction, early] = *it;
        // What it would have sent before its starting point comes now,
        if (story_.transactions()[transaction].commit_lsn < sender_->from) continue;
        // but not what was prepared before that.
        const auto prepare = prepares_.find(transaction);
        const bool prepared = prepare != prepares_.end() && prepare->second.lsn < sender_->from;
        if (prepared || sender_->prepared.contains(transaction)) continue;
        std::size_t end = 0;
        for (const auto& block : early) {
            if (block.before <= next) end = std::max(end, block.message);
        }
        send_block(burst, transaction, end);
    }
    send_prepares(burst);
    send_rollbacks(burst);
    if (options_.streaming && world_.chance(300)) send_aborted(burst);
}

void FakeSource::send_block(std::vector<Bytes>& burst, std::size_t transaction, std::size_t end) {
    const auto& messages = story_.transactions()[transaction].messages;
    const auto found = sender_->streamed.find(transaction);
    const bool first = found == sender_->streamed.end();
    if (end <= (first ? 1 : found->second.message)) return;
    auto& streamed = sender_->streamed[transaction];
    const auto xid = xid_of(transaction);
    burst.push_back(frame(test::encode(pgoutput::StreamStart{xid, first})));
    for (; streamed.message < end; ++streamed.message) {
        const auto& message = messages[streamed.message];
        if (world_.chance(10)) send_aborted_part(burst, transaction, message);
        for (const auto table : message.tables) {
            if (!streamed.described.insert(table).second) continue;
            burst.push_back(frame(with_xid(test::describe_table(table), xid)));
        }
        burst.push_back(frame(with_xid(message.bytes, xid)));
    }
    burst.push_back(frame(test::encode(pgoutput::StreamStop{})));
}

/// Within a block: a subtransaction has done the same before, and was rolled back.
void FakeSource::send_aborted_part(
    std::vector<Bytes>& burst,
    std::size_t transaction,
    const test::StoryMessage& message
) {
    const auto xid = xid_of(transaction);
    const auto part = aborted_xid(aborted_++);
    auto& described = sender_->streamed.at(transaction).described;
    for (const auto table : message.tables) {
        if (described.contains(table)) continue;
        burst.push_back(frame(with_xid(test::describe_table(table), part)));
    }
    burst.push_back(frame(with_xid(message.bytes, part)));
    burst.push_back(frame(test::encode(pgoutput::StreamStop{})));
    burst.push_back(frame(test::encode(pgoutput::StreamAbort{xid, part, {}, {}})));
    burst.push_back(frame(test::encode(pgoutput::StreamStart{xid, false})));
    // The server does not take anything for described any more.
    described.clear();
}

void FakeSource::send_streamed_commit(std::vector<Bytes>& burst) {
    const auto number = sender_->transaction;
    const auto& transaction = story_.transactions()[number];
    send_block(burst, number, transaction.messages.size() - 1);
    const auto streamed = std::move(sender_->streamed.at(number));
    sender_->streamed.erase(number);
    const auto xid = xid_of(number);
    burst.push_back(frame(test::encode(pgoutput::StreamCommit{
        xid, 0, transaction.commit_lsn, transaction.end_lsn, transaction.commit_time})));
    sender_->described.insert(streamed.described.begin(), streamed.described.end());
    ++sender_->transaction;
    sender_->sent = transaction.end_lsn;
    world_.count("transaction is streamed");
}

std::optional<FakeSource::Record> FakeSource::draw_record(std::size_t before) {
    const auto& transactions = story_.transactions();
    const auto lsn = before == 0 ? wal_ : transactions[before - 1].end_lsn;
    // There must be room for it, and one is enough.
    if (lsn == transactions[before].commit_lsn) return std::nullopt;
    if (!records_before_.insert(before).second) return std::nullopt;
    return Record{before, lsn};
}

void FakeSource::plan_prepares() {
    for (std::size_t i = 0; i < story_.transactions().size(); ++i) {
        if (!world_.chance(3)) continue;
        const auto before = i - std::min(i, world_.below(commits_before_max + 1));
        if (const auto record = draw_record(before)) prepares_[i] = *record;
    }
}

void FakeSource::plan_rollbacks() {
    const auto transactions = story_.transactions().size();
    for (auto left = world_.below(3); left > 0; --left) {
        const auto before = world_.below(transactions);
        const auto end_before = before + 1 + world_.below(commits_before_max);
        if (end_before >= transactions) continue;
        const auto prepare = draw_record(before);
        const auto end = prepare ? draw_record(end_before) : std::nullopt;
        if (end) rollbacks_.push_back({*prepare, *end});
    }
}

/// Whether it is the record's turn. What lies before the starting point is never sent again.
bool FakeSource::is_due(const Record& record) const {
    const bool written = record.before < committed_ || record.lsn < wal_;
    return written && record.before <= sender_->transaction && record.lsn >= sender_->from;
}

void FakeSource::send_prepares(std::vector<Bytes>& burst) {
    const auto next = sender_->transaction;
    for (auto it = prepares_.lower_bound(next);
         it != prepares_.end() && it->first <= next + commits_before_max;
         ++it) {
        const auto& [number, record] = *it;
        if (!is_due(record) || !sender_->prepared.insert(number).second) continue;
        if (streams_.contains(number)) {
            send_stream_prepare(burst, number);
        } else {
            send_prepare(burst, record.lsn, xid_of(number), std::to_string(number), number);
        }
        world_.trace([&] {
            return "source: sends PREPARE of " + std::to_string(number) + " at " +
                   std::to_string(record.lsn.value);
        });
    }
}

/// `content`: the transaction that it does the same as.
void FakeSource::send_prepare(
    std::vector<Bytes>& burst,
    Lsn lsn,
    pgoutput::Xid xid,
    const std::string& gid,
    std::size_t content
) {
    const auto& messages = story_.transactions()[content].messages;
    const Lsn end{lsn.value + 1};
    burst.push_back(frame(test::encode(pgoutput::BeginPrepare{lsn, end, {}, xid, gid})));
    for (std::size_t i = 1; i + 1 < messages.size(); ++i) {
        for (const auto table : messages[i].tables) {
            if (!sender_->described.insert(table).second) continue;
            burst.push_back(frame(test::describe_table(table)));
        }
        burst.push_back(frame(messages[i].bytes));
    }
    burst.push_back(frame(test::encode(pgoutput::Prepare{0, lsn, end, {}, xid, gid})));
}

/// What was described in its blocks is described again to others.
void FakeSource::send_stream_prepare(std::vector<Bytes>& burst, std::size_t transaction) {
    send_block(burst, transaction, story_.transactions()[transaction].messages.size() - 1);
    sender_->streamed.erase(transaction);
    const auto lsn = prepares_.at(transaction).lsn;
    const auto gid = std::to_string(transaction);
    burst.push_back(frame(test::encode(pgoutput::StreamPrepare{
        0, lsn, Lsn{lsn.value + 1}, {}, xid_of(transaction), gid})));
    world_.count("transaction is streamed and prepared");
}

void FakeSource::send_rollbacks(std::vector<Bytes>& burst) {
    for (std::size_t i = 0; i < rollbacks_.size(); ++i) {
        const auto& [prepare, end] = rollbacks_[i];
        const auto xid = rolled_back_xid(i);
        const auto gid = "rolled back " + std::to_string(i);
        if (is_due(prepare) && sender_->given_up.insert(i).second) {
            send_prepare(burst, prepare.lsn, xid, gid, prepare.before);
        }
        if (!is_due(end) || !sender_->rolled_back.insert(i).second) continue;
        burst.push_back(frame(test::encode(pgoutput::RollbackPrepared{
            0, Lsn{prepare.lsn.value + 1}, Lsn{end.lsn.value + 1}, {}, {}, xid, gid})));
        world_.count("prepared transaction is rolled back");
    }
}

bool FakeSource::keeps_back_prepared(Lsn position) const {
    return std::ranges::any_of(prepares_, [&](const auto& prepared) {
        const auto& [transaction, prepare] = prepared;
        return transaction < committed_ && prepare.lsn < confirmed_ &&
               story_.transactions()[transaction].end_lsn > position;
    });
}

void FakeSource::send_commit_prepared(std::vector<Bytes>& burst) {
    const auto number = sender_->transaction;
    const auto& transaction = story_.transactions()[number];
    const auto gid = std::to_string(number);
    burst.push_back(frame(test::encode(pgoutput::CommitPrepared{
        0,
        transaction.commit_lsn,
        transaction.end_lsn,
        transaction.commit_time,
        xid_of(number),
        gid})));
    ++sender_->transaction;
    sender_->sent = transaction.end_lsn;
    world_.count("transaction is prepared");
}

void FakeSource::send_aborted(std::vector<Bytes>& burst) {
    if (sender_->transaction == story_.transactions().size()) return;
    // It would have done what the next one does.
    const auto& messages = story_.transactions()[sender_->transaction].messages;
    const auto xid = aborted_xid(aborted_++);
    burst.push_back(frame(test::encode(pgoutput::StreamStart{xid, true})));
    for (std::size_t i = 1; i + 1 < messages.size(); ++i) {
        for (const auto table : messages[i].tables) {
            burst.push_back(frame(with_xid(test::describe_table(table), xid)));
        }
        burst.push_back(frame(with_xid(messages[i].bytes, xid)));
    }
    burst.push_back(frame(test::encode(pgoutput::StreamStop{})));
    burst.push_back(frame(test::encode(pgoutput::StreamAbort{xid, xid, {}, {}})));
    world_.count("transaction is streamed and rolled back");
}

}  // namespace pgchronicle::simulation
