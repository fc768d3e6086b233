// Family elementwise: fill, copy, scaled addition, sums, and the scalar arithmetic between loss terms.
//
// Conventions of src/Kernels/Contract/Device.Elementwise.cs. Blocks have 256 threads; a thread moves packs of eight elements,
// with 16-byte accesses where the rows allow it. Sums are of doubles in two stages whose order depends on the shape alone.
#include "matrix.cuh"
#include "reduce.cuh"

namespace {
constexpr int Threads = 256;

template <typename T>
DEVICE void fill(const Matrix<T>& target, double value) {
  bool vectors = target.has_vectors();
  Pack pack;
  UNROLL for (int i = 0; i < PackSize; ++i) pack.v[i] = static_cast<float>(value);
  each_pack(target.rows, target.columns, [&](int r, int c) { store_pack(target, r, c, vectors, pack); });
}

template <typename To, typename From>
DEVICE void copy(const Matrix<To>& target, const Matrix<const From>& source) {
  bool load = source.has_vectors(), store = target.has_vectors();
  each_pack(target.rows, target.columns, [&](int r, int c) { store_pack(target, r, c, store, load_pack(source, r, c, load)); });
}

// target += factor * source, one rounding of the product and sum together.
template <typename To, typename From>
DEVICE void add_scaled(const Matrix<To>& target, const Matrix<const From>& source, double factor, const double* deviceFactor) {
  bool load = source.has_vectors(), store = target.has_vectors();
  float scale = static_cast<float>(deviceFactor != nullptr ? factor * *deviceFactor : factor);
  each_pack(target.rows, target.columns, [&](int r, int c) {
    Pack sum = load_pack(target, r, c, store), term = load_pack(source, r, c, load);
    UNROLL for (int i = 0; i < PackSize; ++i) sum.v[i] = fma_rn(scale, term.v[i], sum.v[i]);
    store_pack(target, r, c, store, sum);
  });
}

// Calls visit(r, c) for every element, one a thread: for doubles, of which there are few.
template <typename F>
DEVICE void each_element(int rows, int columns, F visit) {
  for (int r = static_cast<int>(blockIdx.y); r < rows; r += static_cast<int>(gridDim.y))
    for (int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); c < columns; c += static_cast<int>(gridDim.x * blockDim.x))
      visit(r, c);
}

DEVICE void convert(double& to, bf16 value) { to = static_cast<double>(bf16_to_float(value)); }
DEVICE void convert(double& to, float value) { to = static_cast<double>(value); }
DEVICE void convert(double& to, double value) { to = value; }
DEVICE void convert(float& to, double value) { to = static_cast<float>(value); }
DEVICE void convert(bf16& to, double value) { to = float_to_bf16(static_cast<float>(value)); }

DEVICE double squared_or_not(double value, int squared) { return squared != 0 ? value * value : value; }

// Stage one: block b's double sum of values, or of their squares, to partials[b].
template <typename T>
DEVICE void sum_partial(double* partials, const Matrix<const T>& values, int squared) {
  __shared__ double scratch[Threads / WarpSize];
  bool vectors = values.has_vectors();
  double sum = 0;
  each_pack(values.rows, values.columns, [&](int r, int c) {
    Pack pack = load_pack(values, r, c, vectors);
    UNROLL for (int i = 0; i < PackSize; ++i) sum += squared_or_not(static_cast<double>(pack.v[i]), squared);
  });
  sum = block_sum<Threads>(sum, scratch);
  if (threadIdx.x == 0) partials[blockIdx.y * gridDim.x + blockIdx.x] = sum;
}
}  // namespace

