// The bf16 matrix product of sm_90a: warpgroup matrix products (wgmma) fed by the tensor memory accelerator. kernels/sm90/matmul.cu
// and bench/gpu-kernels choose the tiles.
//
// A block stays on its multiprocessor and walks through tiles of C. One warp, the producer, starts copies into a ring of
// stages, as far ahead as there is room, across tiles too; two warpgroups, the consumers, multiply 64 rows each and write
// them out while the producer already fills the ring for the next tile. A stage passes between them by two barriers:
// `full` counts the copies' bytes, `empty` the consumers' warps.
//
// Tiles lie in shared memory as the TMA swizzles them (128 bytes), in boxes 64 values wide. Where K is contiguous a box is
// 64 of K by all rows; where the rows (or columns of B) are contiguous it is 64 of them by the tile's K, one box after
// another. Values outside the operands arrive as zeros.
//
// A tile may also be worked on in clusters of two blocks, one above the other: each copies half of the columns of B that both
// need to both, a third less to read from the L2 cache. And consumers may take turns: each has every other tile to itself, so that
// one writes while the other multiplies.
#pragma once

#include "device_sm90.cuh"
#include "matmul_epilogue.cuh"
#include "matmul_grid.cuh"
#include "row_sums.cuh"

template <int BlockN_, int Stages_, int Cluster_, bool Turns_>
struct WarpGroupConfig {
  static constexpr int Cluster = Cluster_;  // blocks that share columns of B
  static constexpr bool Turns = Turns_;     // each consumer has tiles of its own, every other one
  static constexpr int BlockM = 128, BlockN = BlockN_, BlockK = 64, Stages = Stages_;
  static constexpr int Consumers = 2;
  static constexpr int BlocksM = Turns ? 2 : 1;  // runs of 64 rows a consumer
  static constexpr int Readers = (Turns ? 1 : Consumers) * 4;  // warps that read a stage
  static constexpr int Threads = (Consumers + 1) * WarpGroupSize;
  static constexpr int BytesA = BlockM * BlockK * 2, BytesB = BlockN * BlockK * 2, StageBytes = BytesA + BytesB;
  static constexpr int StoreColumns = 32;
  static constexpr int ScratchBytes = SumsWriter<StoreColumns, float, bf16>::ScratchBytes;
  static constexpr int ScratchBegin = Stages * StageBytes;
  static constexpr int BarrierBegin = ScratchBegin + Consumers * 4 * ScratchBytes;
  static constexpr int SharedBytes = BarrierBegin + Stages * 16;
};

// The tiles and parts of K that one cluster works through, in order. Clusters take runs of `Cluster` tiles of C, one above the
// other, one a block.
template <int Cluster>
struct WorkList {
  int runsM, tilesN, parts, K, kPerPart, rank;

  DEVICE WorkList(int tilesM, int tilesN_, int parts_, int K_, int kPerPart_)
      : runsM((tilesM + Cluster - 1) / Cluster), tilesN(tilesN_), parts(parts_), K(K_), kPerPart(kPerPart_), rank(0) {
    if constexpr (Cluster > 1) rank = cluster_rank();
  }

  DEVICE int first() const { return static_cast<int>(blockIdx.x) / Cluster; }
  DEVICE int step() const { return static_cast<int>(gridDim.x) / Cluster; }
  DEVICE int count() const { return runsM * tilesN * parts; }
  DEVICE int part(int item) const { return item / (runsM * tilesN); }
  DEVICE TilePlace place(int item) const {
    TilePlace place(item % (runsM * tilesN), runsM, tilesN);
    place.m = place.m * Cluster + rank;
    return place;
  }
  DEVICE int k_begin(int item) const { return part(item) * kPerPart; }
  DEVICE int k_end(int item) const { return K - k_begin(item) < kPerPart ? K : k_begin(item) + kPerPart; }
};

// Which stage of the ring comes next, and the parity of its barriers' current phase.
template <int Stages>
struct RingPosition {
  int stage = 0, parity = 0;

  DEVICE void advance() {
    if (++stage == Stages) {
      stage = 0;
      parity ^= 1;
    }
  }

  DEVICE void skip(int stages) {
    stage += stages;
    parity ^= stage / Stages & 1;
    stage %= Stages;
  }
};

// One operand's tile in shared memory.
template <bool KContiguous, int Outer, int BlockK>
struct SwizzledTile {
  static constexpr int BoxBytes = 64 * BlockK * 2;

  static DEVICE void copy(uint32_t to, const TensorMap* map, int outer, int k, uint32_t full) {
    if constexpr (KContiguous) {
      copy_box(to, map, k, outer, full);
    } else {
      UNROLL for (int box = 0; box < Outer / 64; ++box) copy_box(to + box * BoxBytes, map, outer + box * 64, k, full);
    }
  }

