// Family norm: RMSNorm (Zhang and Sennrich, arXiv 1910.07467), y = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + eps), over each
// group of C columns of a row; and sums over rows, which its weight's gradient and that of a bias need.
//
// Variants: `warp`, a warp per group, for short groups; `block`, a block per group, for long ones. A group is read once and kept in
// registers, all of it up to 1024 columns of a warp and 4096 of a block, or 8192 where there are more (`long`); what lies behind is
// read twice. So are the weights, which stay in registers from group to group. Where all of a group is kept, the weight's gradient is
// summed in registers too, a row of partial sums for each block; otherwise kernels of its own sum it.
#include "matrix.cuh"
#include "reduce.cuh"

namespace {
constexpr int Threads = 256;
constexpr int SumRows = Threads / WarpSize;  // rows that a block sums side by side
constexpr int SumColumns = WarpSize * PackSize;

// Sums of the columns that a warp's lanes have packs of, by warp; each eighth of a lane's pack beside the other lanes', free of conflicts.
struct WarpSums {
  float sums[SumRows][SumColumns];

  DEVICE void store(const Pack& pack) {
    UNROLL for (int i = 0; i < PackSize; ++i) sums[warp_id()][i * WarpSize + lane_id()] = pack.v[i];
  }

  // Of all warps, in their order, for the column that has this thread's number; a barrier comes before.
  DEVICE float total() const {
    int slot = (static_cast<int>(threadIdx.x) % PackSize) * WarpSize + static_cast<int>(threadIdx.x) / PackSize;
    float total = 0;
    UNROLL for (int w = 0; w < SumRows; ++w) total += sums[w][slot];
    return total;
  }
};

// The lanes that share a group: all of a warp, or all of a block. Each holds up to Held packs of it in registers: enough for
// the usual rows, few enough that a multiprocessor has some 32 warps.
struct WarpTeam {
  static constexpr int Size = WarpSize, Held = 4;
  DEVICE static int64_t first_group() { return static_cast<int64_t>(blockIdx.x) * (Threads / WarpSize) + warp_id(); }
  DEVICE static int64_t group_step() { return static_cast<int64_t>(gridDim.x) * (Threads / WarpSize); }
  DEVICE static int member() { return lane_id(); }
  DEVICE static float sum(float value) { return warp_sum(value); }

  // The columns' sums over all warps of the block.
  DEVICE static void store_sums(float* to, const Pack (&sums)[Held], int columns) {
    __shared__ WarpSums scratch[Held];
    UNROLL for (int i = 0; i < Held; ++i) scratch[i].store(sums[i]);
    block_sync();
    UNROLL for (int i = 0; i < Held; ++i) {
      int column = i * SumColumns + static_cast<int>(threadIdx.x);
      if (column < columns) to[column] = scratch[i].total();
    }
  }
};

template <int Held_>
struct BlockOf {
  static constexpr int Size = Threads, Held = Held_;
  DEVICE static int64_t first_group() { return blockIdx.x; }
  DEVICE static int64_t group_step() { return gridDim.x; }
  DEVICE static int member() { return static_cast<int>(threadIdx.x); }
  DEVICE static float sum(float value) {
    __shared__ float scratch[Threads / WarpSize];
    return block_sum<Threads>(value, scratch);
  }

  DEVICE static void store_sums(float* to, const Pack (&sums)[Held], int columns) {
    UNROLL for (int i = 0; i < Held; ++i) {
      int column = (member() + i * Size) * PackSize;
      if (column < columns) store_vector(to + column, sums[i]);
    }
  }
};

using BlockTeam = BlockOf<2>;
using LongBlockTeam = BlockOf<4>;  // twice the registers, which leave room for one block or two on a multiprocessor

// The packs of a group that are one member's: every Size-th. It holds the first few, where rows have vectors: visit(i, c, Whole)
// for the i-th, at column c; visit(c, bool) for the others.
template <typename Team>
struct Share {
  int columns;
  bool vectors;
  int held;  // packs of the group that its members hold

  DEVICE Share(int columns, int groups, bool vectors)
      : columns(columns), vectors(vectors && (groups == 1 || columns % PackSize == 0)), held(0) {
    if (!this->vectors) return;
    held = columns / PackSize < Team::Held * Team::Size ? columns / PackSize : Team::Held * Team::Size;
  }

