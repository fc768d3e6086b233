// Family norm: RMSNorm (Zhang and Sennrich, arXiv 1910.07467), y = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + eps), over each
// group of C columns of a row; and sums over rows, which its weight's gradient and that of a bias need.
//
// Variants: `warp`, a warp per group, for short groups; `block`, a block per group, for long ones. Both read a group twice, the
// second time from cache, and write it once.
#include "matrix.cuh"
#include "reduce.cuh"

namespace {
constexpr int Threads = 256;
constexpr int SumRows = Threads / WarpSize;  // rows that a block sums side by side

// The lanes that share a group: all of a warp, or all of a block.
struct WarpTeam {
  static constexpr int Size = WarpSize;
  DEVICE static int64_t first_group() { return static_cast<int64_t>(blockIdx.x) * (Threads / WarpSize) + warp_id(); }
  DEVICE static int64_t group_step() { return static_cast<int64_t>(gridDim.x) * (Threads / WarpSize); }
  DEVICE static int member() { return lane_id(); }
  DEVICE static float sum(float value) { return warp_sum(value); }
};

struct BlockTeam {
  static constexpr int Size = Threads;
  DEVICE static int64_t first_group() { return blockIdx.x; }
  DEVICE static int64_t group_step() { return gridDim.x; }
  DEVICE static int member() { return static_cast<int>(threadIdx.x); }
  DEVICE static float sum(float value) {
    __shared__ float scratch[Threads / WarpSize];
    return block_sum<Threads>(value, scratch);
  }
};

// The columns of one group as a matrix of their own, so that packs end with the group.
template <typename T>
DEVICE Matrix<T> group_of(const Matrix<T>& m, int group, int columns) {
  return Matrix<T>{m.data + static_cast<size_t>(group) * columns, m.rows, columns, m.stride, 0};
}

template <typename Team, typename T>
DEVICE void forward(const Matrix<T>& output, const Matrix<float>& rstd, const Matrix<const T>& x, const Matrix<const T>& weight,
                    float epsilon) {
  int columns = weight.columns, groups = rstd.columns;
  for (int64_t g = Team::first_group(); g < static_cast<int64_t>(x.rows) * groups; g += Team::group_step()) {
    int r = static_cast<int>(g / groups), group = static_cast<int>(g - static_cast<int64_t>(r) * groups);
    Matrix<const T> from = group_of(x, group, columns);
    Matrix<T> to = group_of(output, group, columns);
    bool load = from.has_vectors(), store = to.has_vectors(), weights = weight.has_vectors();
    float squares = 0;
    for (int c = Team::member() * PackSize; c < columns; c += Team::Size * PackSize) {
      Pack value = load_pack(from, r, c, load);
      UNROLL for (int i = 0; i < PackSize; ++i) squares = fma_rn(value.v[i], value.v[i], squares);
    }
    float reciprocal = 1.f / sqrt_rn(Team::sum(squares) / static_cast<float>(columns) + epsilon);
    if (Team::member() == 0) rstd.row(r)[group] = reciprocal;
    for (int c = Team::member() * PackSize; c < columns; c += Team::Size * PackSize) {
      Pack value = load_pack(from, r, c, load), w = load_pack(weight, 0, c, weights);
      UNROLL for (int i = 0; i < PackSize; ++i) value.v[i] = value.v[i] * reciprocal * w.v[i];
      store_pack(to, r, c, store, value);
    }
  }
}

// dX = rstd (g - x m), g = dOutput * weight, m = mean(g * x) rstd^2. dX may be dOutput: an element is read before it is written.
template <typename Team, typename T>
DEVICE void backward(const Matrix<T>& dX, const Matrix<const T>& dOutput, const Matrix<const T>& x, const Matrix<const T>& weight,
                     const Matrix<const float>& rstd, int accumulate) {
  int columns = weight.columns, groups = rstd.columns;
  for (int64_t g = Team::first_group(); g < static_cast<int64_t>(x.rows) * groups; g += Team::group_step()) {
    int r = static_cast<int>(g / groups), group = static_cast<int>(g - static_cast<int64_t>(r) * groups);
    Matrix<const T> from = group_of(x, group, columns), upstream = group_of(dOutput, group, columns);
    Matrix<T> to = group_of(dX, group, columns);
    bool vectors = from.has_vectors() && upstream.has_vectors(), store = to.has_vectors(), weights = weight.has_vectors();
    float reciprocal = rstd.row(r)[group], dot = 0;
    for (int c = Team::member() * PackSize; c < columns; c += Team::Size * PackSize) {
      Pack value = load_pack(from, r, c, vectors), d = load_pack(upstream, r, c, vectors), w = load_pack(weight, 0, c, weights);
      UNROLL for (int i = 0; i < PackSize; ++i) dot = fma_rn(d.v[i] * w.v[i], value.v[i], dot);
    }
    float mean = Team::sum(dot) / static_cast<float>(columns) * reciprocal * reciprocal;
    for (int c = Team::member() * PackSize; c < columns; c += Team::Size * PackSize) {
      Pack value = load_pack(from, r, c, vectors), d = load_pack(upstream, r, c, vectors), w = load_pack(weight, 0, c, weights);
      Pack before{};
      if (accumulate != 0) before = load_pack(to, r, c, store);
      UNROLL for (int i = 0; i < PackSize; ++i)
        value.v[i] = before.v[i] + reciprocal * (d.v[i] * w.v[i] - value.v[i] * mean);
      store_pack(to, r, c, store, value);
    }
  }
}

// Stage one of a sum over rows: block (x, y) sums 256 columns over the y-th run of `chunk` rows, eight rows side by side, into
// partials (gridDim.y, columns). pack_of(r, c) gives the terms.
template <typename F>
DEVICE void column_sums(float* partials, int64_t rows, int columns, int chunk, F pack_of) {
  __shared__ float sums[SumRows][WarpSize * PackSize];
  int lane = lane_id(), warp = warp_id(), c = (static_cast<int>(blockIdx.x) * WarpSize + lane) * PackSize;
  int64_t first = static_cast<int64_t>(blockIdx.y) * chunk, last = first + chunk < rows ? first + chunk : rows;
  Pack sum{};
  for (int64_t r = first + warp; r < last; r += SumRows) {
    if (c >= columns) continue;
    Pack term = pack_of(r, c);
    UNROLL for (int i = 0; i < PackSize; ++i) sum.v[i] += term.v[i];
  }
  UNROLL for (int i = 0; i < PackSize; ++i) sums[warp][i * WarpSize + lane] = sum.v[i];
  block_sync();
  int column = static_cast<int>(blockIdx.x) * WarpSize * PackSize + static_cast<int>(threadIdx.x);
  if (column >= columns) return;
  int slot = (static_cast<int>(threadIdx.x) % PackSize) * WarpSize + static_cast<int>(threadIdx.x) / PackSize;
  float total = 0;
  UNROLL for (int w = 0; w < SumRows; ++w) total += sums[w][slot];
  partials[static_cast<size_t>(blockIdx.y) * columns + column] = total;
}
}  // namespace

