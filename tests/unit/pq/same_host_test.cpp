#include "pq/same_host.hpp"

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <sys/socket.h>

#include <unistd.h>

namespace pgchronicle::pq {

namespace {

/// Closed when it goes.
struct Socket {
    explicit Socket(int descriptor) : fd{descriptor} {}
    ~Socket() { close(fd); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    int fd;
};

/// A connection to a listener on `to` that begins at `from`, both of the loopback network.
bool connected_on_same_host(const char* from, const char* to) {
    const Socket listener{socket(AF_INET, SOCK_STREAM, 0)};
    const Socket client{socket(AF_INET, SOCK_STREAM, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, to, &address.sin_addr);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    REQUIRE(bind(listener.fd, any, size) == 0);
    REQUIRE(listen(listener.fd, 1) == 0);
    REQUIRE(getsockname(listener.fd, any, &size) == 0);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    inet_pton(AF_INET, from, &own.sin_addr);
    REQUIRE(bind(client.fd, reinterpret_cast<sockaddr*>(&own), sizeof own) == 0);
    REQUIRE(connect(client.fd, any, size) == 0);
    return on_same_host(client.fd);
}

}  // namespace

TEST_CASE("one address at both ends is one host", "[pq]") {
    CHECK(connected_on_same_host("127.0.0.1", "127.0.0.1"));
    CHECK_FALSE(connected_on_same_host("127.0.0.1", "127.0.0.2"));
}

TEST_CASE("a Unix-domain socket and no socket are none", "[pq]") {
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    const Socket one{pair[0]};
    const Socket other{pair[1]};
    CHECK_FALSE(on_same_host(one.fd));
    CHECK_FALSE(on_same_host(-1));
}

}  // namespace pgchronicle::pq
