#include "projection/packed.hpp"

extern "C" {
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "utils/datum.h"
#include "utils/tuplestore.h"
}

namespace freshcrm::projection {

namespace {

constexpr int kPieceBytes = 8000;
constexpr int kTuplesAtOnce = 256;

// What a section of a piece holds, besides the paths by their number.
constexpr int16 kKeys = -1;
constexpr int16 kRows = -2;

struct Section {
    int16 kind;
    int32 count;
};

struct Packer {
    const PieceHandler* handler;
    StringInfoData bytes;
    int values;
};

Packer BeginPacking(const PieceHandler* handler) {
    Packer packer{};
    packer.handler = handler;
    initStringInfo(&packer.bytes);
    return packer;
}

void HandOver(Packer* packer) {
    if (packer->values == 0) {
        return;
    }
    const Size size = VARHDRSZ + static_cast<Size>(packer->bytes.len);
    auto* content = static_cast<bytea*>(palloc(size));
    SET_VARSIZE(content, size);
    memcpy(VARDATA(content), packer->bytes.data, static_cast<Size>(packer->bytes.len));
    packer->handler->piece(packer->handler->arg, content, packer->values);
    pfree(content);
    resetStringInfo(&packer->bytes);
    packer->values = 0;
}

void AddSection(Packer* packer, int16 kind, int count) {
    if (packer->bytes.len > kPieceBytes) {
        HandOver(packer);
    }
    Section section;
    memset(&section, 0, sizeof(section));  // the gaps, too
    section.kind = kind;
    section.count = count;
    appendBinaryStringInfo(&packer->bytes, reinterpret_cast<const char*>(&section),
                           sizeof(section));
    packer->values += count;
}

void AddDatum(Packer* packer, Datum value, bool by_value, int length) {
    const auto size = static_cast<int>(datumEstimateSpace(value, false, by_value, length));
    enlargeStringInfo(&packer->bytes, size);
    char* end = packer->bytes.data + packer->bytes.len;
    datumSerialize(value, false, by_value, length, &end);
    packer->bytes.len += size;
}

void AddTuples(Packer* packer, int16 kind, KeySet* set) {
    SortUnique(set);
    for (KeySet piece; NextPiece(set, kTuplesAtOnce, &piece);) {
        AddSection(packer, kind, piece.count);
        for (int i = 0; i < piece.count; ++i) {
            for (int j = 0; j < piece.width; ++j) {
                AddDatum(packer, Tuple(&piece, i)[j], piece.columns[j].by_value,
                         piece.columns[j].length);
            }
        }
    }
}

// As a value of the table's row type, which is flat.
void AddRows(Packer* packer, const Changes* changes) {
    Relation table = table_open(changes->source->relid, AccessShareLock);
    TupleDesc desc = RelationGetDescr(table);
    TupleTableSlot* slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
    tuplestore_rescan(changes->rows);
    while (tuplestore_gettupleslot(changes->rows, true, false, slot)) {
        CHECK_FOR_INTERRUPTS();
        HeapTuple tuple = ExecCopySlotHeapTuple(slot);
        const Datum row = heap_copy_tuple_as_datum(tuple, desc);
        AddSection(packer, kRows, 1);
        AddDatum(packer, row, false, -1);
        pfree(DatumGetPointer(row));
        pfree(tuple);
    }
    ExecDropSingleTupleTableSlot(slot);
    table_close(table, AccessShareLock);
}

// Reads sections one after the other. datumRestore() copies, so that alignment does not matter.
struct Unpacker {
    char* next;
    const char* end;
};

Unpacker BeginUnpacking(const bytea* content) {
    auto* data = const_cast<char*>(VARDATA_ANY(content));
    return {data, data + VARSIZE_ANY_EXHDR(content)};
}

bool NextSection(Unpacker* unpacker, Section* section) {
    if (unpacker->next >= unpacker->end) {
        return false;
    }
    memcpy(section, unpacker->next, sizeof(Section));
    unpacker->next += sizeof(Section);
    return true;
}

Datum NextDatum(Unpacker* unpacker) {
    bool isnull;
    return datumRestore(&unpacker->next, &isnull);
}

void UnpackTuples(Unpacker* unpacker, int count, KeySet* set) {
    auto* tuple = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(set->width)));
    for (int i = 0; i < count; ++i) {
        for (int j = 0; j < set->width; ++j) {
            tuple[j] = NextDatum(unpacker);
        }
        Add(set, tuple);
        for (int j = 0; j < set->width; ++j) {
            if (!set->columns[j].by_value) {
                pfree(DatumGetPointer(tuple[j]));
            }
        }
    }
    pfree(tuple);
}

