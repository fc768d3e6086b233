// Family matmul, fp32: C (M, N) = op(A) op(B), or C += it, plus a row of bias; the forms of kernels/matmul.cu.
//
// Variants, each in the three forms; the first two also as the product that makes logits and sums their rows (row_sums.cuh):
//   fma        128 x 128 tile, 8 x 8 values a thread, fused multiply-adds in the order of K: exact to fp32 rounding.
//   fma_small  64 x 64 tile, 4 x 4 values a thread: for products that would leave most multiprocessors idle.
//   tf32x3     128 x 128 tile on the tensor cores: each value is split into two tf32, a = high + low, and
//              a b = low_a high_b + high_a low_b + high_a high_b, which drops only low_a low_b, 2^-22 of the product. Sums are the
//              tensor cores', which truncate; for speed where that is accepted.
// Few tiles and a long K are split in parts as in kernels/matmul.cu.
#include "matmul_epilogue.cuh"
#include "matmul_grid.cuh"
#include "row_sums.cuh"

struct MatmulArguments {
  const float *a, *b;
  float* c;
  const float* bias;
  int M, N, K;
  int64_t strideA, strideB, strideC, partStride;
  int kPerPart, flags;

  DEVICE int part() const { return static_cast<int>(blockIdx.y); }
  DEVICE int k_begin() const { return part() * kPerPart; }
  DEVICE int k_end() const { return K - k_begin() < kPerPart ? K : k_begin() + kPerPart; }
  DEVICE MatmulOutput<float> output() const { return {c + part() * partStride, bias, strideC, M, N, (flags & FlagAccumulate) != 0}; }
};

// One operand's tile, `Outer` by `Inner` of K, in chunks of four floats as they lie in memory.
template <bool InnerContiguous_, int Outer, int Inner_, int Threads>
struct FloatTile {
  static constexpr bool InnerContiguous = InnerContiguous_;
  static constexpr int Inner = Inner_;
  static constexpr int RowChunks = (InnerContiguous ? Inner : Outer) / 4;
  static constexpr int RowsPerPass = Threads / RowChunks;
  static constexpr int Passes = Outer * Inner / 4 / Threads;
  static_assert(Outer * Inner % (4 * Threads) == 0 && Threads % RowChunks == 0, "every thread moves the same number of chunks, all of one column");

  // Of a thread's chunk in the first pass.
  static DEVICE int row() { return static_cast<int>(threadIdx.x) / RowChunks; }
  static DEVICE int column() { return static_cast<int>(threadIdx.x) % RowChunks * 4; }
};

DEVICE Words4 load_floats(const float* from, int count, bool aligned) {
  if (aligned && count == 4) return load_readonly16(from);
  Words4 words;
  UNROLL for (int i = 0; i < 4; ++i) words.word[i] = i < count ? float_bits(from[i]) : 0u;
  return words;
}

// One thread's chunks of successive tiles along K.
template <typename Tile>
struct FloatSource {
  const float* from;  // the first chunk of the next tile
  int64_t passBytes;  // from a chunk to that of the next pass
  int rowsLeft;       // rows that exist from this thread's first on; 0 or less: none
  int columnsLeft;    // the same of columns
  bool aligned;       // every row starts at a multiple of 16 bytes

  DEVICE FloatSource(const float* operand, int64_t stride, int outerBegin, int outerEnd, int k, int kEnd)
      : passBytes(Tile::RowsPerPass * stride * 4), aligned(is_aligned(operand, 16) && stride % 4 == 0) {
    int row = Tile::row() + (Tile::InnerContiguous ? outerBegin : k), column = Tile::column() + (Tile::InnerContiguous ? k : outerBegin);
    from = operand + row * stride + column;
    rowsLeft = (Tile::InnerContiguous ? outerEnd : kEnd) - row;
    columnsLeft = (Tile::InnerContiguous ? kEnd : outerEnd) - column;
  }

