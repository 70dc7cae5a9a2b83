#include "http/assets.hpp"
#include "http/endpoints.hpp"

#include <string>
#include <utility>

namespace pgchronicle::http {

void add_page_endpoints(Router& router) {
    for (const auto& asset : assets()) {
        Answer plain;
        plain.type = asset.content_type;
        plain.body = asset.bytes;
        plain.tag = asset.etag;
        // Made once: they are asked for often, and never change while the program runs.
        auto small = gzipped(plain);
        if (small.gzipped) small.tag.insert(small.tag.size() - 1, "-gzip");
        Route route;
        route.path = std::string{asset.path};
        route.name = "page " + route.path;
        route.summary = "A part of the page";
        route.answer = [plain = std::move(plain), small = std::move(small)](const Request& request
                       ) { return accepts_gzip(request.accept_encoding) ? small : plain; };
        route.check = [](const Request& request) { request.query.only({}); };
        route.documented = false;
        router.add(std::move(route));
    }
}

}  // namespace pgchronicle::http
