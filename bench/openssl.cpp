// What OpenSSL alone takes for a SHA-256 in hexadecimal, with a context that is used again:
//   openssl BYTES COUNT   prints the mean, ns
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/digest.hpp"

int main(int count, char** arguments) {
    if (count != 3) {
        return 2;
    }
    std::vector<char> data(std::strtoul(arguments[1], nullptr, 10), 'x');
    data.resize(data.size() < sizeof(std::uint64_t) ? sizeof(std::uint64_t) : data.size());
    const std::uint64_t times = std::strtoull(arguments[2], nullptr, 10);
    freshcrm::core::Sha256 hash;
    char hex[freshcrm::core::kSha256HexChars];
    std::uint64_t sum = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < times; i++) {
        std::memcpy(data.data(), &i, sizeof(i));
        hash.Start();
        hash.Update(data.data(), data.size());
        freshcrm::core::WriteHex(hash.Finish(), hex);
        sum += static_cast<unsigned char>(hex[0]);
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    std::printf("%.1f\n", took.count() / static_cast<double>(times));
    return sum == 0 ? 1 : 0;
}
