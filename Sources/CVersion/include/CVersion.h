#ifndef CVERSION_H
#define CVERSION_H

/// The commit that the program was built from, as `git describe` calls it; "unknown" where the
/// build was not told.
const char *cversion_commit(void);

#endif
