#include "projection/row_patch.hpp"

#include "projection/halves.hpp"
#include "projection/harmless.hpp"

extern "C" {
#include "catalog/pg_class.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
}

namespace freshcrm::projection {

const Path* OnlyPath(const Lineage* lineage, const Source* source) {
    if (source->path_count != 1 || source->fallback != nullptr || source->whole_row ||
        get_rel_relkind(source->relid) != RELKIND_RELATION ||
        get_rel_relispartition(source->relid) || source->paths[0].start_count > INDEX_MAX_KEYS) {
        return nullptr;
    }
    const Path* path = &source->paths[0];
    for (int i = 0; i < path->start_count; ++i) {
        const Start& start = path->starts[i];
        if (start.column == 0 || start.element ||
            !OidIsValid(lookup_type_cache(start.type, TYPECACHE_CMP_PROC)->cmp_proc)) {
            return nullptr;
        }
    }
    return path->known_keys != nullptr || MakesHalves(lineage, source, path) ? nullptr : path;
}

RowPatch* NewPatch(const List* fed) {
    auto* patch = static_cast<RowPatch*>(palloc0(sizeof(RowPatch)));
    patch->columns = static_cast<PatchColumn*>(
        palloc(sizeof(PatchColumn) * static_cast<Size>(list_length(fed))));
    bool may_fail = false;
    ListCell* cell;
    foreach (cell, fed) {
        const auto* column = static_cast<PatchColumn*>(lfirst(cell));
        may_fail = may_fail || column->feed == Feed::kSum || column->feed == Feed::kMerge;
        patch->effect.columns = bms_add_member(patch->effect.columns, column->column + 1);
        patch->columns[patch->column_count++] = *column;
    }
    patch->harmless = IsHarmlessPatch(patch);
    patch->infallible = patch->harmless && !may_fail;
    return patch;
}

}  // namespace freshcrm::projection
