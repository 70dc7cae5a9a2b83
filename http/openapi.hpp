#pragma once

#include "http/router.hpp"

#include <string>
#include <vector>

namespace pgchronicle::http {

/// The OpenAPI 3.0 document of the endpoints, as JSON; paths in their order.
[[nodiscard]] std::string openapi_json(const std::vector<Route>& routes);

}  // namespace pgchronicle::http
