// Matrix products: their shapes, tiles and operands, a plain one in double, how the engine's kernels are called, and cuBLAS.
#pragma once

#include "kit.cuh"

namespace {

// C = op(A) op(B) + bias, in double; `size` gets the sum of the products' sizes, `path` that of the sizes of all partial sums in the
// order of K, which begins anew with every part.
template <typename T>
__global__ void plain_matmul(double* c, double* size, double* path, const T* a, const T* b, const T* bias, int form, int M, int N, int K, int kPerPart,
                             int64_t lda, int64_t ldb) {
  int n = blockIdx.x * 16 + threadIdx.x, m = blockIdx.y * 16 + threadIdx.y;
  if (m >= M || n >= N) return;
  double sum = 0, part = 0, absolute = 0, partial = 0;
  for (int k = 0; k < K; ++k) {
    if (k % kPerPart == 0) {
      sum += part;
      partial += fabs(sum);
      part = 0;
    }
    double x = to_float(form == 2 ? a[k * lda + m] : a[m * lda + k]), y = to_float(form == 1 ? b[n * ldb + k] : b[k * ldb + n]);
    part += x * y;
    absolute += fabs(x * y);
    partial += fabs(part);
  }
  sum += part;
  int64_t at = static_cast<int64_t>(m) * N + n;
  c[at] = sum + (bias ? static_cast<double>(to_float(bias[n])) : 0.0);
  size[at] = absolute;
  path[at] = partial + fabs(sum) + fabs(c[at]);
}

const char* const FormNames[] = {"nn", "nt", "tn"};

struct Product {
  int form, M, N, K;
  bool floatOut, accumulate, bias;
  int padding = 0;  // elements that rows of all matrices are longer than they need be

  int rows_a() const { return form == 2 ? K : M; }
  int columns_a() const { return form == 2 ? M : K; }
  int rows_b() const { return form == 1 ? N : K; }
  int columns_b() const { return form == 1 ? K : N; }
  int64_t lda() const { return columns_a() + padding; }
  int64_t ldb() const { return columns_b() + padding; }
  int64_t ldc() const { return N + padding; }
  double flops() const { return 2.0 * M * N * K; }
};

struct Variant {
  std::string name;
  int blockM, blockN, blockK, threads, sharedBytes;
  bool warpgroup = false;
  int cluster = 1;                 // blocks that share columns of B
  const Module* module = nullptr;  // where it is not with the kernel that adds parts
};

const std::vector<Variant> Shipped = {{"tall", 256, 128, 64, 256, 147456}, {"square", 128, 128, 64, 128, 98304}, {"small", 64, 64, 64, 128, 49152}};

// Those of sm90/matmul.cu: a ring of stages, the warps' way to C, two barriers a stage.
constexpr int WarpGroupSquareBytes = 6 * 32768 + 8 * 2560 + 96, WarpGroupWideBytes = 4 * 49152 + 8 * 2560 + 64;

std::vector<Variant> shipped_warpgroup(const Module& module) {
  return {{"warpgroup_square", 128, 128, 64, 384, WarpGroupSquareBytes, true, 1, &module},
          {"warpgroup_wide", 128, 256, 64, 384, WarpGroupWideBytes, true, 1, &module}};
}

// What rounding may do to a value of C, in units of 2^-24.
//
// Each sum by a fused multiply-add is rounded once, by at most half a unit in the last place of what it gives: together they are off by at
// most 2^-24 times the sizes of all partial sums, the running error bound (Higham, Accuracy and Stability of Numerical Algorithms, 3.3). That
// grows with K: for operands of random sign as K^1.5, where the sum of the products' sizes grows as K. Tensor cores add 8 or 16 products at a
// time in an order of their own and truncate; their error is bounded by the products' sizes instead, with a measured factor.
struct Tolerance {
  double ofPath;  // of the partial sums' sizes
  double ofSize;  // of the products' sizes, plus one

