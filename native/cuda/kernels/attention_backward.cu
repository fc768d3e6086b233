// Family attention, bf16, backward, without atomics. With p = exp(scale q k^T - lse) and delta = rowsum(dOutput * output):
//   dV = p^T dOutput,  dS = p * (dOutput v^T - delta),  dQ = scale dS k,  dK = scale dS^T q
// (Dao, FlashAttention-2, arXiv 2307.08691). Three launches:
//   attention_backward_delta      delta, one warp a query row and head;
//   attention_backward_queries    dQ: a block takes 64 query rows and walks over the tiles of keys, as the forward does;
//   attention_backward_keys       dK and dV: a block takes 64 key rows of one key/value head and walks over the segments that
//                                 read them, in order, their query tiles and the heads of the group.
// Scores are computed twice, and in exchange every sum has one owner and one order: repeats give the same bits. p and dS are
// rounded to bf16 for their products. Rows of k and v that no segment reads get zeros.
#include "attention_tile.cuh"
#include "reduce.cuh"

constexpr int Threads = 128, Tile = 64;

struct BackwardArguments {
  bf16 *dQ, *dK, *dV;
  const bf16* dOutput;
  const float* lse;    // (NQ, NH)
  const float* delta;  // (NQ, NH), dense
  const bf16 *q, *k, *v;
  const int* segments;
  const int* positions;
  int64_t strideDQ, strideDK, strideDV, strideDO, strideLse, strideQ, strideK, strideV;
  int heads, groupSize, headSize, window, segmentCount, keyRows;
  float scale;
  int aligned;
};

// delta (NQ, NH), dense: one warp a row and head.
KERNEL(128, 1, attention_backward_delta_bf16)
(float* __restrict__ delta, const bf16* __restrict__ dOutput, const bf16* __restrict__ output, int64_t strideDO, int64_t strideO, int rows,
 int heads, int headSize) {
  int index = static_cast<int>(blockIdx.x) * 4 + warp_id();
  if (index >= rows * heads) return;
  int row = index / heads, head = index % heads;
  const bf16* d = dOutput + row * strideDO + head * headSize;
  const bf16* o = output + row * strideO + head * headSize;
  float sum = 0.f;
  for (int i = lane_id(); i < headSize; i += WarpSize) sum += bf16_to_float(d[i]) * bf16_to_float(o[i]);
  sum = warp_sum(sum);
  if (lane_id() == 0) delta[index] = sum;
}

template <int HS>
struct BackwardQueries {
  using Rows = HeadTile<Tile, HS, Threads>;
  static constexpr int SharedBytes = 6 * Rows::Bytes;

  float sums[1][HS / 8][4];
  float lse[2], delta[2];  // lse in units of log2
  int firstKey[2], lastKey[2];

  DEVICE void run(const BackwardArguments& x) {
    Segment segment(x.segments, static_cast<int>(blockIdx.z));
    int head = static_cast<int>(blockIdx.y), begin = static_cast<int>(gridDim.x - 1 - blockIdx.x) * Tile;
    if (begin >= segment.queryCount) return;
    int rows = segment.queryCount - begin < Tile ? segment.queryCount - begin : Tile, row0 = segment.queryRow + begin;
    const int* positions = x.positions + row0;
    VisibleKeys earliest(segment, positions[0], x.window), latest(segment, positions[rows - 1], x.window);
    uint32_t queries = shared_address(dynamicShared), gradients = queries + Rows::Bytes;
    auto rowOf = [&](int r) { return r < rows ? row0 + r : -1; };
    Rows::copy(queries, x.q + head * x.headSize, x.strideQ, x.headSize, x.aligned, rowOf);
    Rows::copy(gradients, x.dOutput + head * x.headSize, x.strideDO, x.headSize, x.aligned, rowOf);
    int tile = earliest.first / Tile, end = latest.last / Tile + 1;
    copy_keys(x, segment, head, tile, 0);
    copy_async_commit();
    prepare_rows(x, segment, positions, head, row0, rows);

    for (int buffer = 0; tile < end; ++tile, buffer ^= 1) {
      if (tile + 1 < end) copy_keys(x, segment, head, tile + 1, buffer ^ 1);
      copy_async_commit();
      copy_async_wait<1>();
      block_sync();
      add_tile(queries, gradients, queries + (2 + 2 * buffer) * Rows::Bytes, tile * Tile, x.scale * Log2E);
      block_sync();
    }
    int row = warp_id() * 16;
    store_rows<Rows, HS>(x.dQ + (row0 + row) * x.strideDQ + head * x.headSize, x.strideDQ, x.headSize, x.aligned, sums[0], x.scale, x.scale,
                         queries + row * Rows::RowBytes, rows - row);
  }

 private:
  static DEVICE void copy_keys(const BackwardArguments& x, const Segment& segment, int head, int tile, int buffer) {
    int column = head / x.groupSize * x.headSize, count = segment.visible_count();
    uint32_t keys = shared_address(dynamicShared) + (2 + 2 * buffer) * Rows::Bytes;
    auto rowOf = [&](int r) { return tile * Tile + r < count ? segment.key_row(tile * Tile + r) : -1; };
    Rows::copy(keys, x.k + column, x.strideK, x.headSize, x.aligned, rowOf);
    Rows::copy(keys + Rows::Bytes, x.v + column, x.strideV, x.headSize, x.aligned, rowOf);
  }

