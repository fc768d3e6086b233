// Family attention, variant `simt`: forward and backward without tensor cores, sums in fp32, for float32 and for heads over 128.
// The formulas and the order of work are those of attention.cu and attention_backward.cu.
//
// A warp owns eight rows (queries; keys in the pass for dK and dV) and walks over tiles of 32 others. For scores a lane is one
// of the 32: it reads its own row four values at a time while the owned rows' values are broadcast. For sums a lane is a
// channel: weights are broadcast, from shared memory too. Rows of 32-row tiles are padded by four floats, so that eight lanes
// read 16 bytes each from different banks.
#include "attention_plan.cuh"
#include "numeric.cuh"
#include "reduce.cuh"

constexpr int Threads = 128, Warps = Threads / WarpSize, Owned = 8, Rows = Warps * Owned, Columns = 32;

DEVICE float value_of(float value) { return value; }
DEVICE float value_of(bf16 value) { return bf16_to_float(value); }
DEVICE void put(float& to, float value) { to = value; }
DEVICE void put(bf16& to, float value) { to = float_to_bf16(value); }

template <typename T>
struct SimtArguments {
  T *output, *dQ, *dK, *dV;  // those of the pass
  const T* dOutput;
  float* lse;          // (NQ, NH), written by the forward
  const float* delta;  // (NQ, NH), dense
  const T *q, *k, *v;
  const int* segments;
  const int* positions;
  int64_t strideO, strideDQ, strideDK, strideDV, strideDO, strideLse, strideQ, strideK, strideV;
  int heads, groupSize, headSize, window, segmentCount, keyRows;
  float scale;
};

// Shared memory of a block: the owned rows of up to two matrices, 32 rows of two others, weights, four numbers a column.
template <int HS>
struct SimtMemory {
  static constexpr int OwnedStride = HS, ColumnStride = HS + 4;
  float owned[2][Rows * OwnedStride];
  float columns[2][Columns * ColumnStride];
  float weights[2][Rows * Columns];
  float lse[Columns], delta[Columns];
  int first[Columns], last[Columns];

  static DEVICE SimtMemory& get() { return *reinterpret_cast<SimtMemory*>(dynamicShared); }

  // Copies rows of one head; `rowOf` gives the global row, or -1 for zeros. Columns past the head size are zeros.
  template <typename T, typename RowOf>
  static DEVICE void copy(float* to, int toStride, int rows, const T* head, int64_t stride, int headSize, RowOf rowOf) {
    NO_UNROLL for (int i = static_cast<int>(threadIdx.x); i < rows * HS; i += Threads) {
      int row = i / HS, column = i % HS, from = rowOf(row);
      to[row * toStride + column] = from >= 0 && column < headSize ? value_of(head[from * stride + column]) : 0.f;
    }
  }
};

// Dot products of a warp's owned rows with this lane's column row.
template <int HS>
DEVICE void dot_rows(float (&dots)[Owned], const float* owned, const float* column) {
  UNROLL for (int r = 0; r < Owned; ++r) dots[r] = 0.f;
  NO_UNROLL for (int i = 0; i < HS; i += 4) {
    float c[4] = {column[i], column[i + 1], column[i + 2], column[i + 3]};
    UNROLL for (int r = 0; r < Owned; ++r) {
      UNROLL for (int e = 0; e < 4; ++e) dots[r] = fma_rn(owned[r * HS + i + e], c[e], dots[r]);
    }
  }
}

// sums[r][i] += sum over columns of weights[r][column] * columns[column][lane + 32 i], columns in order.
template <int HS>
DEVICE void add_weighted(float (&sums)[Owned][HS / WarpSize], const float* weights, const float* columns) {
  NO_UNROLL for (int column = 0; column < Columns; ++column) {
    const float* row = columns + column * SimtMemory<HS>::ColumnStride + lane_id();
    float values[HS / WarpSize];
    UNROLL for (int i = 0; i < HS / WarpSize; ++i) values[i] = row[i * WarpSize];
    UNROLL for (int r = 0; r < Owned; ++r) {
      float weight = weights[r * Columns + column];
      UNROLL for (int i = 0; i < HS / WarpSize; ++i) sums[r][i] = fma_rn(weight, values[i], sums[r][i]);
    }
  }
}