  template <typename F>
  DEVICE void each_held(F visit) const {
    UNROLL for (int i = 0; i < Team::Held; ++i) {
      int pack = Team::member() + i * Team::Size;
      if (pack < held) visit(i, pack * PackSize, Whole{});
    }
  }

  template <typename F>
  DEVICE void each_other(F visit) const {
    for (int pack = Team::member(); pack * PackSize < columns; pack += Team::Size)
      if (pack >= held) visit(pack * PackSize, vectors);
  }
};

// The columns of one group as a matrix of their own, so that packs end with the group.
template <typename T>
DEVICE Matrix<T> group_of(const Matrix<T>& m, int group, int columns) {
  return Matrix<T>{m.data + static_cast<size_t>(group) * columns, m.rows, columns, m.stride, 0};
}

// output = the norm of x, whose packs read(r, group, c, how) gives; x is where those that are not held are found again.
template <typename Team, typename T, typename F>
DEVICE void normalise(const Matrix<T>& output, const Matrix<float>& rstd, const Matrix<const T>& x, const Matrix<const T>& weight,
                      float epsilon, bool vectors, F read) {
  int columns = weight.columns, groups = rstd.columns;
  Share<Team> share(columns, groups, vectors && output.has_vectors() && x.has_vectors() && weight.has_vectors());
  Pack weights[Team::Held];
  share.each_held([&](int i, int c, Whole whole) { weights[i] = load_pack(weight, 0, c, whole); });
  for (int64_t g = Team::first_group(); g < static_cast<int64_t>(x.rows) * groups; g += Team::group_step()) {
    int r = static_cast<int>(g / groups), group = static_cast<int>(g - static_cast<int64_t>(r) * groups);
    Matrix<const T> from = group_of(x, group, columns);
    Matrix<T> to = group_of(output, group, columns);
    Pack held[Team::Held]{};
    share.each_held([&](int i, int c, Whole whole) { held[i] = read(r, group, c, whole); });
    float squares = 0;
    auto add = [&](const Pack& value) { UNROLL for (int i = 0; i < PackSize; ++i) squares = fma_rn(value.v[i], value.v[i], squares); };
    UNROLL for (int i = 0; i < Team::Held; ++i) add(held[i]);
    share.each_other([&](int c, bool how) { add(read(r, group, c, how)); });
    float reciprocal = 1.f / sqrt_rn(Team::sum(squares) / static_cast<float>(columns) + epsilon);
    if (Team::member() == 0) rstd.row(r)[group] = reciprocal;
    auto write = [&](int c, auto how, Pack value, const Pack& w) {
      UNROLL for (int i = 0; i < PackSize; ++i) value.v[i] = value.v[i] * reciprocal * w.v[i];
      store_pack(to, r, c, how, value);
    };
    share.each_held([&](int i, int c, Whole whole) { write(c, whole, held[i], weights[i]); });
    share.each_other([&](int c, bool how) { write(c, how, load_pack(from, r, c, how), load_pack(weight, 0, c, how)); });
  }
}

template <typename Team, typename T>
DEVICE void forward(const Matrix<T>& output, const Matrix<float>& rstd, const Matrix<const T>& x, const Matrix<const T>& weight,
                    float epsilon) {
  normalise<Team>(output, rstd, x, weight, epsilon, true, [&](int r, int group, int c, auto how) {
    return load_pack(group_of(x, group, weight.columns), r, c, how);
  });
}

// sum = x + addend, output = the norm of the sum as it is stored. One of the two may be x, or addend: an element is read before
// it is written, and by the same thread.
template <typename Team, typename T>
DEVICE void add_forward(const Matrix<T>& output, const Matrix<T>& sum, const Matrix<float>& rstd, const Matrix<const T>& x,
                        const Matrix<const T>& addend, const Matrix<const T>& weight, float epsilon) {
  Matrix<const T> stored{sum.data, sum.rows, sum.columns, sum.stride, 0};
  bool vectors = x.has_vectors() && addend.has_vectors();
  normalise<Team>(output, rstd, stored, weight, epsilon, vectors, [&](int r, int group, int c, auto how) {
    Pack value = load_pack(group_of(x, group, weight.columns), r, c, how);
    Pack other = load_pack(group_of(addend, group, weight.columns), r, c, how);
    UNROLL for (int i = 0; i < PackSize; ++i) value.v[i] = round_to<T>(value.v[i] + other.v[i]);
    store_pack(group_of(sum, group, weight.columns), r, c, how, value);
    return value;
  });
}

// The reciprocal of a group, asked for by one lane of a warp alone.
DEVICE float saved_reciprocal(const Matrix<const float>& rstd, int r, int group) {
  return shuffle_from(lane_id() == 0 ? rstd.row(r)[group] : 0.f, 0);
}

// dX = rstd (g - x m), g = dOutput * weight, m = mean(g * x) rstd^2. dX may be dOutput: an element is read before it is written.
// With Sums, each block writes its groups' sums of dOutput * x * rstd to a row of `partials` (gridDim.x, columns); that is for groups
// of which the members hold all.
template <typename Team, bool Sums, typename T>
DEVICE void backward(const Matrix<T>& dX, float* partials, const Matrix<const T>& dOutput, const Matrix<const T>& x,
                     const Matrix<const T>& weight, const Matrix<const float>& rstd, int accumulate) {
  int columns = weight.columns, groups = rstd.columns;
  Share<Team> share(columns, groups, dX.has_vectors() && dOutput.has_vectors() && x.has_vectors() && weight.has_vectors());
  Vector<T> weights[Team::Held]{};
  [[maybe_unused]] Pack sums[Team::Held]{};
  share.each_held([&](int i, int c, Whole) { weights[i] = read_vector(weight.row(0) + c); });
  for (int64_t g = Team::first_group(); g < static_cast<int64_t>(x.rows) * groups; g += Team::group_step()) {
    int r = static_cast<int>(g / groups), group = static_cast<int>(g - static_cast<int64_t>(r) * groups);
    Matrix<const T> from = group_of(x, group, columns), upstream = group_of(dOutput, group, columns);
    Matrix<T> to = group_of(dX, group, columns);
    // As they lie in memory, which takes half the registers in bf16.
    Vector<T> values[Team::Held]{}, upstreams[Team::Held]{};
    share.each_held([&](int i, int c, Whole) {
      values[i] = read_vector(from.row(r) + c);
      upstreams[i] = read_vector(upstream.row(r) + c);
    });
    float reciprocal = saved_reciprocal(rstd, r, group), dot = 0;
    auto add = [&](const Pack& d, const Pack& w, const Pack& value) {
      UNROLL for (int i = 0; i < PackSize; ++i) dot = fma_rn(d.v[i] * w.v[i], value.v[i], dot);
    };
    UNROLL for (int i = 0; i < Team::Held; ++i) add(unpack(upstreams[i]), unpack(weights[i]), unpack(values[i]));
    if constexpr (!Sums)
      share.each_other([&](int c, bool how) { add(load_pack(upstream, r, c, how), load_pack(weight, 0, c, how), load_pack(from, r, c, how)); });
    float mean = Team::sum(dot) / static_cast<float>(columns) * reciprocal * reciprocal;
    auto write = [&](int c, auto how, const Pack& d, const Pack& w, Pack value) {
      Pack before{};
      if (accumulate != 0) before = load_pack(to, r, c, how);
      UNROLL for (int i = 0; i < PackSize; ++i) value.v[i] = before.v[i] + reciprocal * (d.v[i] * w.v[i] - value.v[i] * mean);
      store_pack(to, r, c, how, value);
    };
    share.each_held([&](int i, int c, Whole whole) {
      keep_packed(values[i]);
      keep_packed(upstreams[i]);
      keep_packed(weights[i]);
      Pack value = unpack(values[i]), d = unpack(upstreams[i]);
      if constexpr (Sums) {
        UNROLL for (int e = 0; e < PackSize; ++e) sums[i].v[e] = fma_rn(d.v[e] * value.v[e], reciprocal, sums[i].v[e]);
      }
      write(c, whole, d, unpack(weights[i]), value);
    });
    if constexpr (!Sums)
      share.each_other([&](int c, bool how) {
        write(c, how, load_pack(upstream, r, c, how), load_pack(weight, 0, c, how), load_pack(from, r, c, how));
      });
  }
  if constexpr (Sums) Team::store_sums(partials + static_cast<size_t>(blockIdx.x) * columns, sums, columns);
}

// Stage one of a sum over rows: block (x, y) sums 256 columns over the y-th run of `chunk` rows, eight rows side by side, into
// partials (gridDim.y, columns). pack_of(r, c) gives the terms.
template <typename F>
DEVICE void column_sums(float* partials, int64_t rows, int columns, int chunk, F pack_of) {
  __shared__ WarpSums sums;
  int lane = lane_id(), warp = warp_id(), c = (static_cast<int>(blockIdx.x) * WarpSize + lane) * PackSize;
  int64_t first = static_cast<int64_t>(blockIdx.y) * chunk, last = first + chunk < rows ? first + chunk : rows;
  Pack sum{};
  for (int64_t r = first + warp; r < last; r += SumRows) {
    if (c >= columns) continue;
    Pack term = pack_of(r, c);
    UNROLL for (int i = 0; i < PackSize; ++i) sum.v[i] += term.v[i];
  }
  sums.store(sum);
  block_sync();
  int column = static_cast<int>(blockIdx.x) * SumColumns + static_cast<int>(threadIdx.x);
  if (column < columns) partials[static_cast<size_t>(blockIdx.y) * columns + column] = sums.total();
}
}  // namespace

