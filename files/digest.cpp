#include "files/digest.hpp"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

namespace pgchronicle::files {
namespace {

void require(int done) {
    if (done != 1) throw std::runtime_error{"could not compute a SHA-256 digest"};
}

}  // namespace

void Digest::Free::operator()(EVP_MD_CTX* context) const {
    EVP_MD_CTX_free(context);
}

Digest::Digest() : context_{EVP_MD_CTX_new()} {
    require(context_ ? EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) : 0);
}

void Digest::add(std::string_view bytes) {
    require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

std::string Digest::hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    require(EVP_DigestFinal_ex(context_.get(), bytes.data(), &size));
    constexpr std::string_view digits{"0123456789abcdef"};
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        hex += digits[bytes[i] >> 4U];
        hex += digits[bytes[i] & 0xFU];
    }
    return hex;
}

}  // namespace pgchronicle::files
