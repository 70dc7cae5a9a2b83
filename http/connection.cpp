#include "http/connection.hpp"

#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include <utility>

namespace pgchronicle::http {

namespace {

namespace beast = boost::beast;
namespace asio = boost::asio;

/// A head, and the beginning of the next one.
constexpr std::size_t buffer_bytes_max = 32U << 10U;
/// A client that never reconnects is asked to, now and then, so that none is kept for ever.
constexpr std::size_t requests_max = 100'000;
/// A client that reads more slowly is cut off.
constexpr std::size_t bytes_per_second_min = 16U << 10U;
constexpr std::size_t read_bytes = 4096;
/// After an error what the client has sent is read and thrown away, or it would never see the
/// answer: so much, and for so long.
constexpr std::size_t discard_bytes_max = 16U << 20U;
constexpr std::chrono::milliseconds linger_time{2'000};

constexpr unsigned http_1_1 = 11;

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, ConnectionContext& context)
    : context_{context},
      clients_{context.clients},
      stream_{std::move(socket)},
      buffer_{buffer_bytes_max} {}

Connection::~Connection() {
    clients_->remove(this);
}

std::shared_ptr<Connection> Connection::self() {
    return std::static_pointer_cast<Connection>(shared_from_this());
}

void Connection::start() {
    clients_->add(shared_from_this());
    beast::error_code ignored;
    stream_.socket().set_option(asio::ip::tcp::no_delay{true}, ignored);
    await_request();
}

void Connection::drain() {
    draining_ = true;
    if (idle_) close();
}

void Connection::cut() {
    close();
}

void Connection::close() {
    beast::error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    stream_.close();
}

void Connection::await_request() {
    idle_ = true;
    if (buffer_.size() > 0) {
        read_head();
        return;
    }
    // A new client has nothing to think about.
    const auto& limits = context_.limits;
    stream_.expires_after(answered_ == 0 ? limits.request_timeout : limits.idle_timeout);
    stream_.async_read_some(
        buffer_.prepare(read_bytes),
        [me = self()](const beast::error_code& error, std::size_t size) {
            if (error) {
                me->close();
                return;
            }
            me->buffer_.commit(size);
            me->read_head();
        }
    );
}

void Connection::read_head() {
    idle_ = false;
    parser_.emplace();
    set_limits(*parser_);
    // One deadline for all of it, however the bytes trickle in.
    stream_.expires_after(context_.limits.request_timeout);
    beast::http::async_read_header(
        stream_,
        buffer_,
        *parser_,
        [me = self()](const beast::error_code& error, std::size_t) { me->on_head(error); }
    );
}

void Connection::on_head(const beast::error_code& error) {
    using Error = beast::http::error;
    if (error) {
        const bool spoke = error.category() == make_error_code(Error::bad_method).category();
        if (!spoke || error == Error::end_of_stream || error == Error::partial_message) {
            close();
            return;
        }
        refuse(refusal_of(error));
        return;
    }
    const auto& message = parser_->get();
    keep_alive_ = message.keep_alive() && ++answered_ < requests_max && !draining_;
    head_only_ = message.method() == beast::http::verb::head;
    const auto origin = message[beast::http::field::origin];
    origin_ = {origin.data(), origin.size()};
    stream_.expires_never();  // Ours to answer now; the target has time-outs of its own.
    if (const auto why = objection_to(*parser_)) {
        refuse(*why);
        return;
    }
    try {
        auto request = to_request(*parser_);
        context_.responder.answer(
            std::move(request),
            [me = self()](const SharedAnswer& answer) { me->reply(answer); },
            [me = self()](Request events) {
                auto more =
                    wire::cors_headers(me->context_.limits.cors_origins, me->origin_, false);
                me->context_.follow(std::move(me->stream_), std::move(events), std::move(more));
            }
        );
    } catch (const Refusal& refusal) {
        reply(std::make_shared<const Answer>(answer_of(refusal)));
    }
}

void Connection::reply(const SharedAnswer& answer) {
    write(answer, !keep_alive_ || draining_);
}

void Connection::refuse(const Refusal& refusal) {
    context_.responder.metrics().answered("none", refusal.fields.status, {});
    keep_alive_ = false;
    write(std::make_shared<const Answer>(answer_of(refusal)), true);
}

void Connection::write(const SharedAnswer& answer, bool last) {
    keep_alive_ = !last;
    auto& response = response_.emplace();
    response.result(answer->status);
    response.version(http_1_1);
    response.keep_alive(keep_alive_);
    for (const auto& header : wire::headers_of(*answer)) response.set(header.name, header.value);
    constexpr unsigned no_content = 204;
    const bool preflight = answer->status == no_content;
    for (const auto& header :
         wire::cors_headers(context_.limits.cors_origins, origin_, preflight)) {
        response.set(header.name, header.value);
    }
    response.body() = answer;
    constexpr unsigned not_modified = 304;
    if (!preflight && answer->status != not_modified) {
        response.content_length(answer->body.size());
    }
    serializer_.emplace(response);
    stream_.expires_after(
        context_.limits.request_timeout +
        std::chrono::seconds{answer->body.size() / bytes_per_second_min}
    );
    const auto done = [me = self()](const beast::error_code& error, std::size_t) {
        me->on_written(error);
    };
    if (head_only_) {
        beast::http::async_write_header(stream_, *serializer_, done);
    } else {
        beast::http::async_write(stream_, *serializer_, done);
    }
}

void Connection::on_written(const beast::error_code& error) {
    serializer_.reset();
    response_.reset();
    if (error) {
        close();
    } else if (keep_alive_ && !draining_) {
        await_request();
    } else {
        linger();
    }
}

void Connection::linger() {
    beast::error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    buffer_.consume(buffer_.size());
    if (discarded_ == 0) stream_.expires_after(linger_time);
    stream_.async_read_some(
        buffer_.prepare(buffer_bytes_max / 2),
        [me = self()](const beast::error_code& error, std::size_t size) {
            me->discarded_ += size;
            if (error || me->discarded_ > discard_bytes_max) {
                me->close();
            } else {
                me->linger();
            }
        }
    );
}

}  // namespace pgchronicle::http
