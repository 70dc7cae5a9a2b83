#pragma once

#include "config/document.hpp"
#include "config/map_reader.hpp"
#include "config/settings.hpp"

namespace pgchronicle::config {

/// Turns a document into settings. Problems go to `reading`; with any, the settings are not valid.
///
/// This is the one list of the keys there are, their types and which of them must be given.
[[nodiscard]] Settings read_settings(const DocumentNode& document, Reading& reading);

}  // namespace pgchronicle::config
