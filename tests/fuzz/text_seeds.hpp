#pragma once

#include <string>
#include <vector>

namespace pgchronicle::test {

struct TextSeed {
    std::string target;  ///< The folder of the corpus.
    std::string name;
    std::string text;
};

/// Seeds of the targets that read text.
[[nodiscard]] std::vector<TextSeed> text_seeds();

}  // namespace pgchronicle::test