template <int HS>
DEVICE void clear(float (&sums)[Owned][HS / WarpSize]) {
  UNROLL for (int r = 0; r < Owned; ++r) {
    UNROLL for (int i = 0; i < HS / WarpSize; ++i) sums[r][i] = 0.f;
  }
}

template <int HS, typename T>
DEVICE void store_sums(T* head, int64_t stride, int headSize, const float (&sums)[Owned][HS / WarpSize], const float (&factors)[Owned], int rows) {
  UNROLL for (int r = 0; r < Owned; ++r) {
    if (r >= rows) break;
    UNROLL for (int i = 0; i < HS / WarpSize; ++i) {
      int column = lane_id() + i * WarpSize;
      if (column < headSize) put(head[r * stride + column], sums[r][i] * factors[r]);
    }
  }
}

// The query rows of a block, and the keys they may see.
struct OwnedQueries {
  Segment segment;
  int head, begin, rows, row0, tile, end;

  template <typename T>
  DEVICE explicit OwnedQueries(const SimtArguments<T>& x) : segment(x.segments, static_cast<int>(blockIdx.z)) {
    head = static_cast<int>(blockIdx.y);
    begin = static_cast<int>(gridDim.x - 1 - blockIdx.x) * Rows;
    rows = segment.queryCount - begin < Rows ? segment.queryCount - begin : Rows;
    row0 = segment.queryRow + begin;
    tile = end = 0;
    if (rows <= 0) return;
    const int* positions = x.positions + row0;
    tile = VisibleKeys(segment, positions[0], x.window).first / Columns;
    end = VisibleKeys(segment, positions[rows - 1], x.window).last / Columns + 1;
  }
};

template <int HS, typename T>
DEVICE void copy_keys(SimtMemory<HS>& memory, const SimtArguments<T>& x, const OwnedQueries& own, int tile) {
  int column = own.head / x.groupSize * x.headSize, count = own.segment.visible_count();
  auto rowOf = [&](int r) { return tile * Columns + r < count ? own.segment.key_row(tile * Columns + r) : -1; };
  memory.copy(memory.columns[0], memory.ColumnStride, Columns, x.k + column, x.strideK, x.headSize, rowOf);
  memory.copy(memory.columns[1], memory.ColumnStride, Columns, x.v + column, x.strideV, x.headSize, rowOf);
}

template <int HS, typename T>
DEVICE void forward(const SimtArguments<T>& x) {
  auto& memory = SimtMemory<HS>::get();
  OwnedQueries own(x);
  if (own.rows <= 0) return;
  auto rowOf = [&](int r) { return r < own.rows ? own.row0 + r : -1; };
  memory.copy(memory.owned[0], HS, Rows, x.q + own.head * x.headSize, x.strideQ, x.headSize, rowOf);
  int firstRow = warp_id() * Owned, lane = lane_id();
  float sums[Owned][HS / WarpSize], largest[Owned], total[Owned];
  clear<HS>(sums);
  UNROLL for (int r = 0; r < Owned; ++r) {
    largest[r] = -1e30f;
    total[r] = 0.f;
  }
  NO_UNROLL for (int tile = own.tile; tile < own.end; ++tile) {
    block_sync();
    copy_keys(memory, x, own, tile);
    block_sync();
    float scores[Owned];
    dot_rows<HS>(scores, memory.owned[0] + firstRow * HS, memory.columns[0] + lane * memory.ColumnStride);
    UNROLL for (int r = 0; r < Owned; ++r) {
      bool real = firstRow + r < own.rows;
      VisibleKeys keys(own.segment, x.positions[own.row0 + (real ? firstRow + r : 0)], x.window);
      int key = tile * Columns + lane;
      float score = real && key >= keys.first && key <= keys.last ? scores[r] * x.scale : -1e30f;
      float top = maximum(largest[r], warp_max(score)), correction = exp_accurate(largest[r] - top);
      float weight = score > -1e30f ? exp_accurate(score - top) : 0.f;
      largest[r] = top;
      total[r] = total[r] * correction + warp_sum(weight);
      memory.weights[0][(firstRow + r) * Columns + lane] = weight;
      UNROLL for (int i = 0; i < HS / WarpSize; ++i) sums[r][i] *= correction;
    }
    warp_sync();
    add_weighted<HS>(sums, memory.weights[0] + firstRow * Columns, memory.columns[1]);
  }
  float factors[Owned];
  UNROLL for (int r = 0; r < Owned; ++r) {
    factors[r] = 1.f / total[r];
    if (lane == 0 && firstRow + r < own.rows) x.lse[(own.row0 + firstRow + r) * x.strideLse + own.head] = largest[r] + log_accurate(total[r]);
  }
  store_sums<HS>(x.output + (own.row0 + firstRow) * x.strideO + own.head * x.headSize, x.strideO, x.headSize, sums, factors, own.rows - firstRow);
}