  // Where the chunk of a pass begins, and how many of its four values exist.
  DEVICE const float* chunk(int pass, int& count) const {
    int inRow = columnsLeft < 0 ? 0 : columnsLeft < 4 ? columnsLeft : 4;
    count = pass * Tile::RowsPerPass < rowsLeft ? inRow : 0;
    return further(pass * passBytes);
  }

  DEVICE void advance() {
    if constexpr (Tile::InnerContiguous) {
      from += Tile::Inner;
    } else {
      // A tile's rows are those of all passes; their stride is made anew each time rather than kept.
      int64_t bytes = passBytes;
      pin_register(bytes);
      from = further(Tile::Passes * bytes);
    }
    (Tile::InnerContiguous ? columnsLeft : rowsLeft) -= Tile::Inner;
  }

 private:
  DEVICE const float* further(int64_t bytes) const { return reinterpret_cast<const float*>(reinterpret_cast<const char*>(from) + bytes); }
};

// ---- fma --------------------------------------------------------------------------------------------------------------

// A block of 256 threads, 16 x 16, each with `Micro` x `Micro` values: fours of rows and columns, 64 apart. Tiles lie in shared
// memory with K along the rows, two of them: one is read while the next, already in registers, waits to be written.
template <int Form, int Micro>
struct FmaMatmul {
  static constexpr int Threads = 256, Block = 16 * Micro, BlockK = 16;
  static constexpr int RowBytes = (Block + 4) * 4, TileBytes = BlockK * RowBytes;
  static constexpr int SharedBytes = 4 * TileBytes;
  using TileA = FloatTile<Form != FormTN, Block, BlockK, Threads>;
  using TileB = FloatTile<Form == FormNT, Block, BlockK, Threads>;

  float sums[Micro][Micro] = {};
  Words4 nextA[TileA::Passes], nextB[TileB::Passes];

  template <typename Rows>
  DEVICE void run(const MatmulArguments& x, const Rows& rows) {
    TilePlace place(static_cast<int>(blockIdx.x), (x.M + Block - 1) / Block, (x.N + Block - 1) / Block);
    int m0 = place.m * Block, n0 = place.n * Block;
    uint32_t shared = shared_address(dynamicShared);
    FloatSource<TileA> sourceA(x.a, x.strideA, m0, x.M, x.k_begin(), x.k_end());
    FloatSource<TileB> sourceB(x.b, x.strideB, n0, x.N, x.k_begin(), x.k_end());
    int left = (x.k_end() - x.k_begin() + BlockK - 1) / BlockK;
    // Where this thread writes its chunks and reads its fours of rows and columns: in one pair of tiles, and `turn` further in the other.
    uint32_t toA = shared + offset<TileA>(), toB = shared + TileBytes + offset<TileB>(), turn = 2 * TileBytes;
    uint32_t fromA = shared + threadIdx.x / 16 * 16, fromB = shared + TileBytes + threadIdx.x % 16 * 16;
    load(nextA, sourceA);
    load(nextB, sourceB);
    NO_UNROLL for (; left > 0; --left) {
      store<TileA>(toA, nextA);
      store<TileB>(toB, nextB);
      block_sync();
      if (left > 1) {
        load(nextA, sourceA);
        load(nextB, sourceB);
      }
      UNROLL for (int step = 0; step < BlockK; ++step) multiply(fromA + step * RowBytes, fromB + step * RowBytes);
      toA += turn, toB += turn, fromA += turn, fromB += turn;
      turn = 0 - turn;
    }
    int thread = static_cast<int>(thread_again()), row = thread / 16 * 4, column = thread % 16 * 4;
    rows.take_fours(sums, m0 + row, n0, thread % 16, x.M, x.N);
    if (!Rows::NeedsC && x.c == nullptr) return;
    write(x.output(), m0 + row, n0 + column);
  }

