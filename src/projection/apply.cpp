#include "projection/apply.hpp"

#include "pg/spi.hpp"
#include "projection/recompute.hpp"
#include "projection/statements.hpp"

#include <cstring>

namespace freshcrm::projection {

namespace {

// A key that is locked is written by nobody else, so that a statement that finds no row was kept
// from it by a trigger on the target, or the row was taken away behind the projection's back.
void ExpectOne(const Projection* projection, uint64 rows) {
    if (rows != 1) {
        ereport(
            ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("a row of projection %s was not written", projection->name),
             errdetail("A trigger or rule of the table suppressed it, or another session wrote to "
                       "the table directly."),
             errhint("Let only the projection write to its table.")));
    }
}

// Runs an insert or update: its parameters are the view's columns and the tag.
void WriteRow(const Projection* projection, SPIPlanPtr statement, DiffRow* row) {
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

int StoredColumns(const Projection* projection) {
    return ColumnCount(projection) + projection->key_count + 1;
}

DiffRow MakeDiffRow(const Projection* projection) {
    const auto width =
        static_cast<Size>(StoredColumns(projection)) + static_cast<Size>(ColumnCount(projection));
    DiffRow row{};
    row.values = static_cast<Datum*>(palloc(sizeof(Datum) * width));
    row.nulls = static_cast<bool*>(palloc(sizeof(bool) * width));
    row.null_flags = static_cast<char*>(palloc0(width));
    row.view_key =
        static_cast<const Datum*>(palloc(sizeof(Datum) * static_cast<Size>(projection->key_count)));
    return row;
}

void ReadDiffRow(const Projection* projection, DiffRow* row, HeapTuple tuple, TupleDesc desc) {
    const int count = ColumnCount(projection);
    heap_deform_tuple(tuple, desc, row->values, row->nulls);
    row->in_target = !row->nulls[count];
    row->target_key = row->values + count;
    int nulls = 0;
    int last_null = 0;
    for (int i = 0; i < projection->key_count; ++i) {
        const int column = projection->keys[i].attnum - 1;
        nulls += row->nulls[column] ? 1 : 0;
        last_null = row->nulls[column] ? i : last_null;
        const_cast<Datum*>(row->view_key)[i] = row->values[column];
    }
    if (nulls > 0 && nulls < projection->key_count) {
        RaiseNullKey(projection, last_null);
    }
    row->in_view = nulls == 0;
    if (row->in_view) {
        etag::DigestRow(projection->digester, row->values, row->nulls, row->tag);
    }
}

bool SameTag(const Projection* projection, const DiffRow* row) {
    const int column = ColumnCount(projection) + projection->key_count;
    if (row->nulls[column]) {
        return false;
    }
    const text* stored = DatumGetTextPP(row->values[column]);
    return VARSIZE_ANY_EXHDR(stored) == etag::kTagBytes - 1 &&
           std::memcmp(VARDATA_ANY(stored), row->tag, etag::kTagBytes - 1) == 0;
}

// A narrow diff has the columns that it did not read of the view as the target holds them.
RowImage StoredImage(const Projection* projection, const NarrowDiff* narrow, const DiffRow* row,
                     const RowBuffer* buffer) {
    const Bitmapset* scopes = projection->collections->columns;
    const Bitmapset* stored = narrow != nullptr ? narrow->columns : scopes;
    for (int i = -1; (i = bms_next_member(scopes, i)) >= 0;) {
        const int place = bms_member_index(const_cast<Bitmapset*>(stored), i);
        const int column = place >= 0 ? StoredColumns(projection) + place : i - 1;
        buffer->values[i - 1] = row->values[column];
        buffer->nulls[i - 1] = row->nulls[column];
    }
    const int tag = StoredColumns(projection) - 1;
    return {buffer->values, buffer->nulls, TagText(row->values[tag], row->nulls[tag])};
}

void ApplyInsert(Projection* projection, DiffRow* row) {
    WriteRow(projection, Insert(projection), row);
}

void ApplyUpdate(Projection* projection, DiffRow* row) {
    WriteRow(projection, Update(projection), row);
}

void ApplyDelete(Projection* projection, DiffRow* row) {
    ExpectOne(projection,
              pg::Modify(Remove(projection), const_cast<Datum*>(row->target_key), nullptr));
}

}  // namespace freshcrm::projection
