// Family adamw: the fused optimizer step of Adam and AdamW (Loshchilov and Hutter, arXiv 1711.05101), in PyTorch's order.
//
// With g = factor * gradient + addedDecay * weight: m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
// weight = weight * shrink - rate * m / (sqrt(v) / rootCorrection + epsilon). All matrices have one shape; master, gradient, m and
// v are fp32, `copy`, where its data is not null, takes the rounded weight. One pass: each value is read and written once.
#include "matrix.cuh"

namespace {
constexpr int Threads = 256;

struct Constants {
  float beta1, rest1, beta2, rest2, rate, rootCorrection, epsilon, shrink, addedDecay;
};

template <typename T>
DEVICE void step(const Matrix<float>& master, const Matrix<T>& copy, const Matrix<const float>& gradient, const Matrix<float>& m,
                 const Matrix<float>& v, const double* factor, const Constants& k) {
  bool vectors = master.has_vectors() && gradient.has_vectors() && m.has_vectors() && v.has_vectors(), copyVectors = copy.has_vectors();
  float scale = static_cast<float>(*factor);
  each_pack(master.rows, master.columns, [&](int r, int c) {
    Pack weight = load_pack(master, r, c, vectors), g = load_pack(gradient, r, c, vectors);
    Pack first = load_pack(m, r, c, vectors), second = load_pack(v, r, c, vectors);
    UNROLL for (int i = 0; i < PackSize; ++i) {
      float d = scale * g.v[i] + k.addedDecay * weight.v[i];
      first.v[i] = k.beta1 * first.v[i] + k.rest1 * d;
      second.v[i] = k.beta2 * second.v[i] + k.rest2 * (d * d);
      float denominator = sqrt_rn(second.v[i]) / k.rootCorrection + k.epsilon;
      weight.v[i] = weight.v[i] * k.shrink - k.rate * (first.v[i] / denominator);
    }
    store_pack(master, r, c, vectors, weight);
    store_pack(m, r, c, vectors, first);
    store_pack(v, r, c, vectors, second);
    if (copy.data != nullptr) store_pack(copy, r, c, copyVectors, weight);
  });
}
}  // namespace

#define ADAMW(name, T)                                                                                                  \
  KERNEL(Threads, 1, adamw_##name)                                                                                      \
  (Matrix<float> master, Matrix<T> copy, Matrix<const float> gradient, Matrix<float> m, Matrix<float> v, const double* factor, \
   Constants constants) {                                                                                               \
    step(master, copy, gradient, m, v, factor, constants);                                                              \
  }
ADAMW(bf16, bf16)
ADAMW(f32, float)