// A team's forward, and its backward with the sums of the weight's gradient.
#define NORM(team, Team, name, T)                                                                                            \
  KERNEL(Threads, 1, rms_norm_forward_##team##_##name)                                                                       \
  (Matrix<T> output, Matrix<float> rstd, Matrix<const T> x, Matrix<const T> weight, float epsilon) {                         \
    forward<Team>(output, rstd, x, weight, epsilon);                                                                         \
  }                                                                                                                          \
  KERNEL(Threads, 1, add_rms_norm_forward_##team##_##name)                                                                   \
  (Matrix<T> output, Matrix<T> sum, Matrix<float> rstd, Matrix<const T> x, Matrix<const T> addend, Matrix<const T> weight,   \
   float epsilon) {                                                                                                          \
    add_forward<Team>(output, sum, rstd, x, addend, weight, epsilon);                                                        \
  }                                                                                                                          \
  KERNEL(Threads, 1, rms_norm_backward_##team##_##name)                                                                      \
  (Matrix<T> dX, float* partials, Matrix<const T> dOutput, Matrix<const T> x, Matrix<const T> weight, Matrix<const float> rstd, \
   int accumulate) {                                                                                                         \
    backward<Team, true>(dX, partials, dOutput, x, weight, rstd, accumulate);                                                \
  }
#define NORM_INPUT(team, Team, name, T)                                                                                      \
  KERNEL(Threads, 1, rms_norm_backward_input_##team##_##name)                                                                \
  (Matrix<T> dX, Matrix<const T> dOutput, Matrix<const T> x, Matrix<const T> weight, Matrix<const float> rstd, int accumulate) { \
    backward<Team, false>(dX, nullptr, dOutput, x, weight, rstd, accumulate);                                                \
  }
NORM(warp, WarpTeam, bf16, bf16)
NORM(warp, WarpTeam, f32, float)
NORM(block, BlockTeam, bf16, bf16)
NORM(block, BlockTeam, f32, float)
NORM(long, LongBlockTeam, bf16, bf16)
NORM(long, LongBlockTeam, f32, float)
NORM_INPUT(warp, WarpTeam, bf16, bf16)
NORM_INPUT(warp, WarpTeam, f32, float)
NORM_INPUT(block, BlockTeam, bf16, bf16)
NORM_INPUT(block, BlockTeam, f32, float)

// Terms of the weight's gradient where `backward` cannot sum them: dOutput * x * rstd, over the rows of all groups.
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

// Stage two: sums[c] += partials (chunks, columns) over chunks. A block has 32 columns, a warp every eighth chunk; warps in order.
template <typename T>
DEVICE void column_sums_finish(T* sums, const float* partials, int columns, int chunks) {
  __shared__ float totals[SumRows][WarpSize];
  int lane = lane_id(), c = static_cast<int>(blockIdx.x) * WarpSize + lane;
  float total = 0;
  if (c < columns) {
    _Pragma("unroll 4") for (int i = warp_id(); i < chunks; i += SumRows) total += partials[static_cast<size_t>(i) * columns + c];
  }
  totals[warp_id()][lane] = total;
  block_sync();
  if (warp_id() != 0 || c >= columns) return;
  total = totals[0][lane];
  UNROLL for (int w = 1; w < SumRows; ++w) total += totals[w][lane];
  assign(sums[c], to_float(sums[c]) + total);
}

#define FINISH(name, T)                                                                                                \
  KERNEL(Threads, 1, column_sums_finish_##name)(T* sums, const float* partials, int columns, int chunks) {             \
    column_sums_finish(sums, partials, columns, chunks);                                                               \
  }
FINISH(bf16, bf16)
FINISH(f32, float)
