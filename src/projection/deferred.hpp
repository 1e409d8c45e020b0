// Deferred: what projections of modes commit and async have to follow, or to queue, before the
// transaction ends.
//
// It outlives subtransactions. What one of them added and rolled back stays: following it finds
// nothing to write.
#pragma once

#include "projection/read_rows.hpp"

namespace freshcrm::projection {

// Adds what a trigger saw, or a refresh did. In mode commit changed rows that a user's query maps
// are mapped at once, since they may not be there any more at the end. Returns whether there is
// anything to follow.
bool Defer(Projection* projection, Source* source, const ChangeEvent& event);

// At the end of a subtransaction that is rolled back.
void DoubtDeferred();

bool AnyDeferred();
bool AnyDeferred(Mode mode);

// Takes what is due in a mode (Changes::mode), a list of Changes* in the current memory context. In
// a subtransaction it also stays deferred (Changes::keep), since a rollback would take back what is
// made of it.
List* TakeDeferred(Mode mode);

// At the end of a transaction that has no use for it.
void ForgetDeferred();

}  // namespace freshcrm::projection
