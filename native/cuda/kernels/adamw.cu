// Family adamw: the fused optimizer step of Adam and AdamW (Loshchilov and Hutter, arXiv 1711.05101), in PyTorch's order.
//
// With g = factor * gradient + addedDecay * weight: m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
// weight = weight * shrink - rate * m / (sqrt(v) / rootCorrection + epsilon). All matrices have one shape; master, gradient, m and
// v are fp32 or bf16, `copy`, where its data is not null, takes the rounded weight. Arithmetic is fp32. One pass: each value is read and written once.
// The stochastic form rounds weight and moments to bf16 by random bits that it makes in registers.
#include "stochastic_rounding.cuh"

namespace {
constexpr int Threads = 256;

struct Constants {
  float beta1, rest1, beta2, rest2, rate, rootCorrection, epsilon, shrink, addedDecay;
};

// Leaves the rounding to the stores, which round to nearest.
struct ToNearest {
  DEVICE void operator()(Pack&, Pack&, Pack&, int, int) const {}
};

struct Stochastic {
  RoundingBits bits;

  DEVICE void operator()(Pack& weight, Pack& first, Pack& second, int row, int column) const {
    round_stochastic(weight, bits, RoundedWeight, row, column);
    round_stochastic(first, bits, RoundedMean, row, column);
    round_stochastic(second, bits, RoundedSquare, row, column);
  }
};

template <typename S, typename T, typename Rounding>
DEVICE void step(const Matrix<S>& master, const Matrix<T>& copy, const Matrix<const S>& gradient, const Matrix<S>& m,
                 const Matrix<S>& v, const double* factor, const Constants& k, const Rounding& round) {
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
    round(weight, first, second, r, c);
    store_pack(master, r, c, vectors, weight);
    store_pack(m, r, c, vectors, first);
    store_pack(v, r, c, vectors, second);
    if (copy.data != nullptr) store_pack(copy, r, c, copyVectors, weight);
  });
}
}  // namespace

#define ADAMW(name, S, T)                                                                                          \
  KERNEL(Threads, 1, adamw_##name)                                                                                 \
  (Matrix<S> master, Matrix<T> copy, Matrix<const S> gradient, Matrix<S> m, Matrix<S> v, const double* factor,     \
   Constants constants) {                                                                                          \
    step(master, copy, gradient, m, v, factor, constants, ToNearest{});                                            \
  }
ADAMW(f32_bf16, float, bf16)
ADAMW(f32_f32, float, float)
ADAMW(bf16_bf16, bf16, bf16)

KERNEL(Threads, 1, adamw_stochastic_bf16)
(Matrix<bf16> master, Matrix<const bf16> gradient, Matrix<bf16> m, Matrix<bf16> v, const double* factor, Constants constants,
 RoundingBits bits) {
  step(master, Matrix<bf16>{}, gradient, m, v, factor, constants, Stochastic{bits});
}
