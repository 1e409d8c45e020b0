#include "projection/verify.hpp"

#include "pg/spi.hpp"
#include "projection/apply.hpp"
#include "projection/collection_fill.hpp"
#include "projection/keys.hpp"
#include "projection/recompute.hpp"
#include "projection/statements.hpp"

extern "C" {
#include "access/transam.h"
#include "utils/array.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"
}

#include <cstring>

namespace freshcrm::projection {

namespace {

constexpr int kBatch = 1000;

// What is wrong with a key, or null.
const char* Difference(const Projection* projection, const DiffRow& row) {
    if (!row.in_view && !row.in_target) {
        RaiseNullKey(projection, 0);
    }
    if (!row.in_target) {
        return "missing";
    }
    if (!row.in_view) {
        return "extra";
    }
    if (!SameTag(projection, &row)) {
        return "different";
    }
    // The tag is right; the columns may still have been changed behind it.
    char stored[etag::kTagBytes];
    const int first = StoredColumns(projection);
    etag::DigestRow(projection->digester, row.values + first, row.nulls + first, stored);
    return std::strcmp(stored, row.tag) == 0 ? nullptr : "different";
}

// What stands for a value in JSON: the text of types that are not the server's own, whose owners
// could have a cast to JSON called.
Datum JsonArgument(Oid type, Datum value, Oid* argument_type) {
    *argument_type = type;
    if (getBaseType(type) < FirstNormalObjectId) {
        return value;
    }
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(type, &output, &is_varlena);
    *argument_type = TEXTOID;
    return CStringGetTextDatum(OidOutputFunctionCall(output, value));
}

// {"<key column>": <value>, …}
Datum KeyObject(const Projection* projection, const Datum* key) {
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * 2 * INDEX_MAX_KEYS));
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * 2 * INDEX_MAX_KEYS));
    int count = 0;
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfoString(&sql, "SELECT pg_catalog.jsonb_build_object(");
    for (int i = 0; i < projection->key_count; ++i) {
        appendStringInfo(&sql, "%s$%d, $%d", i > 0 ? ", " : "", count + 1, count + 2);
        types[count] = TEXTOID;
        values[count++] = CStringGetTextDatum(projection->keys[i].name);
        values[count] = JsonArgument(projection->keys[i].type, key[i], &types[count]);
        ++count;
    }
    appendStringInfoChar(&sql, ')');
    if (SPI_execute_with_args(sql.data, count, types, values, nullptr, true, 1) != SPI_OK_SELECT) {
        elog(ERROR, "could not make a jsonb object of a key");
    }
    bool isnull;
    return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
}

void Report(const char* difference, Datum key, ReturnSetInfo* result) {
    Datum values[] = {CStringGetTextDatum(difference), key};
    bool nulls[] = {false, false};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    SPI_freetuptable(SPI_tuptable);
}

// What is to be done with differences.
struct Verification {
    const Projection* projection;
    ReturnSetInfo* result;
    KeySet wrong;
};

bool NoteDifference(void* arg, const char* difference, const Datum* key) {
    auto* verification = static_cast<Verification*>(arg);
    Report(difference, KeyObject(verification->projection, key), verification->result);
    Add(&verification->wrong, key);
    return true;
}

void NoteCollection(void* arg, const Collection& collection) {
    auto* names =
        static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(collection.count + 1)));
    for (int i = 0; i < collection.count; ++i) {
        names[i] = CStringGetTextDatum(collection.columns[i].name);
    }
    Oid type = TEXTARRAYOID;
    Datum value =
        PointerGetDatum(construct_array(names, collection.count, TEXTOID, -1, false, TYPALIGN_INT));
    if (SPI_execute_with_args("SELECT pg_catalog.jsonb_build_object('scope_columns', $1)", 1, &type,
                              &value, nullptr, true, 1) != SPI_OK_SELECT) {
        elog(ERROR, "could not make a jsonb object of scope columns");
    }
    bool isnull;
    Report("collection", SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull),
           static_cast<Verification*>(arg)->result);
}

}  // namespace

bool EachDifference(Projection* projection, DifferenceHandler handler, void* arg) {
    DiffRow row = MakeDiffRow(projection);
    KeyChecker unique = MakeKeyChecker(projection);
    bool more = true;

    pg::PushFreshSnapshot();
    Portal portal = SPI_cursor_open(nullptr, VerifyAll(projection), nullptr, nullptr, true);
    for (SPI_cursor_fetch(portal, true, kBatch); more && SPI_processed > 0;
         SPI_cursor_fetch(portal, true, kBatch)) {
        SPITupleTable* rows = SPI_tuptable;
        for (uint64 i = 0; i < rows->numvals && more; ++i) {
            CHECK_FOR_INTERRUPTS();
            ReadDiffRow(projection, &row, rows->vals[i], rows->tupdesc);
            const char* difference = Difference(projection, row);
            const Datum* key = row.in_view ? row.view_key : row.target_key;
            if (row.in_view) {
                CheckUnique(&unique, key);
            }
            more = difference == nullptr || handler(arg, difference, key);
        }
        SPI_freetuptable(rows);
    }
    SPI_cursor_close(portal);
    PopActiveSnapshot();
    return more;
}

void VerifyProjection(Projection* projection, bool repair, ReturnSetInfo* result) {
    Verification verification{projection, result,
                              MakeProjectionKeys(projection, CurrentMemoryContext)};
    (void)EachDifference(projection, NoteDifference, &verification);
    if (repair) {
        SortUnique(&verification.wrong);
        (void)RecomputeKeys(projection, &verification.wrong, Write::kAlways);
        MendCollections(projection, NoteCollection, &verification);
    } else {
        CheckCollections(projection->target, NoteCollection, &verification);
    }
}

bool EqualsView(Projection* projection) {
    return EachDifference(
        projection, [](void*, const char*, const Datum*) { return false; }, nullptr);
}

}  // namespace freshcrm::projection
