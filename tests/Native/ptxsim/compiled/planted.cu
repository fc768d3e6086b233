// The same kernels with one mistake each: the stand-in must report every one.
#include "planted.cuh"

#define PRODUCT(bug) \
  KERNEL(128) product_##bug(const uint16_t* a, const uint16_t* b, float* c, uint32_t m, uint32_t n, uint32_t k) { product<Bug::bug>(a, b, c, m, n, k); }
#define SUM(bug) KERNEL(256) sum_##bug(float* sum, uint32_t seed, uint32_t n) { randomSum<Bug::bug>(sum, seed, n); }

PRODUCT(WaitsForTooFewCopies)
PRODUCT(NoBarrierAfterWait)
PRODUCT(NoBarrierBeforeRefill)
PRODUCT(BarrierInOneWarp)
PRODUCT(ReadsPastRows)
PRODUCT(WritesPastColumns)
PRODUCT(MatrixRowOffByEight)
PRODUCT(CopyIgnoresItsLength)
PRODUCT(CopyOfFourBytes)
SUM(SumIsNotAtomic)
SUM(SumInWrongSpace)
