// Row-level security of base tables as templates for the table of a projection: the copy of a row
// is not protected by the policies of the row.
#pragma once

#include "projection/projection.hpp"

extern "C" {
#include "nodes/execnodes.h"
}

namespace freshcrm::projection {

// The rows of explain_row_security(): the statement that enables row-level security for the target,
// then one for each policy that decides who may SELECT, in the order of the view's tables and of
// the policies' names; none when no base table has row-level security. A column of the base table
// becomes the target's where the view has a plain copy of it; a policy that reads another one is a
// comment that says so.
//
// A row of the view is shown where every row that it is made of is: the permissive policies of one
// table, united by OR, are joined by AND with those of another. So the first table's stay
// permissive, and those of any other become one restrictive policy, which asks for roles itself.
// As the projection's owner.
void ExplainRowSecurity(const Projection* projection, ReturnSetInfo* result);

}  // namespace freshcrm::projection
