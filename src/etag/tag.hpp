// An entity tag as SQL sees it.
#pragma once

#include "pg/postgres.hpp"
// After the server's headers.
#include "core/digest.hpp"

namespace freshcrm::etag {

// 64 hexadecimal characters, in the current memory context.
inline text* MakeTag(const core::Sha256Digest& digest) {
    auto* tag = static_cast<text*>(palloc(VARHDRSZ + core::kSha256HexChars));
    SET_VARSIZE(tag, VARHDRSZ + core::kSha256HexChars);
    core::WriteHex(digest, VARDATA(tag));
    return tag;
}

}  // namespace freshcrm::etag
