// Family rotary (Su et al., arXiv 2104.09864), Hugging Face's half layout: channels i and i + HS / 2 of a head turn together:
// (a, b) becomes (a cos - b sin, b cos + a sin), with the sine negated for the inverse.
//
// x is (N, heads * HS), in place; cos and sin are (P, HS / 2); positions has N values below P. A block has a row and up to MostPacks
// packs of its angles; the grid's x runs over rows, its y over the packs of larger heads. A block reads its angles once, for all heads,
// into shared memory; each of its threads takes one pack of them from there and turns that of one head after the other by it.
#include "matrix.cuh"

namespace {
constexpr int Threads = 128;
constexpr int MostPacks = 32;              // of heads of 512 channels
constexpr int PackVectors = PackSize / 4;  // of 16 bytes in a pack of floats

// Where the cosines (table 0) and sines (1) of a row lie: vector after vector of their packs, so that neighbouring lanes read neighbouring vectors.
DEVICE uint32_t angle_at(uint32_t angles, int table, int vector, int p) {
  return angles + static_cast<uint32_t>(((table * PackVectors + vector) * MostPacks + p) * sizeof(Words4));
}

DEVICE void put_pack(uint32_t angles, int table, int p, const Pack& pack) {
  UNROLL for (int j = 0; j < PackVectors; ++j) {
    Words4 words;
    UNROLL for (int k = 0; k < 4; ++k) words.word[k] = float_bits(pack.v[4 * j + k]);
    store_shared16(angle_at(angles, table, j, p), words);
  }
}

DEVICE Pack take_pack(uint32_t angles, int table, int p) {
  Vector<float> vector;
  UNROLL for (int j = 0; j < PackVectors; ++j) vector.words[j] = load_shared16(angle_at(angles, table, j, p));
  return unpack(vector);
}

template <typename T>
DEVICE void turn(const Matrix<T>& x, const Matrix<const float>& cos, const Matrix<const float>& sin, const int* positions, int inverse) {
  __shared__ Words4 shared[2 * PackVectors * MostPacks];
  uint32_t angles = shared_address(shared);
  int r = static_cast<int>(blockIdx.x), first = static_cast<int>(blockIdx.y) * MostPacks, t = static_cast<int>(threadIdx.x);
  int half = cos.columns, heads = x.columns / (2 * half), packs = (half + PackSize - 1) / PackSize - first;
  if (packs > MostPacks) packs = MostPacks;
  if (t < 2 * packs) {
    int table = t / packs, p = t - table * packs;
    Matrix<const float> angle = table == 0 ? cos : sin;
    put_pack(angles, table, p, load_pack(angle, positions[r], (first + p) * PackSize, angle.has_vectors()));
  }
  block_sync();
  int side = Threads / packs, head = t / packs, p = t - head * packs, i = (first + p) * PackSize;
  if (head >= side) return;
  Pack c = take_pack(angles, 0, p), s = take_pack(angles, 1, p);
  UNROLL for (int k = 0; k < PackSize; ++k) s.v[k] = inverse != 0 ? -s.v[k] : s.v[k];
  bool vectors = x.has_vectors() && half % PackSize == 0;
  for (; head < heads; head += side) {
    // The two halves as matrices whose last column is that of the half.
    Matrix<T> low{x.data + head * 2 * half, x.rows, half, x.stride, 0}, high{low.data + half, x.rows, half, x.stride, 0};
    Pack a = load_pack(low, r, i, vectors), b = load_pack(high, r, i, vectors);
    UNROLL for (int k = 0; k < PackSize; ++k) {
      float one = a.v[k], other = b.v[k];
      a.v[k] = one * c.v[k] - other * s.v[k];
      b.v[k] = other * c.v[k] + one * s.v[k];
    }
    store_pack(low, r, i, vectors, a);
    store_pack(high, r, i, vectors, b);
  }
}
}  // namespace

#define ROTARY(name, T)                                                                                \
  KERNEL(Threads, 1, rotary_##name)                                                                    \
  (Matrix<T> x, Matrix<const float> cos, Matrix<const float> sin, const int* positions, int inverse) { \
    turn(x, cos, sin, positions, inverse);                                                             \
  }
ROTARY(bf16, bf16)
ROTARY(f32, float)
