#include <cblas.h>

// LAPACK's Cholesky factorisation, which OpenBLAS exports but <cblas.h> does not declare: column
// major; info > 0 is the order of the first leading minor that is not positive. The last argument
// is the length of uplo that Fortran passes unseen.
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info,
             size_t uplo_length);
