// The three kernels without a mistake, compiled at -O0, -O1 and -O3.
#include "planted.cuh"

KERNEL(128) product_bf16(const uint16_t* a, const uint16_t* b, float* c, uint32_t m, uint32_t n, uint32_t k) { product<Bug::None>(a, b, c, m, n, k); }
KERNEL(128) attention_bf16(const uint16_t* q, const uint16_t* k, const uint16_t* v, uint16_t* o, float* lse, uint32_t rows) { attend(q, k, v, o, lse, rows); }
KERNEL(256) random_sum(float* sum, uint32_t seed, uint32_t n) { randomSum<Bug::None>(sum, seed, n); }
