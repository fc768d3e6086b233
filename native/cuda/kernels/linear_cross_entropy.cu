// Family linear_cross_entropy: what stands between its matrix products. For a row z of logits with target y:
// loss = logsumexp(z) - z[y]; where gradients follow, z becomes factor * (softmax(z) - onehot(y)). Both as often as the entry repeats.
//
// A block of 32 to 512 threads, a power of two, per row, and two passes: the largest logit and the sum of exponentials together
// (Milakov and Gimelshein, arXiv 1805.02867), then the probabilities in place. Between them as much of the row as the host
// gives room for stays in shared memory, so that a row that fits is read from memory once.
#include "matrix.cuh"
#include "numeric.cuh"
#include "reduce.cuh"

namespace {
constexpr int MostThreads = 512;
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
  int warps = static_cast<int>(blockDim.x) / WarpSize;
  value = join_lanes(value, WarpSize);
  if (lane_id() == 0) scratch[warp_id()] = value;
  block_sync();
  return join_lanes(scratch[lane_id() % warps], warps);
}

// The sum with eight more logits.
DEVICE ExpSum join_pack(ExpSum state, const Pack& z, int c, int columns) {
  float largest = state.largest, sum = 0;
  UNROLL for (int i = 0; i < PackSize; ++i)
    if (c + i < columns && z.v[i] > largest) largest = z.v[i];
  UNROLL for (int i = 0; i < PackSize; ++i)
    if (c + i < columns) sum += exp_accurate(z.v[i] - largest);
  return {largest, state.sum * exp_accurate(state.largest - largest) + sum};
}

// The beginning of a row in shared memory, each pack written and read by the same thread.
template <typename T>
struct HeldRow {
  uint32_t shared = shared_address(dynamicShared);

  DEVICE void put(int c, const Pack& z) const {
    if constexpr (sizeof(T) == 2) {
      Words4 words;
      UNROLL for (int i = 0; i < 4; ++i) words.word[i] = floats_to_bf16x2(z.v[2 * i], z.v[2 * i + 1]);
      store_shared16(shared + c * 2, words);
    } else {
      UNROLL for (int half = 0; half < 2; ++half) {
        Words4 words;
        UNROLL for (int i = 0; i < 4; ++i) words.word[i] = float_bits(z.v[4 * half + i]);
        store_shared16(shared + (c + 4 * half) * 4, words);
      }
    }
  }

  DEVICE Pack get(int c) const {
    Pack z;
    if constexpr (sizeof(T) == 2) {
      Words4 words = load_shared16(shared + c * 2);
      UNROLL for (int i = 0; i < PackSize; ++i) z.v[i] = i % 2 == 0 ? bf16x2_low(words.word[i / 2]) : bf16x2_high(words.word[i / 2]);
    } else {
      UNROLL for (int half = 0; half < 2; ++half) {
        Words4 words = load_shared16(shared + (c + 4 * half) * 4);
        UNROLL for (int i = 0; i < 4; ++i) z.v[4 * half + i] = bits_float(words.word[i]);
      }
    }
    return z;
  }
};

// repeats: counts of equal entries, or null for one each. held: columns from the first on that stay in dynamic shared memory from one pass to the next, a multiple of eight.
template <typename T>
DEVICE void softmax(float* losses, const Matrix<T>& logits, const int* targets, const int* repeats, float factor, int gradients, int held) {
  __shared__ ExpSum scratch[MostThreads / WarpSize];
  int r = static_cast<int>(blockIdx.x), target = targets[r], columns = logits.columns;
  int first = static_cast<int>(threadIdx.x) * PackSize, step = static_cast<int>(blockDim.x) * PackSize;
  bool vectors = logits.has_vectors();
  HeldRow<T> row;
  ExpSum state{Lowest, 0};
  for (int c = first; c < columns; c += step) {
    Pack z = load_pack(logits, r, c, vectors);
    if (c < held) row.put(c, z);
    state = join_pack(state, z, c, columns);
  }
  state = block_join(state, scratch);
  float lse = state.largest + log_accurate(state.sum), chosen = to_float(logits.row(r)[target]);
  block_sync();  // every thread has the target's logit before one overwrites it
  float entries = repeats == nullptr ? 1.f : static_cast<float>(repeats[r]);
  if (threadIdx.x == 0) losses[r] = entries * (lse - chosen);
  if (gradients == 0) return;
  factor *= entries;
  for (int c = first; c < columns; c += step) {
    Pack z = c < held ? row.get(c) : load_pack(logits, r, c, vectors);
    UNROLL for (int i = 0; i < PackSize; ++i)
      z.v[i] = factor * (exp_accurate(z.v[i] - lse) - (c + i == target ? 1.f : 0.f));
    store_pack(logits, r, c, vectors, z);
  }
}
}  // namespace

#define SOFTMAX(name, T)                                                                              \
  KERNEL(MostThreads, 1, linear_cross_entropy_softmax_##name)                                         \
  (float* losses, Matrix<T> logits, const int* targets, const int* repeats, float factor, int gradients, int held) {      \
    softmax(losses, logits, targets, repeats, factor, gradients, held);                                        \
  }
SOFTMAX(bf16, bf16)
SOFTMAX(f32, float)
