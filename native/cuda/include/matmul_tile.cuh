// One block's tile of C = op(A) op(B) with bf16 operands and fp32 sums: the main loop that the matrix products share.
//
// A block of WarpsM x WarpsN warps computes BlockM x BlockN values of C, each warp a rectangle of it. Tiles of A and B,
// BlockK deep, travel through a ring of `Stages` buffers in shared memory (cp.async), one barrier a tile; fragments of the
// next 16 of K are read while the tensor cores work on the current ones. The order of every sum is fixed by the shape.
//
// Registers: 64 x 64 values a warp are 128 sums a thread, and a thread has 255. Fragments of A have one set, of B two: 48. Whatever else
// the loop needs is few values that walk or are made anew from few, which the compiler must be kept from spreading out again
// (pin_register, thread_again): docs/kernels/matmul-cuda.md, "Static figures".
#pragma once

#include "matmul_grid.cuh"
#include "operand_tile.cuh"

template <int BlockM_, int BlockN_, int BlockK_, int WarpsM, int WarpsN, int Stages_>
struct MatmulConfig {
  static constexpr int BlockM = BlockM_, BlockN = BlockN_, BlockK = BlockK_, Stages = Stages_;
  static constexpr int Threads = WarpsM * WarpsN * WarpSize;
  static constexpr int WarpM = BlockM / WarpsM, WarpN = BlockN / WarpsN;
  static constexpr int BlocksM = WarpM / 16, BlocksN = WarpN / 16, Steps = BlockK / 16;
  static constexpr int StageBytes = (BlockM + BlockN) * BlockK * 2;
  static constexpr int SharedBytes = Stages * StageBytes;
  static_assert(Steps % 2 == 0, "fragments of B are read one step ahead, within a tile and into the next, in two sets that take turns");
};

template <typename Config, int Form, bool Aligned>
struct MatmulTile {
  using TileA = OperandTile<Form != FormTN, Config::BlockM, Config::BlockK, Config::Threads>;
  using TileB = OperandTile<Form == FormNT, Config::BlockN, Config::BlockK, Config::Threads>;
  using CopierA = OperandCopier<TileA, Config::BlockK, Aligned>;
  using CopierB = OperandCopier<TileB, Config::BlockK, Aligned>;
  using ReaderA = FragmentReader<TileA, true>;
  using ReaderB = FragmentReader<TileB, false>;

  // This warp's sums: 16 x 8 blocks in the layout of mma's D.
  float sums[Config::BlocksM][Config::BlocksN * 2][4] = {};

  // Sums over kBegin to kEnd for the tile at (m0, n0). All threads take part; on return shared memory is free again.
  DEVICE void run(const bf16* a, int64_t strideA, const bf16* b, int64_t strideB, int m0, int n0, int M, int N, int kBegin, int kEnd) {
    uint32_t shared = shared_address(dynamicShared);
    uint32_t thread = thread_again();
    int lane = static_cast<int>(thread % WarpSize), warp = static_cast<int>(thread / WarpSize);
    CopierA copierA(a, strideA, m0, M, kBegin, kEnd, shared, thread);
    CopierB copierB(b, strideB, n0, N, kBegin, kEnd, shared + TileA::Bytes, thread);
    ReaderA readerA(warp_m(warp) * Config::WarpM, shared, lane);
    ReaderB readerB(warp_n(warp) * Config::WarpN, shared + TileA::Bytes, lane);
    int left = (kEnd - kBegin + Config::BlockK - 1) / Config::BlockK;  // tiles to come, the current one counted

    UNROLL for (int stage = 0; stage < Config::Stages - 1; ++stage) {
      if (stage < left) copy(copierA, copierB, stage * Config::StageBytes);
      close_copy();
    }
    await_copy();
    block_sync();

    uint32_t fragmentsA[Config::BlocksM][4], fragmentsB[2][Config::BlocksN][4];
    uint32_t stage = 0;  // bytes from the ring's first
    uint32_t atA = readerA.base, atB = readerB.base;
    if (left > 0) {
      UNROLL for (int i = 0; i < Config::BlocksM; ++i) ReaderA::load(fragmentsA[i], atA, i, 0);
      UNROLL for (int j = 0; j < Config::BlocksN; ++j) ReaderB::load(fragmentsB[0][j], atB, j, 0);
    }
    NO_UNROLL for (; left > 0; --left) {
      // All have left the stage before this one.
      if (left > Config::Stages - 1) copy(copierA, copierB, (stage == 0 ? Config::SharedBytes : stage) - Config::StageBytes);
      close_copy();
      // Lanes at an edge take other ways through copies value by value; ldmatrix and the products need all of them.
      if constexpr (!Aligned) warp_sync();
      UNROLL for (int step = 0; step < Config::Steps; ++step) {
        if (step == Config::Steps - 1) {
          // The next tile has landed for this thread, then for all; and all have read the last of the current one.
          await_copy();
          block_sync();
          // Where none is next, fragments of this one are read again, for nothing.
          if (left > 1) stage = stage == Config::SharedBytes - Config::StageBytes ? 0 : stage + Config::StageBytes;
          atA = readerA.base + stage;
          atB = readerB.base + stage;
        }
        multiply(fragmentsA, fragmentsB[step & 1], fragmentsB[(step + 1) & 1], atA, atB, (step + 1) % Config::Steps);
      }
    }
    block_sync();
  }

  static DEVICE int warp_m(int warp = warp_id()) { return warp % (Config::BlockM / Config::WarpM); }
  static DEVICE int warp_n(int warp = warp_id()) { return warp / (Config::BlockM / Config::WarpM); }

 private:
  static DEVICE void copy(CopierA& copierA, CopierB& copierB, uint32_t stage) {
    copierA.copy(stage);
    copierB.copy(stage);
  }

  // Of a stage, whether it was copied or there was none. Values that were gathered one by one need no waiting for.
  static DEVICE void close_copy() {
    if constexpr (Aligned) copy_async_commit();
  }

  static DEVICE void await_copy() {
    if constexpr (Aligned) copy_async_wait<Config::Stages - 2>();
  }

  // Products of one step row by row; fragments of the next are read as soon as nothing needs those in their place, which leaves
  // most of a step's products to wait behind.
  DEVICE void multiply(uint32_t (&a)[Config::BlocksM][4], const uint32_t (&b)[Config::BlocksN][4], uint32_t (&nextB)[Config::BlocksN][4],
                       uint32_t nextAtA, uint32_t nextAtB, int nextStep) {
    UNROLL for (int i = 0; i < Config::BlocksM; ++i) {
      UNROLL for (int j = i * Config::BlocksN / Config::BlocksM; j < (i + 1) * Config::BlocksN / Config::BlocksM; ++j)
        ReaderB::load(nextB[j], nextAtB, j, nextStep);
      UNROLL for (int j = 0; j < Config::BlocksN; ++j) {
        mma_bf16(sums[i][2 * j], a[i], b[j][0], b[j][1]);
        mma_bf16(sums[i][2 * j + 1], a[i], b[j][2], b[j][3]);
      }
      ReaderA::load(a[i], nextAtA, i, nextStep);
    }
  }
};
