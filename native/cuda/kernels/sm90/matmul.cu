// Family matmul, bf16, for sm_90a: the same products as kernels/matmul.cu, on warpgroup matrix products (wgmma) fed by the
// tensor memory accelerator. A module of its own: the engine uses it only where it agrees with kernels/matmul.cu.
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
// Variants: wide (128 x 256 tile, 4 stages), square (128 x 128, 6 stages).
#include "device_sm90.cuh"
#include "matmul_epilogue.cuh"
#include "matmul_grid.cuh"

template <int BlockN_, int Stages_>
struct WarpGroupConfig {
  static constexpr int BlockM = 128, BlockN = BlockN_, BlockK = 64, Stages = Stages_;
  static constexpr int Consumers = BlockM / 64;
  static constexpr int Threads = (Consumers + 1) * WarpGroupSize;
  static constexpr int BytesA = BlockM * BlockK * 2, BytesB = BlockN * BlockK * 2, StageBytes = BytesA + BytesB;
  static constexpr int StoreColumns = 32;
  static constexpr int ScratchBytes = SumsWriter<StoreColumns, float, bf16>::ScratchBytes;
  static constexpr int ScratchBegin = Stages * StageBytes;
  static constexpr int BarrierBegin = ScratchBegin + Consumers * 4 * ScratchBytes;
  static constexpr int SharedBytes = BarrierBegin + Stages * 16;
};

// The tiles and parts of K that one block works through, in order.
struct WorkList {
  int tilesM, tilesN, parts, K, kPerPart;

  DEVICE int count() const { return tilesM * tilesN * parts; }
  DEVICE int part(int item) const { return item / (tilesM * tilesN); }
  DEVICE TilePlace place(int item) const { return TilePlace(item % (tilesM * tilesN), tilesM, tilesN); }
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
        barrier_init(empty(stage), Config::Consumers * 4);
      }
      barrier_init_fence();
    }
    block_sync();
  }

  // One thread starts all copies of the block.
  DEVICE void produce(const TensorMap* a, const TensorMap* b, const WorkList& work) const {
    RingPosition<Config::Stages> ring;
    for (int item = static_cast<int>(blockIdx.x); item < work.count(); item += static_cast<int>(gridDim.x)) {
      TilePlace place = work.place(item);
      for (int k = work.k_begin(item); k < work.k_end(item); k += Config::BlockK) {
        barrier_wait(empty(ring.stage), ring.parity ^ 1);
        barrier_arrive_expect(full(ring.stage), Config::StageBytes);
        TileA::copy(stage_a(ring.stage), a, place.m * Config::BlockM, k, full(ring.stage));
        TileB::copy(stage_b(ring.stage), b, place.n * Config::BlockN, k, full(ring.stage));
        ring.advance();
      }
    }
  }

  DEVICE void consume(const MatmulOutput<bf16>& product, const WorkList& work, int flags, int64_t partStride) const {
    int group = warp_id() / 4 - 1, warp = warp_id() - 4;
    RingPosition<Config::Stages> ring;
    float sums[Config::BlockN / 8][4];
    for (int item = static_cast<int>(blockIdx.x); item < work.count(); item += static_cast<int>(gridDim.x)) {
      multiply(sums, ring, group, work.k_begin(item), work.k_end(item));
      TilePlace place = work.place(item);
      int row = place.m * Config::BlockM + warp * 16, column = place.n * Config::BlockN;
      uint32_t scratch = shared + Config::ScratchBegin + warp * Config::ScratchBytes;
      MatmulOutput<bf16> out = product;
      if (flags & FlagFloat) {
        out.c = static_cast<float*>(product.c) + work.part(item) * partStride;
        store<float>(out, sums, row, column, scratch);
      } else {
        store<bf16>(out, sums, row, column, scratch);
      }
    }
  }

 private:
  DEVICE void multiply(float (&sums)[Config::BlockN / 8][4], RingPosition<Config::Stages>& ring, int group, int kBegin, int kEnd) const {
    int previous = -1;
    UNROLL for (int j = 0; j < Config::BlockN / 8; ++j) {
      UNROLL for (int e = 0; e < 4; ++e) sums[j][e] = 0.f;
    }
    NO_UNROLL for (int k = kBegin; k < kEnd; k += Config::BlockK) {
      barrier_wait(full(ring.stage), ring.parity);
      pin(sums);
      wgmma_fence();
      UNROLL for (int step = 0; step < Config::BlockK / 16; ++step) {
        uint64_t a = TileA::descriptor(stage_a(ring.stage), group * 64, step);
        uint64_t b = TileB::descriptor(stage_b(ring.stage), 0, step);
        wgmma<KContiguousA ? 0 : 1, KContiguousB ? 0 : 1>(sums, a, b);
      }
      wgmma_commit();
      pin(sums);
      // The products of the stage before are done: it may be filled again.
      wgmma_wait<1>();
      if (previous >= 0 && lane_id() == 0) barrier_arrive(empty(previous));
      previous = ring.stage;
      ring.advance();
    }
    wgmma_wait<0>();
    pin(sums);
    if (previous >= 0 && lane_id() == 0) barrier_arrive(empty(previous));
  }

  // Keeps the compiler from moving reads or writes of the sums across: the products run on while it thinks them done.
  static DEVICE void pin(float (&sums)[Config::BlockN / 8][4]) {
    UNROLL for (int j = 0; j < Config::BlockN / 8; ++j) {
      UNROLL for (int e = 0; e < 4; ++e) pin_register(sums[j][e]);
    }
  }

  template <typename Out>
  static DEVICE void store(const MatmulOutput<bf16>& out, const float (&sums)[Config::BlockN / 8][4], int row, int column, uint32_t scratch) {
    SumsWriter<Config::StoreColumns, Out, bf16> writer(out, scratch);
    constexpr int Blocks = Config::StoreColumns / 8;
    UNROLL for (int j = 0; j < Config::BlockN / 8; j += Blocks) writer.store(&sums[j], row, column + j * 8);
  }
};

