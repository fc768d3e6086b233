// Family linear_cross_entropy: what stands between its matrix products. For a row z of logits with target y:
// loss = logsumexp(z) - z[y]; where gradients follow, z becomes factor * (softmax(z) - onehot(y)).
//
// A block per row, two passes: the largest logit and the sum of exponentials together (Milakov and Gimelshein, arXiv 1805.02867),
// then the probabilities in place. The second pass finds most of the row in cache.
#include "matrix.cuh"
#include "numeric.cuh"
#include "reduce.cuh"

namespace {
constexpr int Threads = 512;
constexpr float Lowest = -3.4028235e38f;

// sum of exp(z - largest), carried with its largest.
struct ExpSum {
  float largest, sum;
};

// NaN is passed on: no comparison with it holds, so it ends in the sum.
DEVICE ExpSum join(ExpSum a, ExpSum b) {
  float largest = a.largest > b.largest ? a.largest : b.largest;
  return {largest, a.sum * exp_accurate(a.largest - largest) + b.sum * exp_accurate(b.largest - largest)};
}

DEVICE ExpSum join_lanes(ExpSum value, int lanes) {
  NO_UNROLL for (int mask = lanes / 2; mask > 0; mask /= 2)
    value = join(value, ExpSum{shuffle_xor(value.largest, mask), shuffle_xor(value.sum, mask)});
  return value;
}

// Every warp joins the warps' sums for itself: the same tree everywhere, and so the same bits.
DEVICE ExpSum block_join(ExpSum value, ExpSum* scratch) {
  constexpr int Warps = Threads / WarpSize;
  value = join_lanes(value, WarpSize);
  if (lane_id() == 0) scratch[warp_id()] = value;
  block_sync();
  return join_lanes(scratch[lane_id() % Warps], Warps);
}

template <typename T>
DEVICE void softmax(float* losses, const Matrix<T>& logits, const int* targets, float factor, int gradients) {
  __shared__ ExpSum scratch[Threads / WarpSize];
  int r = static_cast<int>(blockIdx.x), target = targets[r], columns = logits.columns;
  bool vectors = logits.has_vectors();
  ExpSum state{Lowest, 0};
  for (int c = static_cast<int>(threadIdx.x) * PackSize; c < columns; c += Threads * PackSize) {
    Pack z = load_pack(logits, r, c, vectors);
    float largest = state.largest, sum = 0;
    UNROLL for (int i = 0; i < PackSize; ++i)
      if (c + i < columns && z.v[i] > largest) largest = z.v[i];
    UNROLL for (int i = 0; i < PackSize; ++i)
      if (c + i < columns) sum += exp_accurate(z.v[i] - largest);
    state = {largest, state.sum * exp_accurate(state.largest - largest) + sum};
  }
  state = block_join(state, scratch);
  float lse = state.largest + log_accurate(state.sum), chosen = to_float(logits.row(r)[target]);
  block_sync();  // every thread has the target's logit before one overwrites it
  if (threadIdx.x == 0) losses[r] = lse - chosen;
  if (gradients == 0) return;
  for (int c = static_cast<int>(threadIdx.x) * PackSize; c < columns; c += Threads * PackSize) {
    Pack z = load_pack(logits, r, c, vectors);
    UNROLL for (int i = 0; i < PackSize; ++i)
      z.v[i] = factor * (exp_accurate(z.v[i] - lse) - (c + i == target ? 1.f : 0.f));
    store_pack(logits, r, c, vectors, z);
  }
}
}  // namespace

#define SOFTMAX(name, T)                                                                                               \
  KERNEL(Threads, 1, linear_cross_entropy_softmax_##name)                                                              \
  (float* losses, Matrix<T> logits, const int* targets, float factor, int gradients) {             \
    softmax(losses, logits, targets, factor, gradients);                                                        \
  }
SOFTMAX(bf16, bf16)
SOFTMAX(f32, float)
