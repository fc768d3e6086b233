// Family matmul, bf16: C (M, N) = op(A) op(B), or C += it, plus a row of bias. Sums in fp32, C in bf16 or fp32.
//
// NN: A (M, K) B (K, N).  NT: A (M, K) B (N, K)^T.  TN: A (K, M)^T B (K, N).  Row strides are free; sizes too.
//
// Variants, each in the three forms; all but the last also as the product that makes logits and sums their rows (row_sums.cuh):
//   tall    256 x 128 tile, 8 warps of 64 x 64: most work per byte of shared memory; for large products.
//   square  128 x 128 tile, 4 warps of 64 x 64, two blocks a multiprocessor; for products with fewer tiles.
//   small   64 x 64 tile, 4 warps of 32 x 32: for products that would leave most multiprocessors idle.
//   any     the small tile, values gathered one by one: for rows that do not start at multiples of 16 bytes.
// Both large tiles go 64 of K a stage, three stages: up to 36 % faster on an H100 than 128 x 256 and 128 x 128 with 32 of K in four
// (docs/kernels/matmul-cuda.md).
// Where M N has too few tiles for the device, K is split: every part writes its sums to a workspace (gridDim.y parts) and
// matmul_combine_bf16 adds the parts in order. The number of parts is a function of shape and device, so repeats give the same bits.
#include "matmul_kernel.cuh"

using Tall = MatmulConfig<256, 128, 64, 4, 2, 3>;
using Square = MatmulConfig<128, 128, 64, 2, 2, 3>;
using Small = MatmulConfig<64, 64, 64, 2, 2, 3>;

MATMUL_FORMS(tall, Tall, 1, true)
MATMUL_FORMS(square, Square, 2, true)
MATMUL_FORMS(small, Small, 4, true)
MATMUL_FORMS(any, Small, 2, false)

MATMUL_LOGITS(tall, Tall, 1)
MATMUL_LOGITS(square, Square, 2)
MATMUL_LOGITS(small, Small, 4)

// gridDim: columns / 1024, M.
KERNEL(256, 1, matmul_combine_bf16)
(const float* __restrict__ workspace, void* __restrict__ c, const bf16* __restrict__ bias, int M, int N, int parts, int64_t workspaceStride,
 int64_t partStride, int64_t strideC, int flags) {
  combine_parts<bf16>(workspace, {c, bias, strideC, M, N, (flags & FlagAccumulate) != 0}, parts, workspaceStride, partStride, flags);
}
