// The bf16 matrix product as a kernel: a block's tile from its place in the grid to C. kernels/matmul.cu chooses the tiles.
#pragma once

#include "matmul_epilogue.cuh"
#include "matmul_tile.cuh"
#include "row_sums.cuh"

// The warps' scratch rows lie in the ring of stages, which the main loop has left.
template <typename Config, typename Out>
DEVICE void store_tile(const MatmulOutput<bf16>& out, const float (&sums)[Config::BlocksM][Config::BlocksN * 2][4], int row, int column) {
  constexpr int ScratchBytes = SumsWriter<Config::WarpN, Out, bf16>::ScratchBytes;
  static_assert(Config::Threads / WarpSize * ScratchBytes <= Config::SharedBytes, "every warp has its scratch rows");
  store_sums<Config::WarpN, 16, Out>(out, sums, row, column, shared_address(dynamicShared) + warp_id() * ScratchBytes);
}

// `rows` sees the sums first: NoRowSums or RowSums.
template <typename Config, int Form, bool Aligned, typename Rows>
DEVICE void matmul(const bf16* a, const bf16* b, void* c, const bf16* bias, int M, int N, int K, int64_t strideA, int64_t strideB,
                   int64_t strideC, int flags, int kPerPart, int64_t partStride, const Rows& rows) {
  TilePlace place(static_cast<int>(blockIdx.x), (M + Config::BlockM - 1) / Config::BlockM, (N + Config::BlockN - 1) / Config::BlockN);
  int part = static_cast<int>(blockIdx.y), kBegin = part * kPerPart, kEnd = K - kBegin < kPerPart ? K : kBegin + kPerPart;
  int m0 = place.m * Config::BlockM, n0 = place.n * Config::BlockN;
  MatmulTile<Config, Form, Aligned> tile;
  tile.run(a, strideA, b, strideB, m0, n0, M, N, kBegin, kEnd);
  MatmulOutput<bf16> out{c, bias, strideC, M, N, (flags & FlagAccumulate) != 0};
  int row = m0 + tile.warp_m() * Config::WarpM, column = n0 + tile.warp_n() * Config::WarpN;
  rows.template take<bf16, 16>(tile.sums, row, column, M, N);
  if constexpr (!Rows::NeedsC) {
    if (c == nullptr) return;
  }
  if (flags & FlagFloat) {
    out.c = static_cast<float*>(c) + part * partStride;
    store_tile<Config, float>(out, tile.sums, row, column);
  } else {
    store_tile<Config, bf16>(out, tile.sums, row, column);
  }
}

// a, b: as the form says; c: (M, N); bias: (N) or null; strides in elements. gridDim.x tiles, gridDim.y parts of kPerPart
// values of K, part p writing floats at c + p * partStride.
#define MATMUL(name, Config, minBlocks, form, aligned)                                                                         \
  KERNEL(Config::Threads, minBlocks, name)                                                                                     \
  (const bf16* __restrict__ a, const bf16* __restrict__ b, void* __restrict__ c, const bf16* __restrict__ bias, int M, int N,  \
   int K, int64_t strideA, int64_t strideB, int64_t strideC, int64_t partStride, int kPerPart, int flags) {                    \
    matmul<Config, form, aligned>(a, b, c, bias, M, N, K, strideA, strideB, strideC, flags, kPerPart, partStride, NoRowSums{}); \
  }

// Logits (M, N) = A (M, K) B (N, K)^T and the sums of their rows. c: null where the sums are enough.
#define MATMUL_LOGITS(variant, Config, minBlocks)                                                                               \
  KERNEL(Config::Threads, minBlocks, matmul_logits_##variant##_bf16)                                                           \
  (const bf16* __restrict__ a, const bf16* __restrict__ b, bf16* __restrict__ c, int M, int N, int K, int64_t strideA,         \
   int64_t strideB, int64_t strideC, RowSums sums) {                                                                           \
    matmul<Config, FormNT, true>(a, b, c, nullptr, M, N, K, strideA, strideB, strideC, 0, K, 0, sums);                         \
  }

#define MATMUL_FORMS(variant, Config, minBlocks, aligned)                           \
  MATMUL(matmul_nn_##variant##_bf16, Config, minBlocks, FormNN, aligned)            \
  MATMUL(matmul_nt_##variant##_bf16, Config, minBlocks, FormNT, aligned)            \
  MATMUL(matmul_tn_##variant##_bf16, Config, minBlocks, FormTN, aligned)
