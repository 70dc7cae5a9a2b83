#pragma once

#include "http/answer.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/optional/optional.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// Answers in the form that Beast writes.

namespace pgchronicle::http::wire {

/// A body that belongs to an answer, which several clients may be reading.
struct AnswerBody {
    using value_type = SharedAnswer;

    static std::uint64_t size(const value_type& answer) { return answer->body.size(); }

    class writer {
    public:
        using const_buffers_type = boost::asio::const_buffer;

        template <bool is_request, typename Fields>
        writer(
            const boost::beast::http::header<is_request, Fields>& /*head*/,
            const value_type& answer
        )
            : answer_{answer} {}

        void init(boost::beast::error_code& error) { error = {}; }

        boost::optional<std::pair<const_buffers_type, bool>> get(boost::beast::error_code& error) {
            error = {};
            return {{const_buffers_type{answer_->body.data(), answer_->body.size()}, false}};
        }

    private:
        SharedAnswer answer_;
    };
};

using Response = boost::beast::http::response<AnswerBody>;
using Serializer = boost::beast::http::response_serializer<AnswerBody>;

/// The headers that every answer has, and those of this one.
[[nodiscard]] std::vector<Header> headers_of(const Answer& answer);

/// What a page of another origin may do; nothing where it is not among those allowed.
[[nodiscard]] std::vector<Header>
cors_headers(const std::vector<std::string>& allowed, const std::string& origin, bool preflight);

/// The time as HTTP writes it: Sun, 06 Nov 1994 08:49:37 GMT
[[nodiscard]] std::string http_date(std::int64_t unix_seconds);

}  // namespace pgchronicle::http::wire
