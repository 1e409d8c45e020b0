#include "projection/collection_tag.hpp"

#include "etag/row_digest.hpp"
#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/collection_deltas.hpp"
#include "projection/collection_slots.hpp"
#include "projection/projection.hpp"

#include <cstring>

extern "C" {
#include "utils/acl.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"
}

namespace freshcrm::projection {

namespace {

// What the server checks where the rows themselves are read.
void CheckReadable(const CollectionSource* source, const Scope& scope) {
    if (pg_class_aclcheck(source->target, GetUserId(), ACL_SELECT) == ACLCHECK_OK) {
        return;
    }
    const auto check = [&](AttrNumber attnum) {
        if (pg_attribute_aclcheck(source->target, attnum, GetUserId(), ACL_SELECT) != ACLCHECK_OK) {
            aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(source->target));
        }
    };
    check(get_attnum(source->target, kVersionEtag));
    for (int i = 0; i < scope.count; ++i) {
        check(scope.columns[i].attnum);
    }
}

// The rows of the scope as a query; its parameters are the values that are not NULL.
const char* RowsQuery(const CollectionSource* source, const Scope& scope) {
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfo(&sql, "SELECT t.%s FROM ONLY %s AS t", kVersionEtag,
                     pg::QualifiedRelation(source->target));
    int parameters = 0;
    for (int i = 0; i < scope.count; ++i) {
        const ScopeColumn& column = scope.columns[i];
        appendStringInfo(&sql, " %s t.%s", i > 0 ? "AND" : "WHERE", quote_identifier(column.name));
        if (scope.nulls[i]) {
            appendStringInfoString(&sql, " IS NULL");
        } else {
            const pg::TypeEquality equality = pg::EqualityOfType(column.type);
            appendStringInfo(&sql, "%s %s $%d%s", equality.cast, equality.op, ++parameters,
                             equality.cast);
        }
    }
    return sql.data;
}

void CheckComparable(const Scope& scope) {
    for (int i = 0; i < scope.count; ++i) {
        if (!OidIsValid(lookup_type_cache(scope.columns[i].type, TYPECACHE_EQ_OPR)->eq_opr)) {
            ereport(ERROR,
                    (errcode(ERRCODE_UNDEFINED_FUNCTION),
                     errmsg("column \"%s\" cannot be a scope", scope.columns[i].name),
                     errdetail("Type %s has no equality.", format_type_be(scope.columns[i].type)),
                     errhint("Choose a column of another type.")));
        }
    }
}

struct Rows {
    const CollectionSource* source;
    core::MultisetHash hash;
};

void AddRow(void* arg, TupleTableSlot* slot) {
    auto* rows = static_cast<Rows*>(arg);
    bool isnull;
    const Datum value = slot_getattr(slot, 1, &isnull);
    rows->hash.Add(core::ElementOf(rows->source->secret, TagText(value, isnull)));
}

// As the current user, whose policies say which rows there are.
core::MultisetHash HashRows(const CollectionSource* source, const Scope& scope) {
    CheckComparable(scope);
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(scope.count + 1)));
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(scope.count + 1)));
    int count = 0;
    for (int i = 0; i < scope.count; ++i) {
        if (!scope.nulls[i]) {
            types[count] = scope.columns[i].type;
            values[count++] = scope.values[i];
        }
    }
    Rows rows{source, {}};
    SPI_connect();
    const char* sql = RowsQuery(source, scope);
    SPIPlanPtr plan = SPI_prepare(sql, count, types);
    if (plan == nullptr) {
        elog(ERROR, "could not prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
    }
    pg::SelectEach(plan, values, {nullptr, AddRow, &rows});
    SPI_finish();
    return rows.hash;
}

// False where the snapshot has no such collection, and where the user may not see all its rows.
bool ReadKept(const CollectionSource* source, const Scope& scope, core::MultisetHash* hash) {
    Snapshot snapshot = GetActiveSnapshot();
    const int32 id = FindCollection(source->projection, scope.columns, scope.count, snapshot);
    if (id == 0 || FindFill(id, snapshot) != Fill::kFilled ||
        check_enable_rls(source->target, InvalidOid, true) == RLS_ENABLED) {
        return false;
    }
    *hash = ReadScopeHash(id, ScopeKeyOf(scope.columns, scope.count, scope.values, scope.nulls),
                          snapshot);
    return true;
}

// Of the values, whichever their types.
void DigestScope(const Scope& scope, char* hex) {
    TupleDesc desc = CreateTemplateTupleDesc(scope.count);
    for (int i = 0; i < scope.count; ++i) {
        TupleDescInitEntry(desc, static_cast<AttrNumber>(i + 1), nullptr, scope.columns[i].type,
                           scope.columns[i].typmod, 0);
    }
    etag::RowDigester* digester = etag::MakeRowDigester(desc, CurrentMemoryContext);
    etag::DigestRow(digester, scope.values, scope.nulls, hex);
}

std::span<const std::byte> Bytes(const void* data, std::size_t size) {
    return {static_cast<const std::byte*>(data), size};
}

char* WriteTag(const Scope& scope, const core::MultisetHash& hash) {
    core::RowDigest digest;
    char of_scope[etag::kTagBytes];
    DigestScope(scope, of_scope);
    constexpr std::string_view kVersion = "1";
    const auto rows = core::ToBytes({static_cast<std::uint64_t>(hash.rows)});
    const auto sum = core::ToBytes(hash.sum);
    auto* tag = static_cast<char*>(palloc0(etag::kTagBytes));
    digest.Begin(static_cast<std::uint32_t>(scope.count + 4));
    digest.Add("collection", Bytes(kVersion.data(), kVersion.size()));
    for (int i = 0; i < scope.count; ++i) {
        digest.Add("name", Bytes(scope.columns[i].name, std::strlen(scope.columns[i].name)));
    }
    digest.Add("scope", Bytes(of_scope, core::kSha256HexChars));
    digest.Add("rows", Bytes(rows.data() + rows.size() - 8, 8));
    digest.Add("sum", Bytes(sum.data(), sum.size()));
    core::WriteHex(digest.Finish(), tag);
    return tag;
}

}  // namespace

char* CollectionEtag(Oid target, Jsonb* json) {
    const CollectionSource* source = FindCollectionSource(target);
    const Scope scope = ReadScope(source, json);
    CheckReadable(source, scope);
    core::MultisetHash hash{};
    if (!ReadKept(source, scope, &hash)) {
        hash = HashRows(source, scope);
    }
    return WriteTag(scope, hash);
}

}  // namespace freshcrm::projection
