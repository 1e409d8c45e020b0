#include "projection/column_flow.hpp"

#include "projection/level_flow.hpp"

namespace freshcrm::projection {

namespace {

Flow MakeFlow(WalkedView* view) {
    const int occurrences = list_length(view->occurrences);
    Flow flow{};
    flow.view = view;
    flow.first_atom = static_cast<int*>(palloc(sizeof(int) * static_cast<Size>(occurrences + 1)));
    int next = 0;
    for (int i = 0; i < occurrences; ++i) {
        flow.first_atom[i] = next;
        next += Max(bms_prev_member(OccurrenceAt(*view, i).watched, -1), 0) + 1;
    }
    return flow;
}

// What a change of one of these atoms does to the rows of the view.
Effect EffectOf(const Lineage* lineage, const Level* top, const Bitmapset* atoms) {
    Effect effect{bms_overlap(top->flow->rows, atoms), nullptr};
    ListCell* cell;
    foreach (cell, top->query->targetList) {
        const auto* entry = static_cast<TargetEntry*>(lfirst(cell));
        if (!entry->resjunk && bms_overlap(top->flow->outputs[entry->resno], atoms)) {
            effect.whole = effect.whole || IsKey(lineage, entry->resno);
            effect.columns = bms_add_member(effect.columns, entry->resno);
        }
    }
    return effect.whole ? kWholeRow : effect;
}

// A row that comes or goes brings and takes its columns, too.
void AddEffects(const Flow& flow, const Lineage* lineage, int occurrence, Source* source) {
    const WalkedOccurrence& table = OccurrenceAt(*flow.view, occurrence);
    const bool known = !flow.unknown && source->fallback == nullptr;
    const auto effect = [&](int column) {
        const int atom = flow.first_atom[occurrence] + column;
        return known && (column == 0 || bms_is_member(atom, flow.met))
                   ? EffectOf(lineage, flow.view->top, bms_make_singleton(atom))
                   : kWholeRow;
    };
    AddEffect(&source->of_rows, effect(0), CurrentMemoryContext);
    for (int i = 0; (i = bms_next_member(table.watched, i)) > 0;) {
        const Effect of_column = effect(i);
        AddEffect(&source->of_columns[i], of_column, CurrentMemoryContext);
        AddEffect(&source->of_rows, of_column, CurrentMemoryContext);
    }
}

}  // namespace

void TraceEffects(WalkedView* view, Lineage* lineage) {
    Flow flow = MakeFlow(view);
    (void)FlowOf(&flow, view->top);
    for (int i = 0; i < lineage->source_count; ++i) {
        Source* source = &lineage->sources[i];
        const int last = Max(bms_prev_member(source->watched, -1), 0);
        source->of_columns =
            static_cast<Effect*>(palloc0(sizeof(Effect) * static_cast<Size>(last + 1)));
        for (int j = 0; j < list_length(view->occurrences); ++j) {
            if (OccurrenceAt(*view, j).relid == source->relid) {
                AddEffects(flow, lineage, j, source);
            }
        }
    }
}

}  // namespace freshcrm::projection
