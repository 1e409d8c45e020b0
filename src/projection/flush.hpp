// Flush: the queue of changes that projections have still to follow, and its working off.
//
// Triggers put changes into the queue; the last trigger of a statement works it off, projection by
// projection, each after those that it is made of. What the flush writes may change what other
// projections read: their triggers put that into the queue, too, and the running flush goes on
// until it is empty. So each projection is recomputed once, however many tables and projections it
// reads.
//
// Changes for projections of mode commit wait for the end of the transaction (deferred.hpp), those
// for projections of mode async are queued then (queue.hpp), as are those that could not be
// followed for projections with on_error stale.
//
// A trigger of the user on a target, in the middle of a flush, finds its own changes followed after
// the flush, not before.
#pragma once

#include "projection/patching.hpp"
#include "projection/read_rows.hpp"

namespace freshcrm::projection {

// Adds what a trigger saw, or a refresh did. Returns whether there is anything to follow.
bool Enqueue(Projection* projection, Source* source, const ChangeEvent& event);

// Works the queue off, unless that is going on already.
void Flush();

// And what is deferred (deferred.hpp).
void FlushDeferred();

// Puts what is deferred for projections of mode async into freshcrm.queue.
void QueueDeferred();

// Around the writing of rows of a projection: what its writes change of what projections read is
// followed at the end, not in between. Raises 55006 when a trigger on the target's rows asks for
// the same projection to be written.
void BeginWrite(const Projection* projection);
void EndWrite();

// Recomputes what changes of a projection lead to, then frees them. A list of Changes*, each of
// another source. Within Maintain(). With `narrow` only what they affect, where they have all been
// read from triggers and the target was right before them.
void RecomputeChanges(Projection* projection, const List* changes, bool narrow = false);

// Which keys changes lead to, unless all are affected: adds them to `keys`, which it sorts, or to
// `patched`, and locks what led to them. Returns whether a row of the view may have a NULL key.
bool TraceAffected(Projection* projection, const List* changes, KeySet* keys, PatchedKeys* patched);

// Registers callbacks that see to it that no transaction or subtransaction is committed with a
// queue that is not worked off; once a backend.
void InitFlush();

}  // namespace freshcrm::projection