void UnpackRows(Unpacker* unpacker, int count, const Changes* changes) {
    for (int i = 0; i < count; ++i) {
        const Datum row = NextDatum(unpacker);
        HeapTupleHeader header = DatumGetHeapTupleHeader(row);
        HeapTupleData tuple{};
        tuple.t_len = HeapTupleHeaderGetDatumLength(header);
        tuple.t_data = header;
        tuplestore_puttuple(changes->rows, &tuple);
        pfree(DatumGetPointer(row));
    }
}

int64 Fingerprint(const StringInfoData& text) {
    return static_cast<int64>(
        hash_bytes_extended(reinterpret_cast<const unsigned char*>(text.data), text.len, 0));
}

void DescribeColumns(StringInfo text, Oid relid) {
    Relation table = try_relation_open(relid, AccessShareLock);
    if (table == nullptr) {
        appendStringInfoString(text, " gone");
        return;
    }
    TupleDesc desc = RelationGetDescr(table);
    for (int i = 0; i < desc->natts; ++i) {
        const auto* column = TupleDescAttr(desc, i);
        appendStringInfo(text, " %u,%d,%d,%s", column->atttypid, column->attlen,
                         column->attisdropped ? 1 : 0, NameStr(column->attname));
    }
    relation_close(table, AccessShareLock);
}

int64 CurrentShape(const Projection* projection, const Source* source) {
    StringInfoData text;
    initStringInfo(&text);
    appendStringInfo(&text, INT64_FORMAT, ShapeOfKeys(projection));
    for (int i = 0; i < source->path_count; ++i) {
        const Path& path = source->paths[i];
        for (int j = 0; j < path.start_count; ++j) {
            appendStringInfo(&text, " %u", path.starts[j].type);
        }
        for (int j = 0; path.direct() && j < projection->key_count; ++j) {
            appendStringInfo(&text, " %d", path.key_starts[j]);
        }
        appendStringInfo(&text, "/%s", path.direct() ? "" : path.query_many);
    }
    if (source->fallback != nullptr && source->fallback->query != nullptr) {
        DescribeColumns(&text, source->relid);
    }
    return Fingerprint(text);
}

}  // namespace

void PackChanges(Changes* changes, const PieceHandler& handler) {
    Packer packer = BeginPacking(&handler);
    for (int i = 0; i < changes->source->path_count; ++i) {
        AddTuples(&packer, static_cast<int16>(i), &changes->starts[i]);
    }
    AddTuples(&packer, kKeys, &changes->keys);
    if (changes->rows != nullptr) {
        AddRows(&packer, changes);
    }
    HandOver(&packer);
    pfree(packer.bytes.data);
}

void PackKeys(KeySet* keys, const PieceHandler& handler) {
    Packer packer = BeginPacking(&handler);
    AddTuples(&packer, kKeys, keys);
    HandOver(&packer);
    pfree(packer.bytes.data);
}

void UnpackChanges(Changes* changes, const bytea* content) {
    Unpacker unpacker = BeginUnpacking(content);
    for (Section section; NextSection(&unpacker, &section);) {
        changes->any_row = true;
        if (section.kind == kRows) {
            UnpackRows(&unpacker, section.count, changes);
        } else {
            UnpackTuples(&unpacker, section.count,
                         section.kind == kKeys ? &changes->keys : &changes->starts[section.kind]);
        }
    }
}

void UnpackKeys(KeySet* keys, const bytea* content) {
    Unpacker unpacker = BeginUnpacking(content);
    for (Section section; NextSection(&unpacker, &section);) {
        UnpackTuples(&unpacker, section.count, keys);
    }
}

int64 ShapeOfKeys(const Projection* projection) {
    StringInfoData text;
    initStringInfo(&text);
    for (int i = 0; i < projection->key_count; ++i) {
        appendStringInfo(&text, " %u", projection->keys[i].type);
    }
    return Fingerprint(text);
}

int64 ShapeOf(const Projection* projection, Source* source) {
    if (source->shape == 0) {
        source->shape = CurrentShape(projection, source);
    }
    return source->shape;
}

bool RowsFit(const Changes* changes) {
    return changes->rows == nullptr || CurrentShape(changes->projection, changes->source) ==
                                           ShapeOf(changes->projection, changes->source);
}

}  // namespace freshcrm::projection
