// Matrix products: checks against a plain product in double, times beside cuBLAS.
#include "product.cuh"

namespace {

// Largest error relative to what rounding allows: that of the sums, and bf16's last bit of the result. Repeats must agree to the bit.
template <typename T>
bool check_matmul(const Module& module, const Variant& v, const Product& p, int parts, Tolerance tolerance) {
  Operands<T> x(p);
  DeviceArray<double> expected(static_cast<size_t>(p.M) * p.N), size(expected.count), path(expected.count);
  plain_matmul<<<dim3((p.N + 15) / 16, (p.M + 15) / 16), dim3(16, 16)>>>(expected.data, size.data, path.data, x.a.data, x.b.data,
                                                                        p.bias ? x.bias.data : nullptr, p.form, p.M, p.N, p.K, depth_of_part(v, p, parts),
                                                                        p.lda(), p.ldb());
  bool floats = p.floatOut || sizeof(T) == 4;
  size_t bytes = p.M * p.ldc() * (floats ? 4 : 2);
  auto call = matmul_call(module, v, p, x, parts);
  std::vector<std::vector<unsigned char>> results;
  for (int repeat = 0; repeat < 2; ++repeat) {
    CHECK(cudaMemcpy(x.c.data, x.before.data, bytes, cudaMemcpyDeviceToDevice));
    call();
    CHECK(cudaDeviceSynchronize());
    results.emplace_back(bytes);
    CHECK(cudaMemcpy(results.back().data(), x.c.data, bytes, cudaMemcpyDeviceToHost));
  }
  std::vector<unsigned char> before(bytes);
  CHECK(cudaMemcpy(before.data(), x.before.data, bytes, cudaMemcpyDeviceToHost));
  std::vector<double> want = to_host(expected), sizes = to_host(size), paths = to_host(path);
  auto at = [&](const std::vector<unsigned char>& from, int64_t i) {
    float f;
    Bf16 half;
    if (floats) {
      std::memcpy(&f, from.data() + i * 4, 4);
    } else {
      std::memcpy(&half, from.data() + i * 2, 2);
      f = host_float(half);
    }
    return static_cast<double>(f);
  };
  double worst = 0;
  for (int m = 0; m < p.M; ++m) {
    for (int n = 0; n < p.ldc(); ++n) {
      int64_t i = m * p.ldc() + n;
      double got = at(results[0], i), old = at(before, i);
      if (n >= p.N) {
        if (got != old) worst = 1e9;
        continue;
      }
      size_t entry = static_cast<size_t>(m) * p.N + n;
      // The addition to C and the store are roundings too.
      double exact = want[entry] + (p.accumulate ? old : 0), budget = tolerance.budget(paths[entry], sizes[entry]) + std::fabs(exact) * 0x1p-24;
      if (!floats) budget += std::fabs(exact) * (1.0 / 250);
      double error = std::fabs(got - exact) / budget;
      if (!(error <= worst)) worst = error < 1e9 ? error : 1e9;
    }
  }
  bool repeats = results[0] == results[1], ok = worst <= 1 && repeats;
  std::printf("{\"op\": \"matmul\", \"check\": true, \"variant\": \"%s\", \"form\": \"%s\", \"dtype\": \"%s\", \"shape\": [%d, %d, %d], \"parts\": %d, "
              "\"float_out\": %d, \"accumulate\": %d, \"bias\": %d, \"padding\": %d, \"error_share\": %.4f, \"repeats\": %s, \"ok\": %s}\n",
              v.name.c_str(), FormNames[p.form], sizeof(T) == 2 ? "bf16" : "float32", p.M, p.N, p.K, parts, p.floatOut, p.accumulate, p.bias, p.padding,
              worst, repeats ? "true" : "false", ok ? "true" : "false");
  std::fflush(stdout);
  return ok;
}

template <typename T>
void time_matmul(const Module& module, const std::vector<Variant>& variants, const Product& p) {
  if (checkOnly) return;
  Operands<T> x(p);
  double peer = cublas_time(p, x);
  for (const Variant& v : variants) {
    int tiles = (p.M + v.blockM - 1) / v.blockM * ((p.N + v.blockN - 1) / v.blockN);
    for (int parts : {1, 2, 4, 8}) {
      // Splits only where one part leaves multiprocessors idle.
      if (parts > 1 && (tiles * parts > 2 * multiprocessors() || p.K / parts < 256 || x.workspace.count == 0)) break;
      double ms = milliseconds(matmul_call(module, v, p, x, parts));
      std::printf("{\"op\": \"matmul\", \"variant\": \"%s\", \"form\": \"%s\", \"dtype\": \"%s\", \"shape\": [%d, %d, %d], \"parts\": %d, \"float_out\": %d, "
                  "\"accumulate\": %d, \"ms\": %.4f, \"tflops\": %.1f, \"cublas_ms\": %.4f, \"times_cublas\": %.3f}\n",
                  v.name.c_str(), FormNames[p.form], sizeof(T) == 2 ? "bf16" : "float32", p.M, p.N, p.K, parts, p.floatOut, p.accumulate, ms,
                  p.flops() / ms * 1e-9, peer, peer / ms);
      std::fflush(stdout);
    }
  }
}

template <typename T>
bool check_variants(const Module& module, const std::vector<Variant>& variants, Tolerance tolerance, bool odd) {
  bool ok = true;
  for (const Variant& v : variants) {
    for (int form = 0; form < 3; ++form) {
      ok &= check_matmul<T>(module, v, {form, 512, 768, 1024, true, true, true}, 1, tolerance);
      ok &= check_matmul<T>(module, v, {form, 264, 328, 456, false, false, true, 8}, 1, tolerance);
      ok &= check_matmul<T>(module, v, {form, 72, 136, 2056, false, true, false}, 4, tolerance);
      if (odd) ok &= check_matmul<T>(module, v, {form, 131, 77, 203, true, true, true, 1}, 1, tolerance);
    }
  }
  return ok;
}

const Product TimedBf16[] = {
    {1, 4096, 4096, 4096, false, false, false},   {1, 8192, 8192, 8192, false, false, false}, {1, 2048, 12288, 4096, false, false, false},
    {1, 2048, 4096, 11008, false, true, false},   {0, 2048, 4096, 22016, false, false, false}, {2, 4096, 11008, 2048, true, true, false},
    {1, 2048, 2048, 2048, false, false, false},   {1, 2048, 5632, 2048, false, false, false},  {0, 2048, 2048, 5632, false, false, false},
    {2, 2048, 5632, 2048, true, true, false},     {1, 256, 32000, 2048, true, false, false},   {2, 32000, 2048, 256, true, true, false},
    {1, 512, 512, 4096, false, false, false},     {1, 16, 4096, 4096, false, false, false},
};

}  // namespace

