// Family attention, bf16, forward: output = softmax(scale q k^T over visible keys) v and the log-sum-exp of each row,
// without the scores in memory (Dao, FlashAttention-2, arXiv 2307.08691). The backward is attention_backward.cu.
//
// A block takes 64 or 128 query rows of one segment and head and walks over tiles of 64 keys in joint order, context first,
// the next tile under way while it works on the current one. Scores, weights and sums stay in registers; weights are
// rounded to bf16 for the product with v, row sums are taken before that. Every sum has one order: repeats give the same
// bits.
//
// Variants: rows64 has 16 query rows a warp, rows128 has 32: half the reads of keys and values from shared memory, for long
// segments and head sizes whose sums fit into registers, up to 96. Head sizes 64, 80, 96 and 128; others run in the next larger one, the rest of its columns zeros.
#include "attention_tile.cuh"

constexpr int Threads = 128, KeyTile = 64;

struct AttentionArguments {
  bf16* output;        // (NQ, NH * HS)
  float* lse;          // (NQ, NH)
  const bf16 *q, *k, *v;
  const int* segments;   // 8 values each
  const int* positions;  // (NQ)
  int64_t strideO, strideLse, strideQ, strideK, strideV;
  int groupSize;  // query heads a key/value head
  int headSize;
  int window;   // visible keys, the query's own counted; at most 2^30
  float scale;  // of the scores
  int aligned;  // all rows of all heads start at multiples of 16 bytes
};

template <int HS, int BlocksM>
struct AttentionForward {
  static constexpr int QueryTile = 64 * BlocksM;
  using Queries = HeadTile<QueryTile, HS, Threads>;
  using Keys = HeadTile<KeyTile, HS, Threads>;
  static constexpr int SharedBytes = Queries::Bytes + 4 * Keys::Bytes;

  // Per row of D's layout: rows g and g + 8 of each of the warp's blocks.
  float sums[BlocksM][HS / 8][4];
  float largest[BlocksM][2], total[BlocksM][2];
  int firstKey[BlocksM][2], lastKey[BlocksM][2];

  DEVICE void run(const AttentionArguments& x) {
    Segment segment(x.segments, static_cast<int>(blockIdx.z));
    // Later queries see more keys: they start first.
    int head = static_cast<int>(blockIdx.y), begin = static_cast<int>(gridDim.x - 1 - blockIdx.x) * QueryTile;
    if (begin >= segment.queryCount) return;
    int rows = segment.queryCount - begin < QueryTile ? segment.queryCount - begin : QueryTile, row0 = segment.queryRow + begin;
    const int* positions = x.positions + row0;
    VisibleKeys earliest(segment, positions[0], x.window), latest(segment, positions[rows - 1], x.window);
    uint32_t queries = shared_address(dynamicShared);
    Queries::copy(queries, x.q + head * x.headSize, x.strideQ, x.headSize, x.aligned, [&](int r) { return r < rows ? row0 + r : -1; });
    int tile = earliest.first / KeyTile, end = latest.last / KeyTile + 1;
    copy_keys(x, segment, head, tile, 0);
    copy_async_commit();
    prepare_rows(segment, positions, rows, x.window);

    for (int buffer = 0; tile < end; ++tile, buffer ^= 1) {
      if (tile + 1 < end) copy_keys(x, segment, head, tile + 1, buffer ^ 1);
      copy_async_commit();
      copy_async_wait<1>();
      block_sync();
      bool masked = tile * KeyTile < latest.first || tile * KeyTile + KeyTile - 1 > earliest.last;
      uint32_t keys = queries + Queries::Bytes + buffer * 2 * Keys::Bytes;
      add_tile(queries, keys, tile * KeyTile, x.scale * Log2E, masked);
      block_sync();
    }
    finish(x, head, row0, rows, queries);
  }

 private:
  static DEVICE int warp_row(int block) { return warp_id() * 16 * BlocksM + block * 16; }

  static DEVICE void copy_keys(const AttentionArguments& x, const Segment& segment, int head, int tile, int buffer) {
    int column = head / x.groupSize * x.headSize, count = segment.visible_count();
    uint32_t keys = shared_address(dynamicShared) + Queries::Bytes + buffer * 2 * Keys::Bytes;
    auto rowOf = [&](int r) { return tile * KeyTile + r < count ? segment.key_row(tile * KeyTile + r) : -1; };
    Keys::copy(keys, x.k + column, x.strideK, x.headSize, x.aligned, rowOf);
    Keys::copy(keys + Keys::Bytes, x.v + column, x.strideV, x.headSize, x.aligned, rowOf);
  }

  DEVICE void prepare_rows(const Segment& segment, const int* positions, int rows, int window) {
    UNROLL for (int i = 0; i < BlocksM; ++i) {
      clear(sums[i]);
      UNROLL for (int h = 0; h < 2; ++h) {
        int row = warp_row(i) + (lane_id() >> 2) + h * 8;
        largest[i][h] = -1e30f;
        total[i][h] = 0.f;
        VisibleKeys keys(segment, positions[row < rows ? row : 0], window);
        firstKey[i][h] = keys.first;
        lastKey[i][h] = row < rows ? keys.last : -1;
      }
    }
  }

