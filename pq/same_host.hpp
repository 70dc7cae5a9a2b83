#pragma once

namespace pgchronicle::pq {

/// Whether both ends of this TCP connection have one address, so that no network lies between.
/// False for a Unix-domain socket, whose buffers are others.
[[nodiscard]] bool on_same_host(int socket);

}  // namespace pgchronicle::pq