template <int HS, typename T>
DEVICE void backward_queries(const SimtArguments<T>& x) {
  auto& memory = SimtMemory<HS>::get();
  OwnedQueries own(x);
  if (own.rows <= 0) return;
  auto rowOf = [&](int r) { return r < own.rows ? own.row0 + r : -1; };
  memory.copy(memory.owned[0], HS, Rows, x.q + own.head * x.headSize, x.strideQ, x.headSize, rowOf);
  memory.copy(memory.owned[1], HS, Rows, x.dOutput + own.head * x.headSize, x.strideDO, x.headSize, rowOf);
  int firstRow = warp_id() * Owned, lane = lane_id();
  float sums[Owned][HS / WarpSize];
  clear<HS>(sums);
  NO_UNROLL for (int tile = own.tile; tile < own.end; ++tile) {
    block_sync();
    copy_keys(memory, x, own, tile);
    block_sync();
    float scores[Owned], dP[Owned];
    dot_rows<HS>(scores, memory.owned[0] + firstRow * HS, memory.columns[0] + lane * memory.ColumnStride);
    dot_rows<HS>(dP, memory.owned[1] + firstRow * HS, memory.columns[1] + lane * memory.ColumnStride);
    UNROLL for (int r = 0; r < Owned; ++r) {
      bool real = firstRow + r < own.rows;
      int64_t row = own.row0 + (real ? firstRow + r : 0);
      VisibleKeys keys(own.segment, x.positions[row], x.window);
      int key = tile * Columns + lane;
      bool visible = real && key >= keys.first && key <= keys.last;
      float weight = visible ? exp_accurate(scores[r] * x.scale - x.lse[row * x.strideLse + own.head]) : 0.f;
      memory.weights[0][(firstRow + r) * Columns + lane] = weight * (dP[r] - x.delta[row * x.heads + own.head]);
    }
    warp_sync();
    add_weighted<HS>(sums, memory.weights[0] + firstRow * Columns, memory.columns[0]);
  }
  float factors[Owned];
  UNROLL for (int r = 0; r < Owned; ++r) factors[r] = x.scale;
  store_sums<HS>(x.dQ + (own.row0 + firstRow) * x.strideDQ + own.head * x.headSize, x.strideDQ, x.headSize, sums, factors, own.rows - firstRow);
}