  double budget(double path, double size) const { return (ofPath * path + ofSize * (size + 1)) * 0x1p-24; }
};

constexpr Tolerance Fused{1, 0};         // float32 in the order of K: a bound that holds for every input
constexpr Tolerance Split{2, 16};        // three tf32 products: truncated sums, and low times low, which is left out
constexpr Tolerance Tensor{0, 17};       // bf16 by mma
constexpr Tolerance WarpGroup{0, 34};    // bf16 by wgmma, which adds more products at a time

template <typename T>
struct Operands {
  DeviceArray<T> a, b, bias;
  DeviceArray<float> c, before, workspace;

  explicit Operands(const Product& p)
      : a(p.rows_a() * p.lda()), b(p.rows_b() * p.ldb()), bias(p.N), c(p.M * p.ldc()), before(p.M * p.ldc()),
        workspace(static_cast<size_t>(p.M) * ((p.N + 3) / 4 * 4) * (static_cast<size_t>(p.M) * p.N <= (1 << 22) ? 16 : 0)) {
    fill_array(a, 1);
    fill_array(b, 2);
    fill_array(bias, 3);
    // Values of C's type, or half of them would be no numbers.
    if (p.floatOut || sizeof(T) == 4) {
      fill_array(before, 4);
    } else {
      fill<<<1024, 256>>>(reinterpret_cast<Bf16*>(before.data), before.count * 2, 4, 1.f);
    }
  }
};

// Boxes as the kernels of sm90/matmul.cu read them: 64 contiguous values by all rows, or by the tile's 64 of K.
CUtensorMap tensor_map(const Bf16* data, int rows, int columns, int64_t stride, int boxRows) {
  CUtensorMap map;
  cuuint64_t sizes[] = {static_cast<cuuint64_t>(columns), static_cast<cuuint64_t>(rows)}, strides[] = {static_cast<cuuint64_t>(stride * 2)};
  cuuint32_t box[] = {64, static_cast<cuuint32_t>(boxRows)}, steps[] = {1, 1};
  CHECK(DRIVER(cuTensorMapEncodeTiled)(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<Bf16*>(data), sizes, strides, box, steps,
                               CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                               CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE));
  return map;
}

// K of each of some parts but the last: whole stages.
int depth_of_part(const Variant& v, const Product& p, int parts) {
  return parts == 1 ? p.K : ((p.K + parts - 1) / parts + v.blockK - 1) / v.blockK * v.blockK;
}

// One product in one variant, K in `parts`. `module` has the kernel that adds the parts.
template <typename T>
std::function<void()> matmul_call(const Module& module, const Variant& v, const Product& p, Operands<T>& x, int parts) {
  const char* type = sizeof(T) == 2 ? "bf16" : "f32";
  int perPart = depth_of_part(v, p, parts);
  parts = (p.K + perPart - 1) / perPart;
  int tiles_m = (p.M + v.blockM - 1) / v.blockM, tiles_n = (p.N + v.blockN - 1) / v.blockN, tiles = tiles_m * tiles_n;
  int flags = (p.accumulate ? 1 : 0) | (p.floatOut || sizeof(T) == 4 ? 2 : 0);
  int64_t workspaceStride = (p.N + 3) / 4 * 4, partStride = parts > 1 ? workspaceStride * p.M : 0;
  if (parts > 1 && x.workspace.count < static_cast<size_t>(partStride) * parts) fail("workspace");
  const Module& from = v.module ? *v.module : module;
  CUfunction f = from.function(std::string("matmul_") + FormNames[p.form] + "_" + v.name + "_" + type, v.sharedBytes);
  T* bias = p.bias ? x.bias.data : nullptr;
  T* noBias = nullptr;
  void *c = x.c.data, *target = parts > 1 ? static_cast<void*>(x.workspace.data) : c;
  int64_t ldTarget = parts > 1 ? workspaceStride : p.ldc();
  CUfunction combine = parts > 1 ? module.function(std::string("matmul_combine_") + type, 0) : nullptr;
  std::function<void()> main;
  if (v.warpgroup) {
    if constexpr (sizeof(T) == 2) {
      CUtensorMap a = tensor_map(x.a.data, p.rows_a(), p.columns_a(), p.lda(), p.form == 2 ? 64 : v.blockM);
      CUtensorMap b = tensor_map(x.b.data, p.rows_b(), p.columns_b(), p.ldb(), p.form == 1 ? v.blockN / v.cluster : 64);
      int runs = (tiles_m + v.cluster - 1) / v.cluster * tiles_n * parts, blocks = std::min(runs, multiprocessors() / v.cluster) * v.cluster;
      main = [=] {
        launch_cluster(f, v.cluster, dim3(blocks), v.threads, v.sharedBytes, a, b, target, parts > 1 ? noBias : bias, p.M, p.N, p.K, ldTarget,
                       partStride, perPart, parts, parts > 1 ? 2 : flags);
      };
    }
  } else {
    const T *a = x.a.data, *b = x.b.data;
    main = [=] {
      launch(f, dim3(tiles, parts), v.threads, v.sharedBytes, a, b, target, parts > 1 ? noBias : bias, p.M, p.N, p.K, p.lda(), p.ldb(), ldTarget,
             partStride, perPart, parts > 1 ? 2 : flags);
    };
  }
  if (parts == 1) return main;
  const float* workspace = x.workspace.data;
  return [=] {
    main();
    launch(combine, dim3((p.N + 1023) / 1024, p.M), 256, 0, workspace, c, bias, p.M, p.N, parts, workspaceStride, partStride, p.ldc(), flags);
  };
}

// The three calls of cuBLAS that this needs, from the library that the variable CUBLAS names; its types by number.
struct Cublas {
  void* handle = nullptr;
  int (*gemm)(void*, int, int, int, int, int, const void*, const void*, int, int, const void*, int, int, const void*, void*, int, int, int, int) = nullptr;

