// The last include of every source file of src/core: these files are plain C++, so that they can be
// tested and fuzzed outside the server.
#pragma once

#ifdef POSTGRES_H
#error "src/core must not include postgres.h"
#endif
