// Family linear_cross_entropy: what stands between its matrix products. For a row z of logits with target y:
// loss = logsumexp(z) - z[y]; where gradients follow, z becomes factor * (softmax(z) - onehot(y)). Both as often as the entry repeats.
//
// The product that makes the logits leaves for each strip of a row's columns its largest logit and its sum of exponentials, and z[y]
// (row_sums.cuh). `softmax` joins them, in an order that follows from their number alone; it reads a logit once, and none where the loss is
// all. `sums` does for a whole row what those products do for a strip: for the products that do not.
#include "matrix.cuh"
#include "row_sums.cuh"

namespace {
constexpr int MostThreads = 512;

DEVICE ExpSum join_lanes(ExpSum value, int lanes) {
  NO_UNROLL for (int mask = lanes / 2; mask > 0; mask /= 2)
    value = join(value, ExpSum{shuffle_xor(value.largest, mask), shuffle_xor(value.sum, mask)});
  return value;
}

// Of a block of 32 to 512 threads, a power of two. Every warp joins the warps' sums for itself: the same tree everywhere, and so the same bits.
DEVICE ExpSum block_join(ExpSum value) {
  __shared__ ExpSum scratch[MostThreads / WarpSize];
  int warps = static_cast<int>(blockDim.x) / WarpSize;
  value = join_lanes(value, WarpSize);
  if (lane_id() == 0) scratch[warp_id()] = value;
  block_sync();
  return join_lanes(scratch[lane_id() % warps], warps);
}

DEVICE int thread_index() { return static_cast<int>(threadIdx.x); }
DEVICE int block_threads() { return static_cast<int>(blockDim.x); }

// The sum with eight more logits.
template <typename T>
DEVICE ExpSum join_pack(ExpSum state, const Pack& z, int c, int columns) {
  float largest = state.largest, sum = 0;
  UNROLL for (int i = 0; i < PackSize; ++i)
    if (c + i < columns) largest = maximum(z.v[i], largest);
  UNROLL for (int i = 0; i < PackSize; ++i)
    if (c + i < columns) sum += softmax_exp<T>(z.v[i] - largest);
  return {largest, state.sum * softmax_exp<T>(state.largest - largest) + sum};
}

template <typename T>
DEVICE void sum_rows(const Matrix<const T>& logits, const RowSums& sums) {
  int r = static_cast<int>(blockIdx.x);
  bool vectors = logits.has_vectors();
  ExpSum state{Lowest, 0};
  for (int c = thread_index() * PackSize; c < logits.columns; c += block_threads() * PackSize)
    state = join_pack<T>(state, load_pack(logits, r, c, vectors), c, logits.columns);
  state = block_join(state);
  if (threadIdx.x != 0) return;
  store_sum(sums.pairs + r, state);
  sums.chosen[r] = to_float(logits.row(r)[sums.targets[r]]);
}

// Blocks of a row, along y, have a part of its columns each, and all of its sums.
template <typename T>
DEVICE void softmax(float* losses, const Matrix<T>& logits, const RowSums& sums, const int* repeats, float factor, int gradients) {
  int r = static_cast<int>(blockIdx.x), target = sums.targets[r];
  bool reports = blockIdx.y == 0 && threadIdx.x == 0;
  float chosen = reports ? sums.chosen[r] : 0.f, entries = repeats == nullptr ? 1.f : static_cast<float>(repeats[r]);
  const Words2* pairs = sums.pairs + static_cast<int64_t>(r) * sums.strips;
  ExpSum state{Lowest, 0};
  for (int strip = thread_index(); strip < sums.strips; strip += block_threads()) state = join(state, load_sum(pairs + strip));
  state = block_join(state);
  float lse = state.largest + log_accurate(state.sum);
  if (reports) losses[r] = entries * (lse - chosen);
  if (gradients == 0) return;
  bool vectors = logits.has_vectors();
  factor *= entries;
  int block = static_cast<int>(blockIdx.y) * block_threads(), step = static_cast<int>(gridDim.y) * block_threads() * PackSize;
  for (int c = (block + thread_index()) * PackSize; c < logits.columns; c += step) {
    Pack z = load_pack(logits, r, c, vectors);
    UNROLL for (int i = 0; i < PackSize; ++i) z.v[i] = factor * (softmax_exp<T>(z.v[i] - lse) - (c + i == target ? 1.f : 0.f));
    store_pack(logits, r, c, vectors, z);
  }
}
}  // namespace

// losses: (1, rows), written. logits: (rows, V), read and written where gradients is not 0. repeats: counts of equal entries, or null for one each.
#define SOFTMAX(name, T)                                                                                               \
  KERNEL(MostThreads, 1, linear_cross_entropy_sums_##name)                                                             \
  (Matrix<const T> logits, RowSums sums) { sum_rows(logits, sums); }                                                   \
  KERNEL(MostThreads, 1, linear_cross_entropy_softmax_##name)                                                          \
  (float* losses, Matrix<T> logits, RowSums sums, const int* repeats, float factor, int gradients) {                   \
    softmax(losses, logits, sums, repeats, factor, gradients);                                                         \
  }
SOFTMAX(bf16, bf16)
SOFTMAX(f32, float)
