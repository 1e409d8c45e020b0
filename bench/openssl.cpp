// What OpenSSL alone takes for a SHA-256 in hexadecimal, as it is documented: by EVP, with an
// algorithm that is fetched once and a context that is used again.
//
//     openssl BYTES COUNT   prints the mean, ns
#include <openssl/evp.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

void WriteHex(const std::array<unsigned char, 32>& digest, char* hex) {
    static constexpr char kDigits[] = "0123456789abcdef";
    for (const unsigned char byte : digest) {
        *hex++ = kDigits[byte >> 4];
        *hex++ = kDigits[byte & 0xf];
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) {
        return 2;
    }
    const std::uint64_t times = std::strtoull(arguments[2], nullptr, 10);
    std::vector<char> data(std::strtoul(arguments[1], nullptr, 10) + sizeof(times), 'x');
    data.resize(data.size() - sizeof(times));
    EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    std::array<unsigned char, 32> digest{};
    char hex[64] = {};
    unsigned sum = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < times; i++) {
        std::memcpy(data.data(), &i, sizeof(i));
        if (EVP_DigestInit_ex2(context, algorithm, nullptr) != 1 ||
            EVP_DigestUpdate(context, data.data(), data.size()) != 1 ||
            EVP_DigestFinal_ex(context, digest.data(), nullptr) != 1) {
            return 1;
        }
        WriteHex(digest, hex);
        sum += static_cast<unsigned char>(hex[times % 64]);
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    std::printf("%.1f\n", took.count() / static_cast<double>(times));
    EVP_MD_CTX_free(context);
    EVP_MD_free(algorithm);
    return sum == 0 ? 1 : 0;
}