 private:
  template <typename Tile>
  static DEVICE void load(Words4 (&chunks)[Tile::Passes], FloatSource<Tile>& source) {
    UNROLL for (int pass = 0; pass < Tile::Passes; ++pass) {
      int count;
      const float* from = source.chunk(pass, count);
      chunks[pass] = load_floats(from, count, source.aligned);
    }
    source.advance();
  }

  // Of this thread's first chunk in a tile; those of other passes are at constant distances.
  template <typename Tile>
  static DEVICE uint32_t offset() {
    return Tile::InnerContiguous ? Tile::column() * RowBytes + Tile::row() * 4 : Tile::row() * RowBytes + Tile::column() * 4;
  }

  template <typename Tile>
  static DEVICE void store(uint32_t to, const Words4 (&chunks)[Tile::Passes]) {
    UNROLL for (int pass = 0; pass < Tile::Passes; ++pass) {
      if constexpr (Tile::InnerContiguous) {
        UNROLL for (int i = 0; i < 4; ++i) store_shared(to + pass * Tile::RowsPerPass * 4 + i * RowBytes, chunks[pass].word[i]);
      } else {
        store_shared16(to + pass * Tile::RowsPerPass * RowBytes, chunks[pass]);
      }
    }
  }

  DEVICE void multiply(uint32_t rowOfA, uint32_t rowOfB) {
    float b[Micro];
    UNROLL for (int part = 0; part < Micro / 4; ++part) {
      Words4 words = load_shared16(rowOfB + part * 256);
      UNROLL for (int j = 0; j < 4; ++j) b[part * 4 + j] = bits_float(words.word[j]);
    }
    // Four values of A at a time: there is no register for all eight.
    UNROLL for (int part = 0; part < Micro / 4; ++part) {
      Words4 words = load_shared16(rowOfA + part * 256);
      UNROLL for (int i = 0; i < 4; ++i) {
        UNROLL for (int j = 0; j < Micro; ++j) sums[part * 4 + i][j] = fma_rn(bits_float(words.word[i]), b[j], sums[part * 4 + i][j]);
      }
    }
  }

  DEVICE void write(const MatmulOutput<float>& out, int row, int column) const {
    bool aligned = is_aligned(out.c, 16) && out.stride % 4 == 0;
    UNROLL for (int i = 0; i < Micro; ++i) {
      UNROLL for (int part = 0; part < Micro / 4; ++part) {
        int r = row + i / 4 * 64 + i % 4, c = column + part * 64;
        if (r >= out.M) continue;
        float values[4] = {sums[i][part * 4], sums[i][part * 4 + 1], sums[i][part * 4 + 2], sums[i][part * 4 + 3]};
        if (aligned && c + 4 <= out.N) {
          float* to = static_cast<float*>(out.c) + r * out.stride + c;
          float before[4] = {};
          if (out.accumulate) unpack(load16(to), before);
          UNROLL for (int e = 0; e < 4; ++e) values[e] = before[e] + (values[e] + (out.bias ? out.bias[c + e] : 0.f));
          store16(to, pack(values));
        } else {
          UNROLL for (int e = 0; e < 4; ++e) {
            if (c + e < out.N) store_element<float>(out, r, c + e, values[e]);
          }
        }
      }
    }
  }
};

// ---- tf32x3 -----------------------------------------------------------------------------------------------------------

// Eight warps, 2 x 4, of 64 x 32 values; a ring of stages as in matmul_tile.cuh. Stored rows are padded so that the lanes of a
// fragment, 4 along K by 8 along the rows, lie in 32 banks: by 4 floats where K is contiguous, by 8 where it is not.
template <int Form>
struct Tf32Matmul {
  static constexpr int Threads = 256, Block = 128, BlockK = 16, Stages = 4, WarpM = 64, WarpN = 32;
  using TileA = FloatTile<Form != FormTN, Block, BlockK, Threads>;
  using TileB = FloatTile<Form == FormNT, Block, BlockK, Threads>;