  // One of `Shares` equal shares of the tile, to all blocks of the cluster.
  template <int Shares>
  static DEVICE void copy_share(uint32_t to, const TensorMap* map, int outer, int k, uint32_t full, int share) {
    constexpr uint16_t Blocks = (1 << Shares) - 1;
    constexpr int Rows = Outer / Shares;
    if constexpr (KContiguous) {
      copy_box_to_cluster(to + share * Rows * 128, map, k, outer + share * Rows, full, Blocks);
    } else {
      UNROLL for (int box = 0; box < Rows / 64; ++box) {
        int at = share * (Rows / 64) + box;
        copy_box_to_cluster(to + at * BoxBytes, map, outer + at * 64, k, full, Blocks);
      }
    }
  }

  // The rows (or columns) from `outer` on, 16 of K from 16 * step on.
  static DEVICE uint64_t descriptor(uint32_t tile, int outer, int step) {
    constexpr int AtomBytes = 8 * 128;
    if constexpr (KContiguous) return matrix_descriptor(tile + outer * 128 + step * 32, 16, AtomBytes);
    return matrix_descriptor(tile + outer / 64 * BoxBytes + step * 2 * AtomBytes, BoxBytes, AtomBytes);
  }
};

template <typename Config, int Form>
struct WarpGroupMatmul {
  static constexpr bool KContiguousA = Form != FormTN, KContiguousB = Form == FormNT;
  using TileA = SwizzledTile<KContiguousA, Config::BlockM, Config::BlockK>;
  using TileB = SwizzledTile<KContiguousB, Config::BlockN, Config::BlockK>;

  uint32_t shared = shared_address(dynamicShared);

  DEVICE uint32_t stage_a(int stage) const { return shared + stage * Config::StageBytes; }
  DEVICE uint32_t stage_b(int stage) const { return stage_a(stage) + Config::BytesA; }
  DEVICE uint32_t full(int stage) const { return shared + Config::BarrierBegin + stage * 16; }
  DEVICE uint32_t empty(int stage) const { return full(stage) + 8; }

  DEVICE void init_barriers() const {
    if (threadIdx.x == 0) {
      for (int stage = 0; stage < Config::Stages; ++stage) {
        barrier_init(full(stage), 1);
        barrier_init(empty(stage), Config::Cluster * Config::Readers);
      }
      barrier_init_fence();
    }
    if constexpr (Config::Cluster > 1) {
      cluster_sync();
    } else {
      block_sync();
    }
  }

  // A warp has read a stage: tells the producers of all blocks that write to it.
  DEVICE void release(int stage) const {
    if (lane_id() != 0) return;
    if constexpr (Config::Cluster > 1) {
      UNROLL for (int block = 0; block < Config::Cluster; ++block) barrier_arrive_at(empty(stage), block);
    } else {
      barrier_arrive(empty(stage));
    }
  }

  // One thread starts all copies of the block.
  DEVICE void produce(const TensorMap* a, const TensorMap* b, const WorkList<Config::Cluster>& work) const {
    RingPosition<Config::Stages> ring;
    for (int item = work.first(); item < work.count(); item += work.step()) {
      TilePlace place = work.place(item);
      for (int k = work.k_begin(item); k < work.k_end(item); k += Config::BlockK) {
        barrier_wait(empty(ring.stage), ring.parity ^ 1);
        barrier_arrive_expect(full(ring.stage), Config::StageBytes);
        TileA::copy(stage_a(ring.stage), a, place.m * Config::BlockM, k, full(ring.stage));
        if constexpr (Config::Cluster > 1) {
          TileB::template copy_share<Config::Cluster>(stage_b(ring.stage), b, place.n * Config::BlockN, k, full(ring.stage), work.rank);
        } else {
          TileB::copy(stage_b(ring.stage), b, place.n * Config::BlockN, k, full(ring.stage));
        }
        ring.advance();
      }
    }
  }

  template <typename Rows>
  DEVICE void consume(const MatmulOutput<bf16>& product, const WorkList<Config::Cluster>& work, int flags, int64_t partStride, const Rows& rows) const {
    int warp = warp_id() - 4, group = warp / 4, turn = 0;
    uint32_t scratch = shared + Config::ScratchBegin + warp * Config::ScratchBytes;
    RingPosition<Config::Stages> ring;
    float sums[Config::BlocksM][Config::BlockN / 8][4];
    for (int item = work.first(); item < work.count(); item += work.step(), turn ^= 1) {
      if (Config::Turns && turn != group) {
        ring.skip((work.k_end(item) - work.k_begin(item) + Config::BlockK - 1) / Config::BlockK);
        continue;
      }
      multiply(sums, ring, Config::Turns ? 0 : group * 64, work.k_begin(item), work.k_end(item));
      TilePlace place = work.place(item);
      MatmulOutput<bf16> out = product;
      int row = place.m * Config::BlockM + (Config::Turns ? 0 : group * 64) + warp % 4 * 16, column = place.n * Config::BlockN;
      rows.template take<bf16, 64>(sums, row, column, out.M, out.N);
      if (!Rows::NeedsC && out.c == nullptr) continue;
      if (flags & FlagFloat) {
        out.c = static_cast<float*>(product.c) + work.part(item) * partStride;
        store_sums<Config::StoreColumns, 64, float>(out, sums, row, column, scratch);
      } else {
        store_sums<Config::StoreColumns, 64, bf16>(out, sums, row, column, scratch);
      }
    }
  }