bool run_matmul(const std::string& folder) {
  Module module(folder + "/matmul.cubin");
  Variant any = {"any", 64, 64, 64, 128, 49152};
  bool ok = check_variants<Bf16>(module, Shipped, Tensor, false) && check_variants<Bf16>(module, {any}, Tensor, true);
  if (!ok) return false;
  std::vector<Variant> all = Shipped;
  struct Shape {
    int M, N, K, warpsM, warpsN, stages;
  };
  for (Shape s : std::initializer_list<Shape>{{128, 256, 64, 2, 4, 3}, {128, 256, 32, 2, 4, 4}, {128, 128, 32, 2, 2, 4}, {256, 128, 32, 4, 2, 4}, {64, 128, 64, 1, 4, 3},
                                              {64, 128, 32, 2, 2, 4}}) {
    char name[64];
    std::snprintf(name, sizeof name, "m%dn%dk%dw%dx%ds%d", s.M, s.N, s.K, s.warpsM, s.warpsN, s.stages);
    std::string file = folder + "/" + name + ".cubin";
    if (!std::ifstream(file)) continue;
    Variant v{name, s.M, s.N, s.K, s.warpsM * s.warpsN * 32, s.stages * (s.M + s.N) * s.K * 2, false, 1, new Module(file)};
    if (check_matmul<Bf16>(module, v, {1, 264, 328, 456, false, false, true, 8}, 1, Tensor)) all.push_back(v);
  }
  for (const Product& p : TimedBf16) time_matmul<Bf16>(module, all, p);
  return true;
}

// The PTX that ships, compiled by the driver: same products, to compare with nvcc's machine code.
bool run_ptx(const std::string& folder) {
  Module module(folder + "/matmul.ptx");
  if (!check_variants<Bf16>(module, Shipped, Tensor, false)) return false;
  for (int i : {0, 3, 5}) time_matmul<Bf16>(module, Shipped, TimedBf16[i]);
  return true;
}

bool run_float32(const std::string& folder) {
  Module module(folder + "/matmul_float32.cubin");
  std::vector<Variant> fma = {{"fma", 128, 128, 16, 256, 33792}, {"fma_small", 64, 64, 16, 256, 17408}};
  // The ring of tf32x3 is largest where K is contiguous.
  std::vector<Variant> tf32 = {{"tf32x3", 128, 128, 16, 256, 81920}};
  bool right = check_variants<float>(module, fma, Fused, true), tensor = check_variants<float>(module, tf32, Split, true);
  std::vector<Variant> all;
  if (right) all = fma;
  if (tensor) all.push_back(tf32[0]);
  for (const Product& p : {Product{1, 4096, 4096, 4096, true, false, false}, Product{0, 2048, 2048, 5632, true, false, false},
                           Product{2, 2048, 5632, 2048, true, true, false}, Product{1, 2048, 2048, 2048, true, false, false}, Product{1, 512, 512, 4096, true, false, false}})
    time_matmul<float>(module, all, p);
  return right && tensor;
}

// The variants of sm90/matmul.cu and those beside it that do not ship: of one block alone, or in clusters. Parts of K are added by the
// kernel of the other module, as in the engine.
bool run_warpgroup(const std::string& folder, bool clusters) {
  Module combine(folder + "/matmul.cubin"), shipped(folder + "/matmul_sm90.cubin"), candidates(folder + "/matmul_warpgroup_candidates.cubin");
  std::vector<Variant> variants = shipped_warpgroup(shipped);
  variants.push_back({"warpgroup_turns", 128, 128, 64, 384, WarpGroupSquareBytes, true, 1, &candidates});
  if (clusters)
    variants = {{"warpgroup_pair", 128, 256, 64, 384, WarpGroupWideBytes, true, 2, &candidates},
                {"warpgroup_turns_pair", 128, 128, 64, 384, WarpGroupSquareBytes, true, 2, &candidates}};
  bool all = true;
  std::vector<Variant> right;
  for (const Variant& v : variants) {
    bool ok = check_variants<Bf16>(combine, {v}, WarpGroup, false);
    for (int form = 0; form < 3; ++form) ok &= check_matmul<Bf16>(combine, v, {form, 2048, 2304, 4096, true, false, false}, 1, WarpGroup);
    if (ok) right.push_back(v);
    all &= ok;
  }
  for (const Product& p : TimedBf16) time_matmul<Bf16>(combine, right, p);
  return all;
}