  DEVICE void prepare_rows(const BackwardArguments& x, const Segment& segment, const int* positions, int head, int row0, int rows) {
    clear(sums[0]);
    UNROLL for (int h = 0; h < 2; ++h) {
      int row = warp_id() * 16 + (lane_id() >> 2) + h * 8, real = row < rows ? row : 0;
      VisibleKeys keys(segment, positions[real], x.window);
      firstKey[h] = keys.first;
      lastKey[h] = row < rows ? keys.last : -1;
      lse[h] = x.lse[(row0 + real) * x.strideLse + head] * Log2E;
      delta[h] = x.delta[static_cast<int64_t>(row0 + real) * x.heads + head];
    }
  }

  DEVICE void add_tile(uint32_t queries, uint32_t gradients, uint32_t keys, int firstOfTile, float scaleLog2) {
    float p[1][Tile / 8][4], dP[1][Tile / 8][4];
    clear(p[0]);
    clear(dP[0]);
    multiply_rows<Rows, Rows, HS>(p, queries, warp_id() * 16, keys);
    multiply_rows<Rows, Rows, HS>(dP, gradients, warp_id() * 16, keys + Rows::Bytes);
    int laneKey = firstOfTile + (lane_id() & 3) * 2;
    UNROLL for (int h = 0; h < 2; ++h) {
      // Keys are counted from the lane's first on: constants.
      int first = firstKey[h] - laneKey, last = lastKey[h] - laneKey;
      UNROLL for (int j = 0; j < Tile / 8; ++j) {
        UNROLL for (int c = 0; c < 2; ++c) {
          int e = 2 * h + c;
          float weight = exp2_approx(fma_rn(p[0][j][e], scaleLog2, -lse[h]));
          bool visible = j * 8 + c >= first && j * 8 + c <= last;
          p[0][j][e] = visible ? weight * (dP[0][j][e] - delta[h]) : 0.f;
        }
      }
    }
    multiply_weights<Rows, HS>(sums, p, keys);
  }
};

template <int HS>
struct BackwardKeys {
  // Sums of dK and dV, scores and their gradients fill the registers: at the largest head size a tile has fewer queries.
  static constexpr int QueryTile = HS > 96 ? 32 : 64;
  using Rows = HeadTile<Tile, HS, Threads>;
  using Queries = HeadTile<QueryTile, HS, Threads>;
  using Place = QueryTiles<QueryTile, Tile, BackwardArguments>;
  // Of each of the two buffers: q, dOutput, then per query lse, delta, first and last visible key.
  static constexpr int BufferBytes = 2 * Queries::Bytes + 4 * QueryTile * 4;
  static constexpr int SharedBytes = 2 * Rows::Bytes + 2 * BufferBytes;

  float dK[1][HS / 8][4], dV[1][HS / 8][4];

  DEVICE void run(const BackwardArguments& x) {
    int keyRow0 = static_cast<int>(blockIdx.x) * Tile, keyHead = static_cast<int>(blockIdx.y), column = keyHead * x.headSize;
    uint32_t keys = shared_address(dynamicShared), buffers = keys + 2 * Rows::Bytes;
    auto rowOf = [&](int r) { return keyRow0 + r < x.keyRows ? keyRow0 + r : -1; };
    Rows::copy(keys, x.k + column, x.strideK, x.headSize, x.aligned, rowOf);
    Rows::copy(keys + Rows::Bytes, x.v + column, x.strideV, x.headSize, x.aligned, rowOf);
    clear(dK[0]);
    clear(dV[0]);

    Place place(x, keyRow0, keyHead);
    if (!place.done) copy_queries(x, place, buffers);
    copy_async_commit();
    for (int buffer = 0; !place.done; buffer ^= 1) {
      // All that the current tile needs of its place; the next one's is found meanwhile.
      int row = warp_id() * 16 + (lane_id() >> 2), key[2] = {place.key_of(row), place.key_of(row + 8)};
      place.advance();
      if (!place.done) copy_queries(x, place, buffers + (buffer ^ 1) * BufferBytes);
      copy_async_commit();
      copy_async_wait<1>();
      block_sync();
      add_tile(key, keys, buffers + buffer * BufferBytes, x.scale * Log2E);
      block_sync();
    }
    copy_async_wait<0>();
    block_sync();
    // 64-bit products of these need not have waited since the copies of keys and values.
    pin_register(keyRow0);
    pin_register(column);
    int row = warp_id() * 16, rows = x.keyRows - keyRow0 - row;
    store_rows<Rows, HS>(x.dK + (keyRow0 + row) * x.strideDK + column, x.strideDK, x.headSize, x.aligned, dK[0], x.scale, x.scale,
                         keys + row * Rows::RowBytes, rows);
    store_rows<Rows, HS>(x.dV + (keyRow0 + row) * x.strideDV + column, x.strideDV, x.headSize, x.aligned, dV[0], 1.f, 1.f,
                         keys + row * Rows::RowBytes, rows);
  }

