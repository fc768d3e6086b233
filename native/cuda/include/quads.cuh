// Rows of a matrix in quads, four consecutive elements, as the Gaussian noise is drawn: 8 bytes of bf16, or 16 of fp32.
#pragma once

#include "matrix.cuh"

struct alignas(16) Quad {
  float v[4];
};

DEVICE Quad load_four(const float* from) {
  Words4 words = load16(from);
  return {{bits_float(words.word[0]), bits_float(words.word[1]), bits_float(words.word[2]), bits_float(words.word[3])}};
}

DEVICE Quad load_four(const bf16* from) {
  Words2 words = load8(from);
  return {{bf16x2_low(words.word[0]), bf16x2_high(words.word[0]), bf16x2_low(words.word[1]), bf16x2_high(words.word[1])}};
}

DEVICE void store_four(float* to, const Quad& quad) {
  store16(to, {{float_bits(quad.v[0]), float_bits(quad.v[1]), float_bits(quad.v[2]), float_bits(quad.v[3])}});
}

DEVICE void store_four(bf16* to, const Quad& quad) {
  store8(to, {{floats_to_bf16x2(quad.v[0], quad.v[1]), floats_to_bf16x2(quad.v[2], quad.v[3])}});
}

// A matrix read and written in quads; what would lie past the last column is zero, and not written.
template <typename T>
struct Quads {
  Matrix<T> m;
  int whole;  // quads of a row that move as a vector, from its first on

  DEVICE explicit Quads(const Matrix<T>& matrix) : m(matrix), whole(matrix.has_vectors() ? matrix.columns / 4 : 0) {}

  DEVICE Quad load(int r, int q) const {
    const T* from = m.row(r) + 4 * q;
    if (q < whole) return load_four(from);
    Quad quad;
    UNROLL for (int i = 0; i < 4; ++i) quad.v[i] = 4 * q + i < m.columns ? to_float(from[i]) : 0.f;
    return quad;
  }

  DEVICE void store(int r, int q, const Quad& quad) const {
    T* to = m.row(r) + 4 * q;
    if (q < whole) {
      store_four(to, quad);
      return;
    }
    UNROLL for (int i = 0; i < 4; ++i)
      if (4 * q + i < m.columns) assign(to[i], quad.v[i]);
  }
};
