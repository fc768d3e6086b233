// Family embedding: rows of a table by number, and the addition of rows back to it.
//
// gather: output[r, :] = table[rows[r], :]. scatter: dTable[rows[r], :] += factor * dOutput[r, :] in the order of r. Repeated
// rows make that order matter: the block of a row number's first occurrence adds all later ones too, and the blocks of those do
// nothing. Every warp finds the occurrences by itself, 32 row numbers at a time.
#include "matrix.cuh"

namespace {
constexpr int Threads = 256;

template <typename To, typename From>
DEVICE void gather(const Matrix<To>& output, const Matrix<const From>& table, const int* rows) {
  bool load = table.has_vectors(), store = output.has_vectors();
  each_pack(output.rows, output.columns, [&](int r, int c) {
    store_pack(output, r, c, store, load_pack(table, rows[r], c, load));
  });
}

// The first index in first .. count - 1 whose number is `row`, or count. The same on every lane of a warp.
DEVICE int next_occurrence(const int* rows, int row, int first, int count) {
  for (int base = first; base < count; base += WarpSize) {
    int i = base + lane_id();
    uint32_t found = lanes_where(i < count && rows[i] == row);
    if (found != 0) return base + lowest_lane(found);
  }
  return count;
}

template <typename To, typename From>
DEVICE void scatter_add(const Matrix<To>& dTable, const Matrix<const From>& dOutput, const int* rows, double factor,
                        const double* deviceFactor) {
  int r = static_cast<int>(blockIdx.x), row = rows[r];
  if (next_occurrence(rows, row, 0, r) < r) return;
  bool load = dOutput.has_vectors(), store = dTable.has_vectors();
  float scale = static_cast<float>(deviceFactor != nullptr ? factor * *deviceFactor : factor);
  int columns = dTable.columns;
  // All lanes of a warp run the same turns, so that they search together; those past the last column load and store nothing.
  for (int base = 0; base < columns; base += Threads * PackSize) {
    int c = base + static_cast<int>(threadIdx.x) * PackSize;
    Pack sum{};
    if (c < columns) sum = load_pack(dTable, row, c, store);
    for (int i = r; i < dOutput.rows; i = next_occurrence(rows, row, i + 1, dOutput.rows)) {
      if (c >= columns) continue;
      Pack term = load_pack(dOutput, i, c, load);
      UNROLL for (int k = 0; k < PackSize; ++k) sum.v[k] = fma_rn(scale, term.v[k], sum.v[k]);
    }
    if (c < columns) store_pack(dTable, row, c, store, sum);
  }
}
}  // namespace

#define EMBEDDING(name, To, From)                                                                                              \
  KERNEL(Threads, 1, gather_rows_##name)(Matrix<To> output, Matrix<const From> table, const int* rows) {   \
    gather(output, table, rows);                                                                                        \
  }                                                                                                                            \
  KERNEL(Threads, 1, scatter_add_rows_##name)                                                                                  \
  (Matrix<To> dTable, Matrix<const From> dOutput, const int* rows, double factor, const double* deviceFactor) { \
    scatter_add(dTable, dOutput, rows, factor, deviceFactor);                                                           \
  }
EMBEDDING(bf16_to_bf16, bf16, bf16)
EMBEDDING(bf16_to_f32, float, bf16)
EMBEDDING(f32_to_bf16, bf16, float)
EMBEDDING(f32_to_f32, float, float)