  // One tile of keys: scores, the running maximum, weights, sums.
  DEVICE void add_tile(uint32_t queries, uint32_t keys, int firstOfTile, float scaleLog2, bool masked) {
    float p[BlocksM][KeyTile / 8][4];
    UNROLL for (int i = 0; i < BlocksM; ++i) clear(p[i]);
    multiply_rows<Queries, Keys, HS>(p, queries, warp_row(0), keys);
    UNROLL for (int i = 0; i < BlocksM; ++i) {
      if (masked) mask(p[i], i, firstOfTile);
      UNROLL for (int h = 0; h < 2; ++h) weigh(p[i], i, h, scaleLog2);
    }
    multiply_weights<Keys, HS>(sums, p, keys + Keys::Bytes);
  }

  // Scores of row h of block i to weights relative to the largest so far; what was summed before shrinks to match.
  DEVICE void weigh(float (&p)[KeyTile / 8][4], int i, int h, float scaleLog2) {
    float top = p[0][2 * h];
    UNROLL for (int j = 0; j < KeyTile / 8; ++j) top = maximum(top, maximum(p[j][2 * h], p[j][2 * h + 1]));
    top = maximum(largest[i][h], top * scaleLog2);
    top = maximum(top, shuffle_xor(top, 1));
    top = maximum(top, shuffle_xor(top, 2));
    float correction = exp2_approx(largest[i][h] - top);
    largest[i][h] = top;
    total[i][h] *= correction;
    UNROLL for (int j = 0; j < HS / 8; ++j) {
      sums[i][j][2 * h] *= correction;
      sums[i][j][2 * h + 1] *= correction;
    }
    UNROLL for (int j = 0; j < KeyTile / 8; ++j) {
      p[j][2 * h] = exp2_approx(fma_rn(p[j][2 * h], scaleLog2, -top));
      p[j][2 * h + 1] = exp2_approx(fma_rn(p[j][2 * h + 1], scaleLog2, -top));
      total[i][h] += p[j][2 * h] + p[j][2 * h + 1];
    }
  }

  // Minus infinity where a query does not see the key. `largest` starts finite, so that no difference is of infinities.
  DEVICE void mask(float (&p)[KeyTile / 8][4], int i, int firstOfTile) const {
    int laneKey = firstOfTile + (lane_id() & 3) * 2;
    UNROLL for (int h = 0; h < 2; ++h) {
      // Keys are counted from the lane's first on: constants.
      int first = firstKey[i][h] - laneKey, last = lastKey[i][h] - laneKey;
      UNROLL for (int j = 0; j < KeyTile / 8; ++j) {
        UNROLL for (int e = 0; e < 2; ++e) {
          if (j * 8 + e < first || j * 8 + e > last) p[j][2 * h + e] = bits_float(0xff800000u);
        }
      }
    }
  }

  DEVICE void finish(const AttentionArguments& x, int head, int row0, int rows, uint32_t queries) {
    // The rows' numbers anew, rather than from before the loop.
    int thread = static_cast<int>(thread_again()), firstRow = thread / WarpSize * 16 * BlocksM, lane = thread % WarpSize;
    UNROLL for (int i = 0; i < BlocksM; ++i) {
      float inverse[2];
      UNROLL for (int h = 0; h < 2; ++h) {
        float sum = total[i][h];
        sum += shuffle_xor(sum, 1);
        sum += shuffle_xor(sum, 2);
        inverse[h] = 1.f / sum;
        int row = firstRow + i * 16 + (lane >> 2) + h * 8;
        if (row < rows && (lane & 3) == 0) x.lse[(row0 + row) * x.strideLse + head] = (largest[i][h] + log2_approx(sum)) * Ln2;
      }
      int row = firstRow + i * 16;
      store_rows<Queries, HS>(x.output + (row0 + row) * x.strideO + head * x.headSize, x.strideO, x.headSize, x.aligned, sums[i], inverse[0],
                              inverse[1], queries + row * Queries::RowBytes, rows - row);
    }
  }
};

// gridDim: query tiles of the longest segment, NH, segments.
#define ATTENTION_FORWARD(name, HS, BlocksM)                                                                                          \
  KERNEL(Threads, 1, name)                                                                                                            \
  (bf16* __restrict__ output, float* __restrict__ lse, const bf16* __restrict__ q, const bf16* __restrict__ k,                       \
   const bf16* __restrict__ v, const int* __restrict__ segments, const int* __restrict__ positions, int64_t strideO, int64_t strideLse, \
   int64_t strideQ, int64_t strideK, int64_t strideV, int groupSize, int headSize, int window, float scale, int aligned) {            \
    AttentionForward<HS, BlocksM>().run({output, lse, q, k, v, segments, positions, strideO, strideLse, strideQ, strideK, strideV,     \
                                         groupSize, headSize, window, scale, aligned});                                               \
  }

ATTENTION_FORWARD(attention_forward_rows64_head64_bf16, 64, 1)
ATTENTION_FORWARD(attention_forward_rows64_head80_bf16, 80, 1)
ATTENTION_FORWARD(attention_forward_rows64_head96_bf16, 96, 1)
ATTENTION_FORWARD(attention_forward_rows64_head128_bf16, 128, 1)
ATTENTION_FORWARD(attention_forward_rows128_head64_bf16, 64, 2)
ATTENTION_FORWARD(attention_forward_rows128_head80_bf16, 80, 2)
ATTENTION_FORWARD(attention_forward_rows128_head96_bf16, 96, 2)
