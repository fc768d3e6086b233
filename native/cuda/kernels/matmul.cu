// Family matmul, bf16: C (M, N) = op(A) op(B), or C += it, plus a row of bias. Sums in fp32, C in bf16 or fp32.
//
// NN: A (M, K) B (K, N).  NT: A (M, K) B (N, K)^T.  TN: A (K, M)^T B (K, N).  Row strides are free; sizes too.
//
// Variants, each in the three forms:
//   wide    128 x 256 tile, 8 warps of 64 x 64: most work per byte of shared memory; for large products.
//   square  128 x 128 tile, 4 warps of 64 x 64, two blocks a multiprocessor; for products with fewer tiles.
//   small   64 x 64 tile, 4 warps of 32 x 32: for products that would leave most multiprocessors idle.
//   any     the small tile, values gathered one by one: for rows that do not start at multiples of 16 bytes.
// Where M N has too few tiles for the device, K is split: every part writes its sums to a workspace (gridDim.y parts) and
// matmul_combine adds the parts in order. The number of parts is a function of shape and device, so repeats give the same bits.
#include "matmul_epilogue.cuh"
#include "matmul_tile.cuh"

// The warps' scratch rows lie in the ring of stages, which the main loop has left.
template <typename Config, typename Out>
DEVICE void store_tile(const MatmulOutput& out, const float (&sums)[Config::BlocksM][Config::BlocksN * 2][4], int row, int column) {
  using Writer = SumsWriter<Config::WarpN, Out>;
  static_assert(Config::Threads / WarpSize * Writer::ScratchBytes <= Config::SharedBytes, "every warp has its scratch rows");
  Writer writer(out, shared_address(dynamicShared) + warp_id() * Writer::ScratchBytes);
  UNROLL for (int i = 0; i < Config::BlocksM; ++i) writer.store(sums[i], row + i * 16, column);
}

template <typename Config, int Form, bool Aligned>
DEVICE void matmul(const bf16* a, const bf16* b, void* c, const bf16* bias, int M, int N, int K, int64_t strideA, int64_t strideB,
                   int64_t strideC, int flags, int kPerPart, int64_t partStride) {
  TilePlace place(static_cast<int>(blockIdx.x), (M + Config::BlockM - 1) / Config::BlockM, (N + Config::BlockN - 1) / Config::BlockN);
  int part = static_cast<int>(blockIdx.y), kBegin = part * kPerPart, kEnd = K - kBegin < kPerPart ? K : kBegin + kPerPart;
  int m0 = place.m * Config::BlockM, n0 = place.n * Config::BlockN;
  MatmulTile<Config, Form, Aligned> tile;
  tile.run(a, strideA, b, strideB, m0, n0, M, N, kBegin, kEnd);
  MatmulOutput out{c, bias, strideC, M, N, (flags & FlagAccumulate) != 0};
  int row = m0 + tile.warp_m() * Config::WarpM, column = n0 + tile.warp_n() * Config::WarpN;
  if (flags & FlagFloat) {
    out.c = static_cast<float*>(c) + part * partStride;
    store_tile<Config, float>(out, tile.sums, row, column);
  } else {
    store_tile<Config, bf16>(out, tile.sums, row, column);
  }
}

using Wide = MatmulConfig<128, 256, 32, 2, 4, 4>;
using Square = MatmulConfig<128, 128, 32, 2, 2, 4>;
using Small = MatmulConfig<64, 64, 64, 2, 2, 3>;

// a, b: as the form says; c: (M, N); bias: (N) or null; strides in elements. gridDim.x tiles, gridDim.y parts of kPerPart
// values of K, part p writing floats at c + p * partStride.
#define MATMUL(name, Config, minBlocks, form, aligned)                                                                         \
  KERNEL(Config::Threads, minBlocks, name)                                                                                     \
  (const bf16* __restrict__ a, const bf16* __restrict__ b, void* __restrict__ c, const bf16* __restrict__ bias, int M, int N,  \
   int K, int64_t strideA, int64_t strideB, int64_t strideC, int64_t partStride, int kPerPart, int flags) {                    \
    matmul<Config, form, aligned>(a, b, c, bias, M, N, K, strideA, strideB, strideC, flags, kPerPart, partStride);             \
  }

#define MATMUL_FORMS(variant, Config, minBlocks, aligned)                           \
  MATMUL(matmul_nn_##variant##_bf16, Config, minBlocks, FormNN, aligned)            \
  MATMUL(matmul_nt_##variant##_bf16, Config, minBlocks, FormNT, aligned)            \
  MATMUL(matmul_tn_##variant##_bf16, Config, minBlocks, FormTN, aligned)

#ifndef MATMUL_VARIANTS
#define MATMUL_VARIANTS
MATMUL_FORMS(wide, Wide, 1, true)
MATMUL_FORMS(square, Square, 2, true)
MATMUL_FORMS(small, Small, 4, true)
MATMUL_FORMS(any, Small, 2, false)
#endif

// C = or += the sum of `parts` matrices of a workspace, in order, plus bias. One thread for four columns.
KERNEL(256, 1, matmul_combine)
(const float* __restrict__ workspace, void* __restrict__ c, const bf16* __restrict__ bias, int M, int N, int parts, int64_t workspaceStride,
 int64_t partStride, int64_t strideC, int flags) {
  int column = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * 4, row = static_cast<int>(blockIdx.y);
  if (column >= N) return;
  // The workspace's rows are padded to multiples of four floats.
  const float* from = workspace + row * workspaceStride + column;
  float values[4];
  unpack(load_readonly16(from), values);
  for (int part = 1; part < parts; ++part) {
    float more[4];
    unpack(load_readonly16(from + part * partStride), more);
    UNROLL for (int i = 0; i < 4; ++i) values[i] += more[i];
  }
  MatmulOutput out{c, bias, strideC, M, N, (flags & FlagAccumulate) != 0};
  UNROLL for (int i = 0; i < 4; ++i) {
    if (column + i >= N) break;
    if (flags & FlagFloat) {
      store_element<float>(out, row, column + i, values[i]);
    } else {
      store_element<bf16>(out, row, column + i, values[i]);
    }
  }
}
