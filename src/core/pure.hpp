// Included last by every source file of src/core: keeps it free of the server, so that it can be
// unit-tested and fuzzed outside one and never meets a longjmp.
#pragma once

#ifdef POSTGRES_H
#error "src/core never includes postgres.h, neither directly nor through another header"
#endif