#define NORM(team, Team, name, T)                                                                                            \
  KERNEL(Threads, 1, rms_norm_forward_##team##_##name)                                                                       \
  (Matrix<T> output, Matrix<float> rstd, Matrix<const T> x, Matrix<const T> weight, float epsilon) {                         \
    forward<Team>(output, rstd, x, weight, epsilon);                                                                         \
  }                                                                                                                          \
  KERNEL(Threads, 1, rms_norm_backward_##team##_##name)                                                                      \
  (Matrix<T> dX, Matrix<const T> dOutput, Matrix<const T> x, Matrix<const T> weight, Matrix<const float> rstd, int accumulate) { \
    backward<Team>(dX, dOutput, x, weight, rstd, accumulate);                                                                \
  }
NORM(warp, WarpTeam, bf16, bf16)
NORM(warp, WarpTeam, f32, float)
NORM(block, BlockTeam, bf16, bf16)
NORM(block, BlockTeam, f32, float)

// Terms of the weight's gradient: dOutput * x * rstd, over the rows of all groups.
#define NORM_WEIGHT(name, T)                                                                                                 \
  KERNEL(Threads, 1, rms_norm_weight_partial_##name)                                                                         \
  (float* partials, Matrix<const T> dOutput, Matrix<const T> x, Matrix<const float> rstd, int columns, int chunk) {          \
    int groups = rstd.columns;                                                                                               \
    column_sums(partials, static_cast<int64_t>(x.rows) * groups, columns, chunk, [&](int64_t g, int c) {                     \
      int r = static_cast<int>(g / groups), group = static_cast<int>(g - static_cast<int64_t>(r) * groups);                  \
      Matrix<const T> from = group_of(x, group, columns), upstream = group_of(dOutput, group, columns);                      \
      Pack value = load_pack(from, r, c, from.has_vectors()), d = load_pack(upstream, r, c, upstream.has_vectors());         \
      float reciprocal = rstd.row(r)[group];                                                                                 \
      UNROLL for (int i = 0; i < PackSize; ++i) value.v[i] = d.v[i] * value.v[i] * reciprocal;                               \
      return value;                                                                                                          \
    });                                                                                                                      \
  }                                                                                                                          \
  KERNEL(Threads, 1, column_sums_partial_##name)(float* partials, Matrix<const T> values, int chunk) {                       \
    bool vectors = values.has_vectors();                                                                                     \
    column_sums(partials, values.rows, values.columns, chunk,                                                                \
                [&](int64_t r, int c) { return load_pack(values, static_cast<int>(r), c, vectors); });                       \
  }
NORM_WEIGHT(bf16, bf16)
NORM_WEIGHT(f32, float)

// Stage two: sums[c] += partials (chunks, columns) over chunks, in order.
KERNEL(Threads, 1, column_sums_finish)(float* sums, const float* partials, int columns, int chunks) {
  int c = static_cast<int>(blockIdx.x * Threads + threadIdx.x);
  if (c >= columns) return;
  float total = 0;
  for (int i = 0; i < chunks; ++i) total += partials[static_cast<size_t>(i) * columns + c];
  sums[c] += total;
}
