// Family swiglu: output = silu(gate) * up, silu(z) = z / (1 + exp(-z)) (Shazeer, arXiv 2002.05202), and its gradients.
//
// All matrices are (N, F). Memory bound: every element is read once and written once, in 16-byte accesses where rows allow it.
#include "matrix.cuh"
#include "numeric.cuh"

namespace {
constexpr int Threads = 256;

template <typename T>
DEVICE void forward(const Matrix<T>& output, const Matrix<const T>& gate, const Matrix<const T>& up) {
  bool vectorOutput = output.has_vectors(), vectorGate = gate.has_vectors(), vectorUp = up.has_vectors();
  each_pack(output.rows, output.columns, [&](int r, int c) {
    Pack g = load_pack(gate, r, c, vectorGate), u = load_pack(up, r, c, vectorUp);
    UNROLL for (int i = 0; i < PackSize; ++i) u.v[i] = g.v[i] / (1.f + exp_accurate(-g.v[i])) * u.v[i];
    store_pack(output, r, c, vectorOutput, u);
  });
}

// dUp = dOutput * silu(gate); dGate = dOutput * up * s (1 + gate (1 - s)), s = 1 / (1 + exp(-gate)). A thread reads its elements
// before it writes them, so dGate may be gate and dUp may be up.
template <typename T>
DEVICE void backward(const Matrix<T>& dGate, const Matrix<T>& dUp, const Matrix<const T>& dOutput, const Matrix<const T>& gate,
                     const Matrix<const T>& up) {
  bool vectorDGate = dGate.has_vectors(), vectorDUp = dUp.has_vectors(), vectorOutput = dOutput.has_vectors();
  bool vectorGate = gate.has_vectors(), vectorUp = up.has_vectors();
  each_pack(gate.rows, gate.columns, [&](int r, int c) {
    Pack g = load_pack(gate, r, c, vectorGate), u = load_pack(up, r, c, vectorUp), d = load_pack(dOutput, r, c, vectorOutput);
    UNROLL for (int i = 0; i < PackSize; ++i) {
      float z = g.v[i], s = 1.f / (1.f + exp_accurate(-z));
      g.v[i] = d.v[i] * u.v[i] * s * (1.f + z * (1.f - s));
      u.v[i] = d.v[i] * (z * s);
    }
    store_pack(dGate, r, c, vectorDGate, g);
    store_pack(dUp, r, c, vectorDUp, u);
  });
}
}  // namespace

#define SWIGLU(name, T)                                                                                                    \
  KERNEL(Threads, 1, swiglu_forward_##name)(Matrix<T> output, Matrix<const T> gate, Matrix<const T> up) {                  \
    forward(output, gate, up);                                                                                             \
  }                                                                                                                        \
  KERNEL(Threads, 1, swiglu_backward_##name)                                                                               \
  (Matrix<T> dGate, Matrix<T> dUp, Matrix<const T> dOutput, Matrix<const T> gate, Matrix<const T> up) {                    \
    backward(dGate, dUp, dOutput, gate, up);                                                                               \
  }
SWIGLU(bf16, bf16)
SWIGLU(f32, float)
