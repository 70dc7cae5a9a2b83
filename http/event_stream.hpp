#pragma once

#include "following/follower.hpp"
#include "http/clients.hpp"
#include "http/responder.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::http {

/// A client that follows changes as server-sent events. The next page is read when the one before
/// has been taken, so that a client that does not read holds one page, and is cut off in the end.
class EventStream : public Client {
public:
    struct Parts {
        Responder& responder;
        std::shared_ptr<Clients> clients;
        std::vector<Header> headers;  ///< Further ones, for the first answer.
        std::size_t followers_max{64};
    };

    EventStream(boost::beast::tcp_stream stream, Parts parts);
    ~EventStream() override;

    /// Follows; what is wrong with the request is answered as any other request is.
    void start(const config::Settings& settings, const Request& request);
    void drain() override { cut(); }
    void cut() override;

private:
    /// What one look has found, as text to be sent.
    struct Page {
        std::string text;
        bool more{false};
        pgoutput::Lsn horizon;
    };

    std::shared_ptr<EventStream> self();
    [[nodiscard]] Page read_page(pq::Connection& target);
    void fetch();
    void on_page(Page page);
    void on_failure(const std::exception_ptr& failure);
    void send(std::string text, bool more);
    void wait(pgoutput::Lsn horizon);
    void wait_a_moment(std::chrono::milliseconds time);
    void notice_end();
    void refuse(const std::exception_ptr& failure);

    Parts parts_;
    boost::beast::tcp_stream stream_;
    boost::asio::steady_timer timer_;
    boost::beast::flat_buffer ignored_;
    std::optional<following::Follower> follower_;
    std::string target_;
    std::string out_;
    std::string told_;  ///< The id that was sent last.
    Clock::time_point sent_at_;
    pgoutput::Lsn horizon_;
    Clock::time_point asked_at_;  ///< When the reading of that began.
    bool begun_{false};
    bool head_only_{false};
    bool ended_{false};
};

}  // namespace pgchronicle::http