  template <typename Tile>
  static constexpr int RowBytes = (Tile::InnerContiguous ? BlockK + 4 : Block + 8) * 4;
  template <typename Tile>
  static constexpr int TileBytes = RowBytes<Tile> * (Tile::InnerContiguous ? Block : BlockK);
  static constexpr int StageBytes = TileBytes<TileA> + TileBytes<TileB>;
  static constexpr int SharedBytes = Stages * StageBytes;
  static constexpr int ScratchBytes = SumsWriter<WarpN, float, float>::ScratchBytes;
  static_assert(Threads / WarpSize * ScratchBytes <= SharedBytes, "every warp has its scratch rows");

  float sums[WarpM / 16][WarpN / 8][4] = {};

  DEVICE void run(const MatmulArguments& x, NoRowSums) {
    TilePlace place(static_cast<int>(blockIdx.x), (x.M + Block - 1) / Block, (x.N + Block - 1) / Block);
    int m0 = place.m * Block, n0 = place.n * Block, begin = x.k_begin(), end = x.k_end();
    int warpRow = warp_id() % 2 * WarpM, warpColumn = warp_id() / 2 * WarpN;
    uint32_t shared = shared_address(dynamicShared);
    FloatSource<TileA> sourceA(x.a, x.strideA, m0, x.M, begin, end);
    FloatSource<TileB> sourceB(x.b, x.strideB, n0, x.N, begin, end);
    UNROLL for (int stage = 0; stage < Stages - 1; ++stage) copy(x, sourceA, sourceB, begin + stage * BlockK < end, shared + stage * StageBytes);
    int stage = 0;
    NO_UNROLL for (int k = begin; k < end; k += BlockK) {
      copy_async_wait<Stages - 2>();
      block_sync();
      copy(x, sourceA, sourceB, k + (Stages - 1) * BlockK < end, shared + (stage + Stages - 1) % Stages * StageBytes);
      // Where rows start anywhere, lanes at an edge take other ways through the copy; the products need all of them.
      warp_sync();
      uint32_t tileA = shared + stage * StageBytes, tileB = tileA + TileBytes<TileA>;
      UNROLL for (int step = 0; step < BlockK / 8; ++step) multiply(tileA, tileB, warpRow, warpColumn, step);
      stage = stage + 1 == Stages ? 0 : stage + 1;
    }
    copy_async_wait<0>();
    block_sync();
    store_sums<WarpN, 16, float>(x.output(), sums, m0 + warpRow, n0 + warpColumn, shared + warp_id() * ScratchBytes);
  }

 private:
  // Starts a stage's copies as one group; past the end of K the group is empty.
  static DEVICE void copy(const MatmulArguments& x, FloatSource<TileA>& sourceA, FloatSource<TileB>& sourceB, bool exists, uint32_t stage) {
    if (exists) {
      copy_tile(x.a, sourceA, stage);
      copy_tile(x.b, sourceB, stage + TileBytes<TileA>);
    }
    copy_async_commit();
  }

  template <typename Tile>
  static DEVICE void copy_tile(const float* operand, FloatSource<Tile>& source, uint32_t tile) {
    uint32_t to = tile + Tile::row() * RowBytes<Tile> + Tile::column() * 4;
    UNROLL for (int pass = 0; pass < Tile::Passes; ++pass) {
      int count;
      const float* from = source.chunk(pass, count);
      if (source.aligned) {
        copy_async16(to + pass * Tile::RowsPerPass * RowBytes<Tile>, count > 0 ? from : operand, count * 4);
      } else {
        store_shared16(to + pass * Tile::RowsPerPass * RowBytes<Tile>, load_floats(from, count, false));
      }
    }
    source.advance();
  }

  template <typename Tile>
  static DEVICE float element(uint32_t tile, int outer, int k) {
    return load_shared(tile + (Tile::InnerContiguous ? outer * RowBytes<Tile> + k * 4 : k * RowBytes<Tile> + outer * 4));
  }

