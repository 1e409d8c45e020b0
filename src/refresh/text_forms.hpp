// The text and JSON forms of types: what it depends on how a value is written, or read.
#pragma once

#include "refresh/outside.hpp"

namespace freshcrm::refresh {

// A call of the function, whatever its arguments are.
void NoteFunction(Oid function, Outside* found);

// A value of the type is written as text, or as JSON.
void NoteOutput(Oid type, bool as_json, Outside* found);

// Text is read as a value of the type.
void NoteInput(Oid type, Outside* found);

void NoteEnum(Oid type, Outside* found);

}  // namespace freshcrm::refresh