 private:
  static DEVICE void copy_queries(const BackwardArguments& x, const Place& tile, uint32_t buffer) {
    int rows = tile.rows(), row0 = tile.segment.queryRow + tile.begin, head = tile.headBegin + tile.head;
    auto rowOf = [&](int r) { return r < rows ? row0 + r : -1; };
    Queries::copy(buffer, x.q + head * x.headSize, x.strideQ, x.headSize, x.aligned, rowOf);
    Queries::copy(buffer + Queries::Bytes, x.dOutput + head * x.headSize, x.strideDO, x.headSize, x.aligned, rowOf);
    int r = static_cast<int>(thread_again());
    if (r < QueryTile) {
      int real = r < rows ? r : 0;
      VisibleKeys keys(tile.segment, x.positions[row0 + real], x.window);
      uint32_t to = buffer + 2 * Queries::Bytes + r * 4;
      store_shared(to, x.lse[(row0 + real) * x.strideLse + head] * Log2E);
      store_shared(to + QueryTile * 4, x.delta[static_cast<int64_t>(row0 + real) * x.heads + head]);
      store_shared(to + QueryTile * 8, static_cast<uint32_t>(keys.first));
      store_shared(to + QueryTile * 12, static_cast<uint32_t>(r < rows ? keys.last : -1));
    }
  }

  // Scores stand transposed here: a row is a key, a column a query.
  DEVICE void add_tile(const int (&key)[2], uint32_t keys, uint32_t buffer, float scaleLog2) {
    float p[1][QueryTile / 8][4], dS[1][QueryTile / 8][4];
    clear(p[0]);
    clear(dS[0]);
    multiply_rows<Rows, Queries, HS>(p, keys, warp_id() * 16, buffer);
    multiply_rows<Rows, Queries, HS>(dS, keys + Rows::Bytes, warp_id() * 16, buffer + Queries::Bytes);
    uint32_t values = buffer + 2 * Queries::Bytes + (lane_id() & 3) * 8;
    pin_register(values);
    UNROLL for (int j = 0; j < QueryTile / 8; ++j) {
      UNROLL for (int c = 0; c < 2; ++c) {
        uint32_t from = values + (j * 8 + c) * 4;
        float lse = load_shared(from), delta = load_shared(from + QueryTile * 4);
        int first = static_cast<int>(float_bits(load_shared(from + QueryTile * 8))), last = static_cast<int>(float_bits(load_shared(from + QueryTile * 12)));
        UNROLL for (int h = 0; h < 2; ++h) {
          int e = h * 2 + c;
          bool visible = key[h] >= first && key[h] <= last;
          float weight = exp2_approx(fma_rn(p[0][j][e], scaleLog2, -lse));
          weight = visible ? weight : 0.f;
          p[0][j][e] = weight;
          dS[0][j][e] = weight * (dS[0][j][e] - delta);
        }
      }
    }
    multiply_weights<Queries, HS>(dV, p, buffer + Queries::Bytes);
    multiply_weights<Queries, HS>(dK, dS, buffer);
  }
};

#define BACKWARD_PARAMETERS                                                                                                              \
  (bf16* __restrict__ dQ, bf16* __restrict__ dK, bf16* __restrict__ dV, const bf16* __restrict__ dOutput, const float* __restrict__ lse, \
   const float* __restrict__ delta, const bf16* __restrict__ q, const bf16* __restrict__ k, const bf16* __restrict__ v,                  \
   const int* __restrict__ segments, const int* __restrict__ positions, int64_t strideDQ, int64_t strideDK, int64_t strideDV,            \
   int64_t strideDO, int64_t strideLse, int64_t strideQ, int64_t strideK, int64_t strideV, int heads, int groupSize, int headSize,       \
   int window, int segmentCount, int keyRows, float scale, int aligned)
#define BACKWARD_ARGUMENTS                                                                                                               \
  {dQ, dK, dV, dOutput, lse, delta, q, k, v, segments, positions, strideDQ, strideDK, strideDV, strideDO, strideLse, strideQ, strideK,   \
   strideV, heads, groupSize, headSize, window, segmentCount, keyRows, scale, aligned}

// queries: gridDim is query tiles of the longest segment, NH, segments. keys: tiles of k's rows, NKV.
#define ATTENTION_BACKWARD(HS)                                                                    \
  KERNEL(Threads, 1, attention_backward_queries_head##HS##_bf16) BACKWARD_PARAMETERS {            \
    BackwardQueries<HS>().run(BACKWARD_ARGUMENTS);                                                \
  }                                                                                               \
  KERNEL(Threads, 1, attention_backward_keys_head##HS##_bf16) BACKWARD_PARAMETERS {               \
    BackwardKeys<HS>().run(BACKWARD_ARGUMENTS);                                                   \
  }

ATTENTION_BACKWARD(64)
ATTENTION_BACKWARD(80)
ATTENTION_BACKWARD(96)
ATTENTION_BACKWARD(128)
