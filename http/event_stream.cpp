#include "http/event_stream.hpp"

#include "following/cursor.hpp"
#include "http/wire.hpp"
#include "reading/error.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <utility>

namespace pgchronicle::http {

namespace {

namespace beast = boost::beast;
namespace asio = boost::asio;

/// What a client that does not read may hold of ours.
constexpr std::size_t page_rows = 100;
constexpr std::size_t page_bytes = 1U << 20U;
/// So long it may take to read it.
constexpr std::chrono::seconds write_patience{30};
/// Proxies commonly end what is silent for a minute.
constexpr std::chrono::seconds heartbeat{15};
constexpr std::chrono::milliseconds again_after_failure{1'000};

following::Position position_of(const std::string& text, const char* what) {
    const auto position = following::parse_position(text);
    if (position) return *position;
    throw bad_request(
        "invalid position \"" + text + "\" in " + what,
        "A position is the id of an event, an LSN, or \"beginning\"."
    );
}

following::FollowOptions options_of(const Request& request) {
    request.query.only({"table", "op", "from", "cursor", "snapshot"});
    following::FollowOptions options;
    options.page_rows = page_rows;
    options.page_bytes = page_bytes;
    options.without_index = true;
    options.tables = request.query.all("table");
    options.operations = request.query.all("op");
    for (auto& operation : options.operations) {
        std::ranges::transform(operation, operation.begin(), [](char c) {
            return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        });
        const auto& known = following::operations;
        if (std::ranges::find(known, operation) != known.end()) continue;
        throw bad_request(
            "invalid value \"" + operation + "\" for parameter \"op\"",
            "It is INSERT, UPDATE, DELETE, TRUNCATE, REKEY, SNAPSHOT, RECONCILE or REWRITE."
        );
    }
    if (const auto snapshot = request.query.one("snapshot")) {
        if (*snapshot != "true" && *snapshot != "false") {
            throw bad_request(
                "invalid value \"" + *snapshot + "\" for parameter \"snapshot\"",
                "It is true or false."
            );
        }
        options.snapshot = *snapshot == "true";
    }
    const auto from = request.query.one("from");
    if (from) options.from = position_of(*from, "parameter \"from\"");
    // The beginning is before the copied rows, and so is whoever breaks off among them.
    options.snapshot = options.snapshot || options.from == following::Position::beginning();
    // A client that comes again has the address of its first request, and knows better.
    if (!request.last_event_id.empty()) {
        options.from = position_of(request.last_event_id, "the header Last-Event-ID");
    }
    return options;
}

std::string head_of(const std::vector<Header>& more) {
    Answer answer;
    std::string head{"HTTP/1.1 200 OK\r\n"};
    auto headers = wire::headers_of(answer);
    std::erase_if(headers, [](const Header& header) { return header.name == "Cache-Control"; });
    headers.push_back({"Content-Type", "text/event-stream; charset=utf-8"});
    headers.push_back({"Cache-Control", "no-store"});
    headers.push_back({"X-Accel-Buffering", "no"});
    headers.push_back({"Connection", "close"});
    headers.insert(headers.end(), more.begin(), more.end());
    for (const auto& header : headers) head += header.name + ": " + header.value + "\r\n";
    return head + "\r\n";
}

}  // namespace

EventStream::EventStream(beast::tcp_stream stream, Parts parts)
    : parts_{std::move(parts)},
      stream_{std::move(stream)},
      timer_{parts_.responder.io()},
      ignored_{4096} {  // NOLINT
    parts_.clients->add_follower(1);
}

EventStream::~EventStream() {
    parts_.clients->add_follower(-1);
    parts_.clients->remove(this);
}

std::shared_ptr<EventStream> EventStream::self() {
    return std::static_pointer_cast<EventStream>(shared_from_this());
}

void EventStream::start(const config::Settings& settings, const Request& request) {
    parts_.clients->add(shared_from_this());
    target_ = request.target;
    head_only_ = request.method == "HEAD";
    try {
        if (parts_.clients->followers() > parts_.followers_max) {
            throw unavailable("busy", "too many clients follow changes");
        }
        auto options = options_of(request);
        const auto cursor = request.query.one("cursor");
        if (!cursor || options.from) {
            follower_.emplace(settings, std::move(options));
            fetch();
            return;
        }
        // Begins where somebody else has come; the cursor itself is not moved.
        auto job = [me = self(), &settings, options, cursor](pq::Connection& target) mutable {
            const following::Cursor kept{settings.pipeline, *cursor};
            options.from = kept.read(target);
            if (!options.from) throw not_found("there is no cursor \"" + *cursor + "\"");
            asio::post(me->stream_.get_executor(), [me, &settings, options] {
                me->follower_.emplace(settings, options);
                me->fetch();
            });
        };
        auto failed = [me = self()](const std::exception_ptr& failure) {
            asio::post(me->stream_.get_executor(), [me, failure] { me->refuse(failure); });
        };
        if (!parts_.responder.readers().submit(std::move(job), std::move(failed))) {
            throw unavailable("busy", "too many requests wait for the target");
        }
    } catch (...) {
        refuse(std::current_exception());
    }
}

void EventStream::cut() {
    ended_ = true;
    timer_.cancel();
    beast::error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    stream_.close();
}

EventStream::Page EventStream::read_page(pq::Connection& target) {
    Page page;
    for (const auto& change : follower_->next(target)) {
        page.text += "id: " + following::to_string(change.position) + "\ndata: ";
        following::append_json(page.text, change);
        page.text += "\n\n";
    }
    page.more = !follower_->caught_up();
    page.horizon = follower_->horizon();
    return page;
}

void EventStream::fetch() {
    if (ended_) return;
    asked_at_ = Clock::now();
    auto job = [me = self()](pq::Connection& target) {
        auto page = std::make_shared<Page>(me->read_page(target));
        asio::post(me->stream_.get_executor(), [me, page] { me->on_page(std::move(*page)); });
    };
    auto failed = [me = self()](const std::exception_ptr& failure) {
        asio::post(me->stream_.get_executor(), [me, failure] { me->on_failure(failure); });
    };
    if (parts_.responder.readers().submit(std::move(job), std::move(failed))) return;
    on_failure(std::make_exception_ptr(unavailable("busy", "too many requests wait for the target"))
    );
}

void EventStream::on_page(Page page) {
    if (ended_) return;
    horizon_ = page.horizon;
    auto& watch = parts_.responder.watch();
    // The follower has asked for the checkpoint itself: what it has seen is no news.
    if (watch.position() && *watch.position() < horizon_) watch.note(horizon_, asked_at_);
    std::string text;
    if (!begun_) {
        begun_ = true;
        text = head_of(parts_.headers);
        if (head_only_) page = {};
        if (!head_only_) text += "retry: 1000\n\n";
        notice_end();
    }
    text += page.text;
    // What was looked at in vain need not be looked at again after a break.
    const auto& position = follower_->position();
    const auto id = position ? following::to_string(*position) : std::string{};
    const bool told_now = !page.text.empty() || told_.empty();
    if (told_now && !id.empty() && !head_only_) {
        if (page.text.empty()) text += "id: " + id + "\n\n";
        told_ = id;
    }
    if (text.empty()) {
        page.more ? fetch() : wait(horizon_);
    } else {
        send(std::move(text), page.more);
    }
}

void EventStream::on_failure(const std::exception_ptr& failure) {
    if (ended_) return;
    if (!begun_) {
        refuse(failure);
        return;
    }
    const auto answer = parts_.responder.refuse(failure, target_);
    try {
        std::rethrow_exception(failure);
    } catch (const reading::Error&) {
        // Waiting does not mend it: the client is told, and comes again if it likes.
        head_only_ = true;
        send("event: error\ndata: " + answer->body + "\n\n", false);
    } catch (...) {
        // The target may come back, and the client is still there.
        wait_a_moment(again_after_failure);
    }
}

void EventStream::send(std::string text, bool more) {
    out_ = std::move(text);
    sent_at_ = Clock::now();
    stream_.expires_after(write_patience);
    asio::async_write(
        stream_,
        asio::buffer(out_),
        [me = self(), more](const beast::error_code& error, std::size_t) {
            if (error || me->head_only_) {
                me->cut();
            } else if (more) {
                me->fetch();
            } else {
                me->wait(me->horizon_);
            }
        }
    );
}

void EventStream::wait(pgoutput::Lsn horizon) {
    if (ended_) return;
    stream_.expires_never();
    auto& watch = parts_.responder.watch();
    // What is committed reaches the disk a moment later, and is shown only then. What is set back
    // is looked at again, but not without a pause.
    if (watch.position() && *watch.position() != horizon) {
        wait_a_moment(following::poll_interval);
        return;
    }
    const auto moved = [horizon](PositionWatch::Position position) {
        return position && *position != horizon;
    };
    watch.await(moved, sent_at_ + heartbeat, [me = self()](bool reached) {
        if (me->ended_) return;
        if (reached) {
            me->fetch();
            return;
        }
        const auto& position = me->follower_->position();
        const auto id = position ? following::to_string(*position) : std::string{};
        std::string text{": heartbeat\n"};
        if (id != me->told_) text += "id: " + id + "\n";
        me->told_ = id;
        me->send(text + "\n", false);
    });
}

void EventStream::wait_a_moment(std::chrono::milliseconds time) {
    timer_.expires_after(time);
    timer_.async_wait([me = self()](const boost::system::error_code& error) {
        if (error || me->ended_) return;
        if (Clock::now() - me->sent_at_ >= heartbeat) {
            me->send(": heartbeat\n\n", true);
        } else {
            me->fetch();
        }
    });
}

void EventStream::notice_end() {
    // Nothing is to come from a client that follows; what comes is thrown away.
    ignored_.consume(ignored_.size());
    stream_.socket().async_read_some(
        ignored_.prepare(1024),  // NOLINT
        [me = self()](const beast::error_code& error, std::size_t) {
            if (error) {
                me->cut();
            } else {
                me->notice_end();
            }
        }
    );
}

void EventStream::refuse(const std::exception_ptr& failure) {
    const auto answer = parts_.responder.refuse(failure, target_);
    parts_.responder.metrics().answered("changes", answer->status, {});
    out_ = "HTTP/1.1 " + std::to_string(answer->status) + " " +
           std::string{
               beast::http::obsolete_reason(static_cast<beast::http::status>(answer->status))} +
           "\r\n";
    for (const auto& header : wire::headers_of(*answer)) {
        out_ += header.name + ": " + header.value + "\r\n";
    }
    for (const auto& header : parts_.headers) out_ += header.name + ": " + header.value + "\r\n";
    out_ +=
        "Content-Length: " + std::to_string(answer->body.size()) + "\r\nConnection: close\r\n\r\n";
    if (!head_only_) out_ += answer->body;
    stream_.expires_after(write_patience);
    asio::async_write(
        stream_,
        asio::buffer(out_),
        [me = self()](const beast::error_code&, std::size_t) { me->cut(); }
    );
}

}  // namespace pgchronicle::http