  Cublas() {
    const char* path = std::getenv("CUBLAS");
    void* library = path ? dlopen(path, RTLD_NOW) : nullptr;
    if (!library) return;
    auto create = reinterpret_cast<int (*)(void**)>(symbol(library, "cublasCreate_v2"));
    auto setWorkspace = reinterpret_cast<int (*)(void*, void*, size_t)>(symbol(library, "cublasSetWorkspace_v2"));
    gemm = reinterpret_cast<decltype(gemm)>(symbol(library, "cublasGemmEx"));
    static DeviceArray<char> workspace(64 << 20);
    if (create(&handle) != 0 || setWorkspace(handle, workspace.data, workspace.count) != 0) fail("cuBLAS");
  }
};

// Milliseconds of cuBLAS, 0 where it is not there.
template <typename T>
double cublas_time(const Product& p, Operands<T>& x) {
  static Cublas cublas;
  if (!cublas.gemm) return 0;
  constexpr int Normal = 0, Transposed = 1, Float = 0, BFloat16 = 14, SumsInFloat = 68, DefaultAlgorithm = -1;
  float one = 1, beta = p.accumulate ? 1.f : 0.f;
  // Row-major C = A B is column-major C^T = B^T A^T.
  int opB = p.form == 1 ? Transposed : Normal, opA = p.form == 2 ? Transposed : Normal;
  int in = sizeof(T) == 2 ? BFloat16 : Float, out = p.floatOut || sizeof(T) == 4 ? Float : BFloat16;
  return milliseconds([&] {
    if (cublas.gemm(cublas.handle, opB, opA, p.N, p.M, p.K, &one, x.b.data, in, static_cast<int>(p.ldb()), x.a.data, in, static_cast<int>(p.lda()), &beta,
                    x.c.data, out, static_cast<int>(p.ldc()), SumsInFloat, DefaultAlgorithm) != 0)
      fail("cublasGemmEx");
  });
}

}  // namespace
