#pragma once

#include "pq/error.hpp"
#include "replicator/io/loop.hpp"
#include "replicator/io/stream.hpp"
#include "tests/property/story.hpp"
#include "tests/simulation/world.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

// A source with one slot, its walsender, and the network before it.
// Source: walsender.c (WalSndDone, WalSndKeepaliveIfNecessary), logical.c
// (LogicalConfirmReceivedLocation, CreateDecodingContext) and snapbuild.c (SnapBuildXactNeedsSkip)
// of PostgreSQL 15.

namespace pgchronicle::simulation {

using pgoutput::Lsn;
using replicator::io::Stream;
using test::Bytes;

struct SourceOptions {
    Duration commit_gap_max{10ms};
    Duration latency_max{1ms};
    Duration wal_sender_timeout{60s};  ///< Zero: none.
    std::size_t burst_max{20};         ///< Frames that arrive at once.
    std::size_t window{100};           ///< Frames that wait for the client at most.
    bool same_host{false};
    bool streaming{false};  ///< Large transactions are sent while they run.
    bool two_phase{false};  ///< The slot sends prepared transactions at their PREPARE.
};

class FakeSource {
public:
    FakeSource(World& world, const test::Story& story, SourceOptions options);

    /// Its clients write from now on.
    void begin();

    /// New connections are served.
    [[nodiscard]] bool up() const { return up_ && !stopping_; }
    /// Written, and on disk.
    [[nodiscard]] Lsn wal() const { return wal_; }
    /// The same, before it was restored from a backup.
    [[nodiscard]] Lsn ever_written() const { return std::max(ever_written_, wal_); }
    [[nodiscard]] Lsn confirmed() const { return confirmed_; }
    [[nodiscard]] bool all_committed() const {
        return committed_ == story_.transactions().size() && unrelated_left_ == 0;
    }
    /// Whether it has committed something behind `position` that was prepared before what the slot
    /// has confirmed: its content will not come again.
    [[nodiscard]] bool keeps_back_prepared(Lsn position) const;
    /// Where a transaction that has committed ends, by the start of its commit record.
    [[nodiscard]] std::optional<Lsn> commit_end(Lsn commit_lsn) const;

    /// START_REPLICATION. `on_status`: called with what a client says, when it says it. `loop` is
    /// the client's, and outlives the stream.
    using OnStatus = std::function<void(const pgoutput::StatusUpdate&)>;
    [[nodiscard]] std::unique_ptr<Stream>
    start(Lsn from, replicator::io::Loop& loop, OnStatus on_status);

    // What can go wrong.
    void crash(Duration down);
    /// In good order: the walsender ends when the client has told of all that was sent. `stored`:
    /// what the client could tell of.
    void shut_down(Duration down, const std::function<Lsn()>& stored);
    void reset_connection();
    /// Nothing arrives any more, in one direction or in both, and nobody is told.
    void cut_connection();
    void stall_network(Duration duration);
    /// The client does nothing for a while: not the fault of either.
    void excuse_client();
    /// What is cut is noticed by both ends.
    void heal();

    // What somebody may do whom nobody asked.
    /// Moves the slot on, if it is not in use.
    void advance_slot();
    /// Goes back to an earlier state; then its clients write the same once more.
    void restore(Duration down);

    /// Whether the connection used last has suffered something that explains its end.
    [[nodiscard]] bool disturbed() const { return !last_link_ || last_link_->disturbed; }

private:
    friend class FakeStream;

    /// One connection, as both ends and the network between them see it.
    struct Link {
        std::deque<Bytes> arrived;  ///< At the client, and not read yet.
        std::size_t under_way{0};   ///< Frames that will arrive there.
        bool lost{false};           ///< The client has been told.
        bool ended{false};          ///< The server has shut down in good order.
        std::function<void()> waiting;
        bool client_open{true};
        bool cut_to_client{false};
        bool cut_to_server{false};
        bool disturbed{false};
        Time stalled_until{};
        Time last_to_client{};
        Time last_to_server{};
    };
    using LinkPtr = std::shared_ptr<Link>;