template <int HS, typename T>
DEVICE void backward_keys(const SimtArguments<T>& x) {
  auto& memory = SimtMemory<HS>::get();
  int keyRow0 = static_cast<int>(blockIdx.x) * Rows, keyHead = static_cast<int>(blockIdx.y), column = keyHead * x.headSize;
  auto keyRowOf = [&](int r) { return keyRow0 + r < x.keyRows ? keyRow0 + r : -1; };
  memory.copy(memory.owned[0], HS, Rows, x.k + column, x.strideK, x.headSize, keyRowOf);
  memory.copy(memory.owned[1], HS, Rows, x.v + column, x.strideV, x.headSize, keyRowOf);
  int firstRow = warp_id() * Owned, lane = lane_id();
  float dK[Owned][HS / WarpSize], dV[Owned][HS / WarpSize];
  clear<HS>(dK);
  clear<HS>(dV);
  for (QueryTiles<Columns, Rows, SimtArguments<T>> place(x, keyRow0, keyHead); !place.done; place.advance()) {
    int rows = place.rows(), row0 = place.segment.queryRow + place.begin, head = place.headBegin + place.head;
    auto rowOf = [&](int r) { return r < rows ? row0 + r : -1; };
    block_sync();
    memory.copy(memory.columns[0], memory.ColumnStride, Columns, x.q + head * x.headSize, x.strideQ, x.headSize, rowOf);
    memory.copy(memory.columns[1], memory.ColumnStride, Columns, x.dOutput + head * x.headSize, x.strideDO, x.headSize, rowOf);
    block_sync();
    float scores[Owned], dP[Owned];
    dot_rows<HS>(scores, memory.owned[0] + firstRow * HS, memory.columns[0] + lane * memory.ColumnStride);
    dot_rows<HS>(dP, memory.owned[1] + firstRow * HS, memory.columns[1] + lane * memory.ColumnStride);
    int64_t row = row0 + (lane < rows ? lane : 0);
    VisibleKeys keys(place.segment, x.positions[row], x.window);
    float lse = x.lse[row * x.strideLse + head], delta = x.delta[row * x.heads + head];
    // Or the addresses and numbers of all rows would be kept from tile to tile.
    int first = firstRow, at = firstRow * Columns + lane;
    pin_register(first);
    pin_register(at);
    UNROLL for (int r = 0; r < Owned; ++r) {
      int key = place.key_of(first + r);
      bool visible = lane < rows && key >= keys.first && key <= keys.last;
      float weight = visible ? exp_accurate(scores[r] * x.scale - lse) : 0.f;
      memory.weights[0][at + r * Columns] = weight;
      memory.weights[1][at + r * Columns] = weight * (dP[r] - delta);
    }
    warp_sync();
    add_weighted<HS>(dV, memory.weights[0] + firstRow * Columns, memory.columns[1]);
    add_weighted<HS>(dK, memory.weights[1] + firstRow * Columns, memory.columns[0]);
  }
  float one[Owned], factors[Owned];
  UNROLL for (int r = 0; r < Owned; ++r) {
    one[r] = 1.f;
    factors[r] = x.scale;
  }
  int rows = x.keyRows - keyRow0 - firstRow;
  store_sums<HS>(x.dK + (keyRow0 + firstRow) * x.strideDK + column, x.strideDK, x.headSize, dK, factors, rows);
  store_sums<HS>(x.dV + (keyRow0 + firstRow) * x.strideDV + column, x.strideDV, x.headSize, dV, one, rows);
}

// delta (NQ, NH) of the backward, dense: one warp a row and head.
template <typename T>
DEVICE void row_dots(float* delta, const T* dOutput, const T* output, int64_t strideDO, int64_t strideO, int rows, int heads, int headSize) {
  int index = static_cast<int>(blockIdx.x) * Warps + warp_id();
  if (index >= rows * heads) return;
  int64_t row = index / heads, head = index % heads;
  const T* d = dOutput + row * strideDO + head * headSize;
  const T* o = output + row * strideO + head * headSize;
  float sum = 0.f;
  NO_UNROLL for (int i = lane_id(); i < headSize; i += WarpSize) sum = fma_rn(value_of(d[i]), value_of(o[i]), sum);
  sum = warp_sum(sum);
  if (lane_id() == 0) delta[index] = sum;
}

// forward and queries: gridDim is 32-row tiles of the longest segment, NH, segments. keys: 32-row tiles of k's rows, NKV.
#define ATTENTION(HS, name, T)                                                                                         \
  KERNEL(Threads, 1, attention_forward_simt_head##HS##_##name)(SimtArguments<T> x) { forward<HS>(x); }                 \
  KERNEL(Threads, 1, attention_backward_queries_simt_head##HS##_##name)(SimtArguments<T> x) { backward_queries<HS>(x); } \
  KERNEL(Threads, 1, attention_backward_keys_simt_head##HS##_##name)(SimtArguments<T> x) { backward_keys<HS>(x); }

ATTENTION(32, f32, float)
ATTENTION(64, f32, float)
ATTENTION(128, f32, float)
ATTENTION(256, f32, float)
ATTENTION(256, bf16, bf16)

#define DELTA(name, T)                                                                                                      \
  KERNEL(Threads, 1, attention_backward_delta_simt_##name)                                                                  \
  (float* __restrict__ delta, const T* __restrict__ dOutput, const T* __restrict__ output, int64_t strideDO, int64_t strideO, \
   int rows, int heads, int headSize) {                                                                                     \
    row_dots(delta, dOutput, output, strideDO, strideO, rows, heads, headSize);                                             \
  }
DELTA(f32, float)
DELTA(bf16, bf16)