 private:
  // Sums of this consumer's rows of a tile, from `outer` on.
  DEVICE void multiply(float (&sums)[Config::BlocksM][Config::BlockN / 8][4], RingPosition<Config::Stages>& ring, int outer, int kBegin,
                       int kEnd) const {
    int previous = -1;
    UNROLL for (int i = 0; i < Config::BlocksM; ++i) {
      UNROLL for (int j = 0; j < Config::BlockN / 8; ++j) {
        UNROLL for (int e = 0; e < 4; ++e) sums[i][j][e] = 0.f;
      }
    }
    NO_UNROLL for (int k = kBegin; k < kEnd; k += Config::BlockK) {
      barrier_wait(full(ring.stage), ring.parity);
      pin(sums);
      wgmma_fence();
      UNROLL for (int step = 0; step < Config::BlockK / 16; ++step) {
        uint64_t b = TileB::descriptor(stage_b(ring.stage), 0, step);
        UNROLL for (int i = 0; i < Config::BlocksM; ++i) {
          uint64_t a = TileA::descriptor(stage_a(ring.stage), outer + i * 64, step);
          wgmma<KContiguousA ? 0 : 1, KContiguousB ? 0 : 1>(sums[i], a, b);
        }
      }
      wgmma_commit();
      pin(sums);
      // The products of the stage before are done: it may be filled again.
      wgmma_wait<1>();
      if (previous >= 0) release(previous);
      previous = ring.stage;
      ring.advance();
    }
    wgmma_wait<0>();
    pin(sums);
    if (previous >= 0) release(previous);
  }

  // Keeps the compiler from moving reads or writes of the sums across: the products run on while it thinks them done.
  static DEVICE void pin(float (&sums)[Config::BlocksM][Config::BlockN / 8][4]) {
    UNROLL for (int i = 0; i < Config::BlocksM; ++i) {
      UNROLL for (int j = 0; j < Config::BlockN / 8; ++j) {
        UNROLL for (int e = 0; e < 4; ++e) pin_register(sums[i][j][e]);
      }
    }
  }
};

// `rows` sees the sums before they go to C: NoRowSums or RowSums.
template <typename Config, int Form, typename Rows>
DEVICE void matmul_warpgroup(const TensorMap* a, const TensorMap* b, void* c, const bf16* bias, int M, int N, int K, int64_t strideC,
                             int64_t partStride, int kPerPart, int parts, int flags, const Rows& rows) {
  WarpGroupMatmul<Config, Form> matmul;
  WorkList<Config::Cluster> work((M + Config::BlockM - 1) / Config::BlockM, (N + Config::BlockN - 1) / Config::BlockN, parts, K, kPerPart);
  matmul.init_barriers();
  // The launch gives every thread 168 registers; the producer's go to the consumers.
  if (warp_id() < 4) {
    registers_decrease<40>();
    if (threadIdx.x == 0) matmul.produce(a, b, work);
  } else {
    registers_increase<232>();
    MatmulOutput<bf16> out{c, bias, strideC, M, N, (flags & FlagAccumulate) != 0};
    matmul.consume(out, work, flags, partStride, rows);
  }
  // A block's shared memory must last until the others have copied to it and arrived at its barriers for the last time.
  if constexpr (Config::Cluster > 1) cluster_sync();
}

// a, b: maps of the operands as they lie in memory, boxes as the variants say; the rest as in kernels/matmul.cu. gridDim.x
// blocks, at most one a multiprocessor, share the tiles of all parts, in clusters of Config::Cluster.
#define MATMUL(name, Config, form)                                                                                              \
  KERNEL(Config::Threads, 1, name)                                                                                              \
  (const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, void* __restrict__ c, const bf16* __restrict__ bias, \
   int M, int N, int K, int64_t strideC, int64_t partStride, int kPerPart, int parts, int flags) {                              \
    matmul_warpgroup<Config, form>(&a, &b, c, bias, M, N, K, strideC, partStride, kPerPart, parts, flags, NoRowSums{});         \
  }

// Logits (M, N) = A (M, K) B (N, K)^T and the sums of their rows. c: null where the sums are enough.
#define MATMUL_LOGITS(variant, Config)                                                                                          \
  KERNEL(Config::Threads, 1, matmul_logits_warpgroup_##variant##_bf16)                                                          \
  (const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, bf16* __restrict__ c, int M, int N, int K,         \
   int64_t strideC, RowSums sums) {                                                                                             \
    matmul_warpgroup<Config, FormNT>(&a, &b, c, nullptr, M, N, K, strideC, 0, K, 1, 0, sums);                                   \
  }

#define MATMUL_FORMS(variant, Config)                                \
  MATMUL(matmul_nn_warpgroup_##variant##_bf16, Config, FormNN)       \
  MATMUL(matmul_nt_warpgroup_##variant##_bf16, Config, FormNT)       \
  MATMUL(matmul_tn_warpgroup_##variant##_bf16, Config, FormTN)
