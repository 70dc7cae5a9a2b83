#include "replicator/io/asio_loop.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace pgchronicle::replicator::io {

void AsioLoop::post(Call call) {
    boost::asio::post(context_, std::move(call));
}

void AsioLoop::call_at(Clock::time_point time, Call call) {
    timer_.expires_at(time);
    timer_.async_wait([call = std::move(call)](const boost::system::error_code& error) {
        if (!error) call();
    });
}

}  // namespace pgchronicle::replicator::io
