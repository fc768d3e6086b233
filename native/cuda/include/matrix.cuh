// Matrices in global memory, and rows of them read and written eight elements at a time.
//
// A Matrix is what the host passes for a tensor: row-major, element (r, c) at data + r * stride + c. Its layout is that of the
// host's struct MatrixArgument (24 bytes). Arithmetic is fp32; values are rounded to nearest on their way out.
#pragma once

#include "device.cuh"

template <typename T>
struct Matrix {
  T* data;
  int rows, columns;
  int stride;  // elements from one row to the next
  int reserved;

  DEVICE T* row(int r) const { return data + static_cast<size_t>(r) * stride; }

  // Every row starts at a multiple of 16 bytes, so that whole packs can move as vectors. The same for all threads.
  DEVICE bool has_vectors() const { return ((reinterpret_cast<size_t>(data) | static_cast<size_t>(stride) * sizeof(T)) & 15) == 0; }
};

DEVICE float to_float(float value) { return value; }
DEVICE float to_float(bf16 value) { return bf16_to_float(value); }
DEVICE float to_float(double value) { return static_cast<float>(value); }
DEVICE void assign(float& to, float value) { to = value; }
DEVICE void assign(bf16& to, float value) { to = float_to_bf16(value); }
DEVICE void assign(double& to, float value) { to = value; }

// A value as it is after it was stored.
template <typename T>
DEVICE float round_to(float value) {
  T stored;
  assign(stored, value);
  return to_float(stored);
}

// Eight consecutive elements of a row: 16 bytes of bf16, or 32 of fp32.
constexpr int PackSize = 8;

struct Pack {
  float v[PackSize];
};

// The same as it lies in memory.
template <typename T>
struct Vector {
  Words4 words[sizeof(T) / 2];
};

template <typename T>
DEVICE Vector<T> read_vector(const T* from) {
  Vector<T> vector;
  UNROLL for (int i = 0; i < static_cast<int>(sizeof(T)) / 2; ++i) vector.words[i] = load16(reinterpret_cast<const Words4*>(from) + i);
  return vector;
}

DEVICE Pack unpack(const Vector<bf16>& vector) {
  Pack pack;
  UNROLL for (int i = 0; i < 4; ++i) {
    pack.v[2 * i] = bf16x2_low(vector.words[0].word[i]);
    pack.v[2 * i + 1] = bf16x2_high(vector.words[0].word[i]);
  }
  return pack;
}

DEVICE Pack unpack(const Vector<float>& vector) {
  Pack pack;
  UNROLL for (int i = 0; i < PackSize; ++i) pack.v[i] = bits_float(vector.words[i / 4].word[i % 4]);
  return pack;
}

// What is made of its elements after this is made anew, and need not stay in registers until then.
template <typename T>
DEVICE void keep_packed(Vector<T>& vector) {
  UNROLL for (Words4& words : vector.words) {
    UNROLL for (uint32_t& word : words.word) pin_register(word);
  }
}

DEVICE Pack load_vector(const bf16* from) { return unpack(read_vector(from)); }
DEVICE Pack load_vector(const float* from) { return unpack(read_vector(from)); }

DEVICE void store_vector(bf16* to, const Pack& pack) {
  Words4 words;
  UNROLL for (int i = 0; i < 4; ++i) words.word[i] = floats_to_bf16x2(pack.v[2 * i], pack.v[2 * i + 1]);
  store16(to, words);
}

DEVICE void store_vector(float* to, const Pack& pack) {
  Words4 first, second;
  UNROLL for (int i = 0; i < 4; ++i) {
    first.word[i] = float_bits(pack.v[i]);
    second.word[i] = float_bits(pack.v[4 + i]);
  }
  store16(to, first);
  store16(to + 4, second);
}

// Doubles have few elements and no vectors: the branch that would use them is never taken.
DEVICE Pack load_vector(const double* from) {
  Pack pack;
  UNROLL for (int i = 0; i < PackSize; ++i) pack.v[i] = to_float(from[i]);
  return pack;
}

// Elements `first` to `first` + 7 of a row; those past the last column read as zero and are not written.
template <typename T>
DEVICE Pack load_pack(const Matrix<T>& m, int r, int first, bool vectors) {
  const T* from = m.row(r) + first;
  if (vectors && first + PackSize <= m.columns) return load_vector(from);
  Pack pack;
  UNROLL for (int i = 0; i < PackSize; ++i) pack.v[i] = first + i < m.columns ? to_float(from[i]) : 0.f;
  return pack;
}

template <typename T>
DEVICE void store_pack(const Matrix<T>& m, int r, int first, bool vectors, const Pack& pack) {
  T* to = m.row(r) + first;
  if (vectors && first + PackSize <= m.columns) {
    store_vector(to, pack);
    return;
  }
  UNROLL for (int i = 0; i < PackSize; ++i)
    if (first + i < m.columns) assign(to[i], pack.v[i]);
}

// The same for a pack that is known to be a vector.
struct Whole {};

template <typename T>
DEVICE Pack load_pack(const Matrix<T>& m, int r, int first, Whole) {
  return load_vector(m.row(r) + first);
}

template <typename T>
DEVICE void store_pack(const Matrix<T>& m, int r, int first, Whole, const Pack& pack) {
  store_vector(m.row(r) + first, pack);
}

// Calls visit(row, first column) for every pack: packs along the grid's x, rows along its y.
template <typename F>
DEVICE void each_pack(int rows, int columns, F visit) {
  for (int r = static_cast<int>(blockIdx.y); r < rows; r += static_cast<int>(gridDim.y)) {
    int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x * PackSize;
    for (int64_t c = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * PackSize; c < columns; c += step)
      visit(r, static_cast<int>(c));
  }
}
