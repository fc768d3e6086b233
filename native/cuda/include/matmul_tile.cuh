// One block's tile of C = op(A) op(B) with bf16 operands and fp32 sums: the main loop that the matrix products share.
//
// A block of WarpsM x WarpsN warps computes BlockM x BlockN values of C, each warp a rectangle of it. Tiles of A and B,
// BlockK deep, travel through a ring of `Stages` buffers in shared memory (cp.async), one barrier a tile; fragments of the
// next 16 of K are read while the tensor cores work on the current ones. The order of every sum is fixed by the shape.
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
  static_assert(Steps >= 2, "fragments are read one step ahead, within a tile and into the next");
};

template <typename Config, int Form, bool Aligned>
struct MatmulTile {
  using TileA = OperandTile<Form != FormTN, Config::BlockM, Config::BlockK, Config::Threads>;
  using TileB = OperandTile<Form == FormNT, Config::BlockN, Config::BlockK, Config::Threads>;
  using CopierA = OperandCopier<TileA, Config::BlockK, Aligned>;
  using CopierB = OperandCopier<TileB, Config::BlockK, Aligned>;

  // This warp's sums: 16 x 8 blocks in the layout of mma's D.
  float sums[Config::BlocksM][Config::BlocksN * 2][4] = {};

  // Sums over kBegin to kEnd for the tile at (m0, n0). All threads take part; on return shared memory is free again.
  DEVICE void run(const bf16* a, int64_t strideA, const bf16* b, int64_t strideB, int m0, int n0, int M, int N, int kBegin, int kEnd) {
    CopierA copierA(a, strideA, m0, M, kBegin, kEnd);
    CopierB copierB(b, strideB, n0, N, kBegin, kEnd);
    FragmentReader<TileA, true> readerA(warp_m() * Config::WarpM);
    FragmentReader<TileB, false> readerB(warp_n() * Config::WarpN);
    int tiles = (kEnd - kBegin + Config::BlockK - 1) / Config::BlockK;
    uint32_t shared = shared_address(dynamicShared);

    UNROLL for (int stage = 0; stage < Config::Stages - 1; ++stage) {
      if (stage < tiles) copy(copierA, copierB, shared + stage * Config::StageBytes);
      copy_async_commit();
    }
    copy_async_wait<Config::Stages - 2>();
    block_sync();

    uint32_t fragmentsA[2][Config::BlocksM][4], fragmentsB[2][Config::BlocksN][4];
    uint32_t readStage = shared, writeStage = shared + (Config::Stages - 1) * Config::StageBytes;
    uint32_t end = shared + Config::SharedBytes;
    if (tiles > 0) read(fragmentsA[0], fragmentsB[0], readerA, readerB, readStage, 0);
    NO_UNROLL for (int tile = 0; tile < tiles; ++tile) {
      UNROLL for (int step = 0; step < Config::Steps; ++step) {
        if (step == Config::Steps - 1) {
          // The next tile has landed for this thread, then for all; and all have read the last of the current one.
          copy_async_wait<Config::Stages - 2>();
          block_sync();
          readStage = next(readStage, shared, end);
        }
        if (step < Config::Steps - 1 || tile + 1 < tiles)
          read(fragmentsA[(step + 1) & 1], fragmentsB[(step + 1) & 1], readerA, readerB, readStage, (step + 1) % Config::Steps);
        if (step == 0) {
          if (tile + Config::Stages - 1 < tiles) copy(copierA, copierB, writeStage);
          copy_async_commit();
          writeStage = next(writeStage, shared, end);
        }
        multiply(fragmentsA[step & 1], fragmentsB[step & 1]);
      }
    }
    block_sync();
  }

  static DEVICE int warp_m() { return warp_id() % (Config::BlockM / Config::WarpM); }
  static DEVICE int warp_n() { return warp_id() / (Config::BlockM / Config::WarpM); }

 private:
  static DEVICE uint32_t next(uint32_t stage, uint32_t begin, uint32_t end) {
    stage += Config::StageBytes;
    return stage == end ? begin : stage;
  }

  static DEVICE void copy(CopierA& copierA, CopierB& copierB, uint32_t stage) {
    copierA.copy(stage);
    copierB.copy(stage + TileA::Bytes);
  }

  static DEVICE void read(uint32_t (&a)[Config::BlocksM][4], uint32_t (&b)[Config::BlocksN][4], const FragmentReader<TileA, true>& readerA,
                          const FragmentReader<TileB, false>& readerB, uint32_t stage, int step) {
    UNROLL for (int i = 0; i < Config::BlocksM; ++i) readerA.load(a[i], stage, i, step);
    UNROLL for (int j = 0; j < Config::BlocksN; ++j) readerB.load(b[j], stage + TileA::Bytes, j, step);
  }

  DEVICE void multiply(const uint32_t (&a)[Config::BlocksM][4], const uint32_t (&b)[Config::BlocksN][4]) {
    UNROLL for (int i = 0; i < Config::BlocksM; ++i) {
      UNROLL for (int j = 0; j < Config::BlocksN; ++j) {
        mma_bf16(sums[i][2 * j], a[i], b[j][0], b[j][1]);
        mma_bf16(sums[i][2 * j + 1], a[i], b[j][2], b[j][3]);
      }
    }
  }
};
