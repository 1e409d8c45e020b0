#include "projection/apply.hpp"

#include "pg/spi.hpp"
#include "projection/statements.hpp"

#include <cstring>

namespace freshcrm::projection {

namespace {

// A key that is locked is written by nobody else; a row that is not there any more was taken away
// behind the projection's back.
void ExpectOne(const Projection* projection, uint64 rows) {
    if (rows != 1) {
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("could not serialize access to projection %s", projection->name),
                        errdetail("A row of it was changed by a concurrent transaction."),
                        errhint("Retry the transaction.")));
    }
}

// Runs an insert or update: its parameters are the view's columns and the tag.
void Write(const Projection* projection, SPIPlanPtr statement, DiffRow* row) {
    const int count = ColumnCount(projection);
    for (int i = 0; i < count; ++i) {
        row->null_flags[i] = row->nulls[i] ? 'n' : ' ';
    }
    row->values[count] = CStringGetTextDatum(row->tag);
    row->null_flags[count] = ' ';
    ExpectOne(projection, pg::Modify(statement, row->values, row->null_flags));
    pfree(DatumGetPointer(row->values[count]));
}

}  // namespace

DiffRow MakeDiffRow(const Projection* projection) {
    const Size width = static_cast<Size>(ColumnCount(projection)) * 2 + kDiffExtra;
    DiffRow row{};
    row.values = static_cast<Datum*>(palloc(sizeof(Datum) * width));
    row.nulls = static_cast<bool*>(palloc(sizeof(bool) * width));
    row.null_flags = static_cast<char*>(palloc0(width));
    return row;
}

void ReadDiffRow(const Projection* projection, DiffRow* row, HeapTuple tuple, TupleDesc desc) {
    const int count = ColumnCount(projection);
    heap_deform_tuple(tuple, desc, row->values, row->nulls);
    row->in_view = !row->nulls[projection->lineage->key - 1];
    row->in_target = !row->nulls[count];
    row->target_key = row->values[count];
    row->target_tag = row->values[count + 1];
    if (row->in_view) {
        etag::DigestRow(projection->digester, row->values, row->nulls, row->tag);
    }
}

bool SameTag(const Projection* projection, const DiffRow* row) {
    if (row->nulls[ColumnCount(projection) + 1]) {
        return false;
    }
    const text* stored = DatumGetTextPP(row->target_tag);
    return VARSIZE_ANY_EXHDR(stored) == etag::kTagBytes - 1 &&
           std::memcmp(VARDATA_ANY(stored), row->tag, etag::kTagBytes - 1) == 0;
}

void ApplyInsert(Projection* projection, DiffRow* row) {
    Write(projection, Insert(projection), row);
}

void ApplyUpdate(Projection* projection, DiffRow* row) {
    Write(projection, Update(projection), row);
}

void ApplyDelete(Projection* projection, DiffRow* row) {
    ExpectOne(projection, pg::Modify(Remove(projection), &row->target_key, nullptr));
}

}  // namespace freshcrm::projection
