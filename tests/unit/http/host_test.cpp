#include "http/host.hpp"

#include <catch2/catch.hpp>

using pgchronicle::http::is_own_host;

TEST_CASE("addresses, localhost and names that are listed are our own", "[http]") {
    for (const auto* host :
         {"127.0.0.1",
          "127.0.0.1:8000",
          "10.1.2.3",
          "[::1]",
          "[::1]:8000",
          "localhost",
          "LocalHost:80",
          "History.example",
          "history.example:443"}) {
        CAPTURE(host);
        CHECK(is_own_host(host, {"history.example"}));
    }
}

TEST_CASE("every other host is not", "[http]") {
    for (const auto* host :
         {"",
          ":80",
          "x",
          "evil.example:8000",
          "localhost.evil.example",
          "127.0.0.1.evil.example",
          "a.history.example",
          "[localhost]",
          "[127.0.0.1]",
          "::1",
          "localhost:x",
          "localhost:80:80"}) {
        CAPTURE(host);
        CHECK_FALSE(is_own_host(host, {"history.example"}));
    }
}
