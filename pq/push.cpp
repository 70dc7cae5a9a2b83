#include "pq/push.hpp"

#include <poll.h>

namespace pgchronicle::pq {

void push(Connection& connection) {
    PGconn* raw = connection.native();
    if (PQsendFlushRequest(raw) != 1) throw connection.last_error();
    for (;;) {
        const int pending = PQflush(raw);
        if (pending == 0) return;
        if (pending < 0) throw connection.last_error();
        pollfd descriptor{PQsocket(raw), POLLOUT, 0};
        ::poll(&descriptor, 1, -1);
    }
}

}  // namespace pgchronicle::pq
