#include "pq/same_host.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace pgchronicle::pq {

bool on_same_host(int socket) {
    sockaddr_storage ours{};
    sockaddr_storage theirs{};
    socklen_t our_size = sizeof ours;
    socklen_t their_size = sizeof theirs;
    if (getsockname(socket, reinterpret_cast<sockaddr*>(&ours), &our_size) != 0) return false;
    if (getpeername(socket, reinterpret_cast<sockaddr*>(&theirs), &their_size) != 0) return false;
    if (ours.ss_family != theirs.ss_family) return false;
    if (ours.ss_family == AF_INET) {
        const auto address = [](const sockaddr_storage& end) {
            return reinterpret_cast<const sockaddr_in&>(end).sin_addr.s_addr;
        };
        return address(ours) == address(theirs);
    }
    if (ours.ss_family != AF_INET6) return false;
    const auto address = [](const sockaddr_storage& end) {
        return reinterpret_cast<const sockaddr_in6&>(end).sin6_addr;
    };
    const auto left = address(ours);
    const auto right = address(theirs);
    return std::memcmp(&left, &right, sizeof left) == 0;
}

}  // namespace pgchronicle::pq