  static DEVICE void split(float value, uint32_t& high, uint32_t& low) {
    high = float_to_tf32(value);
    low = float_to_tf32(value - bits_float(high));
  }

  DEVICE void multiply(uint32_t tileA, uint32_t tileB, int warpRow, int warpColumn, int step) {
    int group = lane_id() >> 2, k = step * 8 + (lane_id() & 3);
    uint32_t highB[WarpN / 8][2], lowB[WarpN / 8][2];
    UNROLL for (int j = 0; j < WarpN / 8; ++j) {
      UNROLL for (int e = 0; e < 2; ++e) split(element<TileB>(tileB, warpColumn + j * 8 + group, k + e * 4), highB[j][e], lowB[j][e]);
    }
    UNROLL for (int i = 0; i < WarpM / 16; ++i) {
      uint32_t high[4], low[4];
      UNROLL for (int e = 0; e < 4; ++e) split(element<TileA>(tileA, warpRow + i * 16 + group + e % 2 * 8, k + e / 2 * 4), high[e], low[e]);
      // The small products first.
      UNROLL for (int j = 0; j < WarpN / 8; ++j) {
        mma_tf32(sums[i][j], low, highB[j][0], highB[j][1]);
        mma_tf32(sums[i][j], high, lowB[j][0], lowB[j][1]);
        mma_tf32(sums[i][j], high, highB[j][0], highB[j][1]);
      }
    }
  }
};

#define MATMUL(name, minBlocks, ...)                                                                                                      \
  KERNEL(256, minBlocks, name)                                                                                                            \
  (const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, const float* __restrict__ bias, int M, int N, int K,  \
   int64_t strideA, int64_t strideB, int64_t strideC, int64_t partStride, int kPerPart, int flags) {                                     \
    __VA_ARGS__ matmul;                                                                                                                   \
    matmul.run({a, b, c, bias, M, N, K, strideA, strideB, strideC, partStride, kPerPart, flags}, NoRowSums{});                            \
  }

// Logits (M, N) = A (M, K) B (N, K)^T and the sums of their rows. c: null where the sums are enough.
#define MATMUL_LOGITS(variant, minBlocks, ...)                                                                                            \
  KERNEL(256, minBlocks, matmul_logits_##variant##_f32)                                                                                   \
  (const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int M, int N, int K, int64_t strideA,                 \
   int64_t strideB, int64_t strideC, RowSums sums) {                                                                                      \
    __VA_ARGS__ matmul;                                                                                                                   \
    matmul.run({a, b, c, nullptr, M, N, K, strideA, strideB, strideC, 0, K, 0}, sums);                                                    \
  }

#define MATMUL_FORMS(form, Form)                                       \
  MATMUL(matmul_##form##_fma_f32, 2, FmaMatmul<Form, 8>)           \
  MATMUL(matmul_##form##_fma_small_f32, 3, FmaMatmul<Form, 4>)     \
  MATMUL(matmul_##form##_tf32x3_f32, 1, Tf32Matmul<Form>)

MATMUL_FORMS(nn, FormNN)
MATMUL_FORMS(nt, FormNT)
MATMUL_FORMS(tn, FormTN)

MATMUL_LOGITS(fma, 2, FmaMatmul<FormNT, 8>)
MATMUL_LOGITS(fma_small, 3, FmaMatmul<FormNT, 4>)

// gridDim: columns / 1024, M.
KERNEL(256, 1, matmul_combine_f32)
(const float* __restrict__ workspace, float* __restrict__ c, const float* __restrict__ bias, int M, int N, int parts, int64_t workspaceStride,
 int64_t partStride, int64_t strideC, int flags) {
  combine_parts<float>(workspace, {c, bias, strideC, M, N, (flags & FlagAccumulate) != 0}, parts, workspaceStride, partStride, flags);
}
