#include "projection/scope_key.hpp"

#include <cstring>

#include "pg/equal_images.hpp"

namespace freshcrm::projection {

namespace {

void UpdateHash(core::Sha256* hash, const ScopeColumn& column, Datum value) {
    const auto update = [&](const void* data, Size size) {
        const auto length = static_cast<std::uint32_t>(size);
        hash->Update(&length, sizeof(length));
        hash->Update(data, size);
    };
    if (column.by_value) {
        // Above what the type has, a Datum may be anything.
        const Datum bytes = value << (8 * (sizeof(Datum) - static_cast<Size>(column.length)));
        update(&bytes, sizeof(bytes));
    } else if (column.length > 0) {
        update(DatumGetPointer(value), static_cast<Size>(column.length));
    } else if (column.length == -1) {
        const auto* bytes = reinterpret_cast<const struct varlena*>(PG_DETOAST_DATUM_PACKED(value));
        Size size = VARSIZE_ANY_EXHDR(bytes);
        while (column.padded && size > 0 && VARDATA_ANY(bytes)[size - 1] == ' ') {
            --size;
        }
        update(VARDATA_ANY(bytes), size);
    } else {
        update(DatumGetCString(value), std::strlen(DatumGetCString(value)));
    }
}

}  // namespace

ScopeKey ScopeKeyOf(const ScopeColumn* columns, int count, const Datum* values, const bool* nulls) {
    core::Sha256 hash;
    for (int i = 0; i < count; ++i) {
        hash.Update(&nulls[i], sizeof(bool));
        if (!nulls[i]) {
            UpdateHash(&hash, columns[i], values[i]);
        }
    }
    const auto digest = hash.Finish();
    ScopeKey key;
    std::memcpy(key.bytes, digest.data(), sizeof(key.bytes));
    return key;
}

// Of character(n) the server says no, whose blanks at the end do not count: here they do not
// either.
bool IsScopeType(Oid type, Oid collation) {
    const Oid base = getBaseType(type);
    return pg::HasEqualImages(base == BPCHAROID ? TEXTOID : base, collation);
}

}  // namespace freshcrm::projection