    struct Sender {
        LinkPtr link;
        Lsn from;
        std::size_t transaction{0};  ///< The next one to be sent, and which message of it.
        std::size_t message{0};
        std::set<std::size_t> described;
        /// Of transactions that are streamed: how much was sent, and with which tables described.
        struct Streamed {
            std::size_t message{1};
            std::set<std::size_t> described{};
        };
        std::map<std::size_t, Streamed> streamed;
        std::set<std::size_t> prepared;     ///< Whose PREPARE was sent.
        std::set<std::size_t> given_up;     ///< The same, of those that are rolled back,
        std::set<std::size_t> rolled_back;  ///< and whose ROLLBACK PREPARED was.
        Lsn sent;                           ///< What keepalives say.
        Lsn client_write;
        Lsn client_flush;
        Time last_reply;
        bool pinged{false};
        bool pump_set{false};
        bool blocked{false};  ///< So much waits for the client that nothing is sent.
    };
    using SenderPtr = std::shared_ptr<Sender>;

    /// A PREPARE or ROLLBACK PREPARED: before which transaction, and where it begins.
    struct Record {
        std::size_t before{0};
        Lsn lsn;
    };

    void commit_next();
    void write_unrelated();
    void write_elsewhere();
    void go_down(Duration down);
    void go_up();
    void finish_shutdown_if_done();
    void ask_again();
    struct Shutdown {
        std::uint64_t number{0};
        std::uint64_t faults{0};  ///< Of the world, when it began.
        bool calm{false};         ///< Nothing was the matter before.
        bool stored{false};       ///< Everything was, when it was looked at last.
        std::function<Lsn()> what_is_stored;
    };
    void look_whether_down(Shutdown shutdown);
    void set_pump(Duration most);
    void on_read(const LinkPtr& link);
    void pump();
    void send_message(std::vector<Bytes>& burst);
    void plan_streams();
    [[nodiscard]] std::optional<Record> draw_record(std::size_t before);
    void plan_prepares();
    void plan_rollbacks();
    void send_prepares(std::vector<Bytes>& burst);
    void send_rollbacks(std::vector<Bytes>& burst);
    [[nodiscard]] bool is_due(const Record& record) const;
    void send_prepare(
        std::vector<Bytes>& burst,
        Lsn lsn,
        pgoutput::Xid xid,
        const std::string& gid,
        std::size_t content
    );
    void send_stream_prepare(std::vector<Bytes>& burst, std::size_t transaction);
    void send_commit_prepared(std::vector<Bytes>& burst);
    void send_early(std::vector<Bytes>& burst);
    void send_block(std::vector<Bytes>& burst, std::size_t transaction, std::size_t end);
    void send_aborted_part(
        std::vector<Bytes>& burst,
        std::size_t transaction,
        const test::StoryMessage& message
    );
    void send_streamed_commit(std::vector<Bytes>& burst);
    void send_aborted(std::vector<Bytes>& burst);
    void keep_alive_if_behind();
    void keep_alive(bool reply_requested, Lsn at);
    void watch(const SenderPtr& sender);
    void end_sender(bool tell_client);
    [[nodiscard]] Bytes frame(const Bytes& payload) const;

    [[nodiscard]] Time arrival(Link& link, Time Link::*last);
    void to_client(const LinkPtr& link, std::vector<Bytes> frames);
    void tell_lost(const LinkPtr& link);
    void break_off(const LinkPtr& link);
    static void wake(const LinkPtr& link);
    void on_status(const LinkPtr& link, const pgoutput::StatusUpdate& status);
    void on_closed(const LinkPtr& link);

    World& world_;
    const test::Story& story_;
    SourceOptions options_;
    bool up_{true};
    Time up_at_{};
    bool stopping_{false};  ///< It shuts down, and waits for its walsender.
    std::uint64_t shutdowns_{0};
    Duration down_after_shutdown_{};
    bool clients_wait_{false};  ///< Until it is up again.
    /// Of a transaction that is streamed: before which other one how much of it is sent.
    struct Early {
        std::size_t before{0};
        std::size_t message{0};
    };
    std::map<std::size_t, std::vector<Early>> streams_;  ///< By transaction.
    std::map<std::size_t, Record> prepares_;             ///< By transaction.
    /// Prepared, and rolled back later.
    struct RolledBack {
        Record prepare;
        Record end;
    };
    std::vector<RolledBack> rollbacks_;
    std::set<std::size_t> records_before_;  ///< Which transactions there is one before.
    std::size_t aborted_{0};                ///< Numbers given to what is rolled back.
    std::size_t committed_{0};              ///< Transactions of the story.
    std::size_t unrelated_left_;
    Lsn wal_;
    Lsn ever_written_;
    Lsn confirmed_;  ///< The slot's confirmed_flush_lsn, and as it is on disk.
    Lsn persisted_;
    SenderPtr sender_;
    LinkPtr last_link_;
};

/// The error of a connection that is gone.
[[nodiscard]] pq::Error connection_lost(const std::string& primary);

}  // namespace pgchronicle::simulation
