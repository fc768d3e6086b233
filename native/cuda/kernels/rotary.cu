// Family rotary (Su et al., arXiv 2104.09864), Hugging Face's half layout: channels i and i + HS / 2 of a head turn together:
// (a, b) becomes (a cos - b sin, b cos + a sin), with the sine negated for the inverse.
//
// x is (N, heads * HS), in place; cos and sin are (P, HS / 2); positions has N values below P. The grid's x runs over the packs
// of the first halves of all heads of a row, its y over rows.
#include "matrix.cuh"

namespace {
constexpr int Threads = 128;

template <typename T>
DEVICE void turn(const Matrix<T>& x, const Matrix<const float>& cos, const Matrix<const float>& sin, const int* positions, int inverse) {
  int half = cos.columns, packs = (half + PackSize - 1) / PackSize, heads = x.columns / (2 * half);
  bool vectors = x.has_vectors() && half % PackSize == 0, tables = cos.has_vectors() && sin.has_vectors();
  for (int r = static_cast<int>(blockIdx.y); r < x.rows; r += static_cast<int>(gridDim.y)) {
    int position = positions[r];
    for (int p = static_cast<int>(blockIdx.x * Threads + threadIdx.x); p < heads * packs; p += static_cast<int>(gridDim.x * Threads)) {
      int head = p / packs, i = (p - head * packs) * PackSize;
      // The two halves as matrices whose last column is that of the half.
      Matrix<T> low{x.data + head * 2 * half, x.rows, half, x.stride, 0}, high{low.data + half, x.rows, half, x.stride, 0};
      Pack a = load_pack(low, r, i, vectors), b = load_pack(high, r, i, vectors);
      Pack c = load_pack(cos, position, i, tables), s = load_pack(sin, position, i, tables);
      UNROLL for (int k = 0; k < PackSize; ++k) {
        float sine = inverse != 0 ? -s.v[k] : s.v[k], first = a.v[k];
        a.v[k] = first * c.v[k] - b.v[k] * sine;
        b.v[k] = b.v[k] * c.v[k] + first * sine;
      }
      store_pack(low, r, i, vectors, a);
      store_pack(high, r, i, vectors, b);
    }
  }
}
}  // namespace

#define ROTARY(name, T)                                                                                                  \
  KERNEL(Threads, 1, rotary_##name)                                                                                      \
  (Matrix<T> x, Matrix<const float> cos, Matrix<const float> sin, const int* positions, int inverse) { \
    turn(x, cos, sin, positions, inverse);                                                                        \
  }
ROTARY(bf16, bf16)
ROTARY(f32, float)
