// The surroundings of all work on a projection.
#pragma once

#include "pg/owner_scope.hpp"
#include "projection/projection.hpp"

namespace freshcrm::projection {

// Runs `body`; an error in it gets a context line that names the projection. (Whoever catches the
// error restores error_context_stack.)
template <typename Body>
void InContext(const Projection* projection, Body body) {
    ErrorContextCallback context{};
    context.previous = error_context_stack;
    context.callback = [](void* name) {
        errcontext("maintenance of projection %s", static_cast<const char*>(name));
    };
    context.arg = const_cast<char*>(projection->name);
    error_context_stack = &context;
    body();
    error_context_stack = context.previous;
}

// The same, as the projection's owner (pg/owner_scope.hpp), with SPI connected. What it sets up is
// plain: after an error the end of the (sub)transaction undoes it.
template <typename Body>
void Maintain(const Projection* projection, Body body) {
    InContext(projection, [&] {
        const pg::OwnerScope scope = pg::BeginAsOwner(projection->owner);
        SPI_connect();
        body();
        SPI_finish();
        pg::EndAsOwner(scope);
    });
}

}  // namespace freshcrm::projection
