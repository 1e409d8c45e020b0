// How changes of a base table are applied to the rows that they affect, in words.
#pragma once

#include "projection/lineage.hpp"

namespace freshcrm::projection {

// As jsonb: {"INSERT": how, "DELETE": how, "UPDATE": {"<watched column>": how, …}}, where `how` is
//   whole row         the view is asked for the whole row
//   narrow: a, b      for these columns alone, of those that the view has
//   narrow: no column for none: no more than that it returns the key once can differ
//   all rows          option full: all rows of the projection are compared with the view
// An update of several columns affects what each of them does. It says what a projection that is
// maintained in the transaction does with freshcrm.patch on.
Datum Applied(const Lineage* lineage, const Source& source);

}  // namespace freshcrm::projection
