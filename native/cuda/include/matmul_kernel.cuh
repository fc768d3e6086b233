// The bf16 matrix product as a kernel: a block's tile from its place in the grid to C. kernels/matmul.cu chooses the tiles.
#pragma once

#include "matmul_epilogue.cuh"
#include "matmul_tile.cuh"

// The warps' scratch rows lie in the ring of stages, which the main loop has left.
template <typename Config, typename Out>
DEVICE void store_tile(const MatmulOutput<bf16>& out, const float (&sums)[Config::BlocksM][Config::BlocksN * 2][4], int row, int column) {
  using Writer = SumsWriter<Config::WarpN, Out, bf16>;
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
  MatmulOutput<bf16> out{c, bias, strideC, M, N, (flags & FlagAccumulate) != 0};
  int row = m0 + tile.warp_m() * Config::WarpM, column = n0 + tile.warp_n() * Config::WarpN;
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
    matmul<Config, form, aligned>(a, b, c, bias, M, N, K, strideA, strideB, strideC, flags, kPerPart, partStride);             \
  }

#define MATMUL_FORMS(variant, Config, minBlocks, aligned)                           \
  MATMUL(matmul_nn_##variant##_bf16, Config, minBlocks, FormNN, aligned)            \
  MATMUL(matmul_nt_##variant##_bf16, Config, minBlocks, FormNT, aligned)            \
  MATMUL(matmul_tn_##variant##_bf16, Config, minBlocks, FormTN, aligned)