template <typename Config, int Form>
DEVICE void matmul_warpgroup(const TensorMap* a, const TensorMap* b, void* c, const bf16* bias, int M, int N, int K, int64_t strideC,
                             int64_t partStride, int kPerPart, int parts, int flags) {
  WarpGroupMatmul<Config, Form> matmul;
  WorkList work{(M + Config::BlockM - 1) / Config::BlockM, (N + Config::BlockN - 1) / Config::BlockN, parts, K, kPerPart};
  matmul.init_barriers();
  // The launch gives every thread 168 registers; the producer's go to the consumers.
  if (warp_id() < 4) {
    registers_decrease<40>();
    if (threadIdx.x == 0) matmul.produce(a, b, work);
  } else {
    registers_increase<232>();
    MatmulOutput<bf16> out{c, bias, strideC, M, N, (flags & FlagAccumulate) != 0};
    matmul.consume(out, work, flags, partStride);
  }
}

// a, b: maps of the operands as they lie in memory, boxes as the variants say; the rest as in kernels/matmul.cu. gridDim.x
// blocks, at most one a multiprocessor, share the tiles of all parts.
#define MATMUL(name, Config, form)                                                                                              \
  KERNEL(Config::Threads, 1, name)                                                                                              \
  (const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, void* __restrict__ c, const bf16* __restrict__ bias, \
   int M, int N, int K, int64_t strideC, int64_t partStride, int kPerPart, int parts, int flags) {                              \
    matmul_warpgroup<Config, form>(&a, &b, c, bias, M, N, K, strideC, partStride, kPerPart, parts, flags);                      \
  }

#define MATMUL_FORMS(variant, Config)                                \
  MATMUL(matmul_nn_warpgroup_##variant##_bf16, Config, FormNN)       \
  MATMUL(matmul_nt_warpgroup_##variant##_bf16, Config, FormNT)       \
  MATMUL(matmul_tn_warpgroup_##variant##_bf16, Config, FormTN)

using WarpGroupWide = WarpGroupConfig<256, 4>;
using WarpGroupSquare = WarpGroupConfig<128, 6>;

MATMUL_FORMS(wide, WarpGroupWide)
MATMUL_FORMS(square, WarpGroupSquare)
