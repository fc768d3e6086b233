// Family embedding: rows of a table by number, and the addition of rows back to it.
//
// gather: output[r, :] = table[rows[r], :]. scatter: dTable[rows[r], :] += factor * dOutput[r, :] in the order of r. The host has
// sorted the row numbers into runs of equal ones (RowRuns.cs): a block has a run and adds all of it, so that no row of the table has
// two blocks and nothing is atomic. Numbers, and the factor, are read by one lane for all of its warp.
#include "matrix.cuh"

namespace {
constexpr int Threads = 256;  // or fewer, where rows are short

template <typename To, typename From>
DEVICE void gather(const Matrix<To>& output, const Matrix<const From>& table, const int* rows) {
  bool load = table.has_vectors(), store = output.has_vectors();
  int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x * PackSize;
  for (int r = static_cast<int>(blockIdx.y); r < output.rows; r += static_cast<int>(gridDim.y)) {
    int row = shuffle_from(lane_id() == 0 ? rows[r] : 0, 0);
    for (int64_t c = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * PackSize; c < output.columns; c += step) {
      int first = static_cast<int>(c);
      store_pack(output, r, first, store, load_pack(table, row, first, load));
    }
  }
}

// A run is the row of the table, and the place in `order` of its first occurrence; the next run's is its end.
constexpr int RunWords = 2;

// The grid's x runs over runs, its y over the columns of long rows. All lanes of a warp run the same turns, as they share numbers; those
// past the last column load and store nothing.
template <typename To, typename From>
DEVICE void scatter_add(const Matrix<To>& dTable, const Matrix<const From>& dOutput, const int* runs, const int* order, double factor,
                        const double* deviceFactor) {
  int word = lane_id() < 2 * RunWords ? runs[static_cast<int64_t>(blockIdx.x) * RunWords + lane_id()] : 0;
  int row = shuffle_from(word, 0), first = shuffle_from(word, 1), end = shuffle_from(word, RunWords + 1);
  int c = (static_cast<int>(blockIdx.y * blockDim.x) + static_cast<int>(threadIdx.x)) * PackSize;
  bool load = dOutput.has_vectors(), store = dTable.has_vectors(), has_columns = c < dTable.columns;
  if (deviceFactor != nullptr && lane_id() == 0) factor *= *deviceFactor;
  float scale = shuffle_from(static_cast<float>(factor), 0);
  Pack sum{};
  if (has_columns) sum = load_pack(dTable, row, c, store);
  for (int i = first; i < end; i += WarpSize) {
    int left = end - i, mine = lane_id() < left ? order[i + lane_id()] : 0;
    for (int j = 0; j < left && j < WarpSize; ++j) {
      int r = shuffle_from(mine, j);
      if (!has_columns) continue;
      Pack term = load_pack(dOutput, r, c, load);
      UNROLL for (int k = 0; k < PackSize; ++k) sum.v[k] = fma_rn(scale, term.v[k], sum.v[k]);
    }
  }
  if (has_columns) store_pack(dTable, row, c, store, sum);
}
}  // namespace

#define EMBEDDING(name, To, From)                                                                                              \
  KERNEL(Threads, 1, gather_rows_##name)(Matrix<To> output, Matrix<const From> table, const int* rows) {                       \
    gather(output, table, rows);                                                                                               \
  }                                                                                                                            \
  KERNEL(Threads, 1, scatter_add_rows_##name)                                                                                  \
  (Matrix<To> dTable, Matrix<const From> dOutput, const int* runs, const int* order, double factor,                            \
   const double* deviceFactor) {                                                                                               \
    scatter_add(dTable, dOutput, runs, order, factor, deviceFactor);                                                           \
  }
EMBEDDING(bf16_to_bf16, bf16, bf16)
EMBEDDING(bf16_to_f32, float, bf16)
EMBEDDING(f32_to_bf16, bf16, float)
EMBEDDING(f32_to_f32, float, float)