#define FILL(name, T) \
  KERNEL(Threads, 1, fill_##name)(Matrix<T> target, double value) { fill(target, value); }
FILL(bf16, bf16)
FILL(f32, float)

KERNEL(Threads, 1, fill_f64)(Matrix<double> target, double value) {
  each_element(target.rows, target.columns, [&](int r, int c) { target.row(r)[c] = value; });
}

#define COPY(name, To, From) \
  KERNEL(Threads, 1, copy_##name)(Matrix<To> target, Matrix<const From> source) { copy(target, source); }
COPY(bf16_to_bf16, bf16, bf16)
COPY(bf16_to_f32, float, bf16)
COPY(f32_to_bf16, bf16, float)
COPY(f32_to_f32, float, float)

#define COPY_ELEMENTS(name, To, From)                                                                              \
  KERNEL(Threads, 1, copy_##name)(Matrix<To> target, Matrix<const From> source) {                                  \
    each_element(target.rows, target.columns, [&](int r, int c) { convert(target.row(r)[c], source.row(r)[c]); }); \
  }
COPY_ELEMENTS(f64_to_bf16, bf16, double)
COPY_ELEMENTS(f64_to_f32, float, double)
COPY_ELEMENTS(bf16_to_f64, double, bf16)
COPY_ELEMENTS(f32_to_f64, double, float)
COPY_ELEMENTS(f64_to_f64, double, double)

#define ADD_SCALED(name, To, From)                                                            \
  KERNEL(Threads, 1, add_scaled_##name)                                                       \
  (Matrix<To> target, Matrix<const From> source, double factor, const double* deviceFactor) { \
    add_scaled(target, source, factor, deviceFactor);                                         \
  }
ADD_SCALED(bf16_to_bf16, bf16, bf16)
ADD_SCALED(bf16_to_f32, float, bf16)
ADD_SCALED(f32_to_bf16, bf16, float)
ADD_SCALED(f32_to_f32, float, float)

KERNEL(Threads, 1, add_scaled_f64_to_f64)
(Matrix<double> target, Matrix<const double> source, double factor, const double* deviceFactor) {
  double scale = deviceFactor != nullptr ? factor * *deviceFactor : factor;
  each_element(target.rows, target.columns, [&](int r, int c) { target.row(r)[c] += scale * source.row(r)[c]; });
}

// values -> partials (one a block): their sum, or with `squared` that of their squares.
#define SUM_PARTIAL(name, T)                                                                             \
  KERNEL(Threads, 1, sum_partial_##name)(double* partials, Matrix<const T> values, int squared) {        \
    sum_partial(partials, values, squared);                                                              \
  }
SUM_PARTIAL(bf16, bf16)
SUM_PARTIAL(f32, float)

KERNEL(Threads, 1, sum_partial_f64)(double* partials, Matrix<const double> values, int squared) {
  __shared__ double scratch[Threads / WarpSize];
  double sum = 0;
  each_element(values.rows, values.columns, [&](int r, int c) { sum += squared_or_not(values.row(r)[c], squared); });
  sum = block_sum<Threads>(sum, scratch);
  if (threadIdx.x == 0) partials[blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

// One block: result = base + factor * (partials summed), where base is `constant`, or with `accumulate` the result itself.
KERNEL(Threads, 1, sum_finish)(double* result, const double* partials, int count, int accumulate, double factor, double constant) {
  __shared__ double scratch[Threads / WarpSize];
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += Threads) sum += partials[i];
  sum = block_sum<Threads>(sum, scratch);
  if (threadIdx.x == 0) *result = (accumulate != 0 ? *result : constant) + factor * sum;
}

// One thread: (norm, factor) of a sum of squares, as torch's clip_grad_norm_.
KERNEL(WarpSize, 1, clip_factor)(double* result, const double* squaredNorm, double maxNorm, double scale) {
  if (threadIdx.x != 0) return;
  double norm = scale * sqrt_rn(*squaredNorm), clip = maxNorm / (norm + 1e-6);
  // A comparison with NaN is false: a norm that is none makes a factor that is none.
  result[0] = norm;
  result[1] = scale * (maxNorm == 0 || clip > 1 ? 1 : clip);
}

// One thread: a = sum(terms) / divisor + offset, and 1 / a.
KERNEL(WarpSize, 1, ascent_value)(double* result, const double* terms, double divisor, double offset, int count) {
  if (threadIdx.x != 0) return;
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += terms[i];
  double ascent = sum / divisor + offset;
  result[0] = ascent;
  result[1] = 1 / ascent;
}
