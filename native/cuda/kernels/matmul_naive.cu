// Family matmul, variant `naive`: a thread per element of C, sums in fp32 in the order of K. What the faster variants are
// compared with; any size, stride and alignment.
//
// NN: A (M, K) B (K, N).  NT: A (M, K) B (N, K)^T.  TN: A (K, M)^T B (K, N).  C (M, N) = or += the product, plus bias (N) or none.
#include "matrix.cuh"

namespace {
constexpr int Side = 16;
constexpr int Threads = Side * Side;
enum Form { NN, NT, TN };

template <typename To, typename T>
DEVICE void product(const Matrix<To>& c, const Matrix<const T>& a, const Matrix<const T>& b, const T* bias, int form, int accumulate) {
  int m = static_cast<int>(blockIdx.y) * Side + static_cast<int>(threadIdx.x) / Side;
  int n = static_cast<int>(blockIdx.x) * Side + static_cast<int>(threadIdx.x) % Side;
  if (m >= c.rows || n >= c.columns) return;
  int depth = form == TN ? a.rows : a.columns;
  const T* left = form == TN ? a.data + m : a.row(m);
  const T* right = form == NT ? b.row(n) : b.data + n;
  size_t leftStep = form == TN ? static_cast<size_t>(a.stride) : 1, rightStep = form == NT ? 1 : static_cast<size_t>(b.stride);
  float sum = 0;
  for (int k = 0; k < depth; ++k) sum = fma_rn(to_float(left[k * leftStep]), to_float(right[k * rightStep]), sum);
  if (bias != nullptr) sum += to_float(bias[n]);
  To* to = c.row(m) + n;
  assign(*to, accumulate != 0 ? to_float(*to) + sum : sum);
}
}  // namespace

#define MATMUL(name, To, T)                                                                                               \
  KERNEL(Threads, 1, matmul_naive_##name)                                                                                 \
  (Matrix<To> c, Matrix<const T> a, Matrix<const T> b, const T* bias, int form, int accumulate) {                         \
    product(c, a, b, bias, form, accumulate);                                                                             \
  }
MATMUL(bf16_to_bf16, bf16, bf16)
MATMUL(bf16_to_f32, float, bf16)
MATMUL(f32_to_f32, float, float)
