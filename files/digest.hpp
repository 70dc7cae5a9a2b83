#pragma once

#include <memory>
#include <string>
#include <string_view>

using EVP_MD_CTX = struct evp_md_ctx_st;

namespace pgchronicle::files {

/// SHA-256 of bytes that come in pieces.
class Digest {
public:
    Digest();
    void add(std::string_view bytes);
    /// 64 hexadecimal digits; nothing may be added after that.
    [[nodiscard]] std::string hex();

private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const;
    };
    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace pgchronicle::files
