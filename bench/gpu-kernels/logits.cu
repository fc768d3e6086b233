// Products whose epilogue sums the rows of logits for softmax (include/row_sums.cuh), and the softmax that joins those sums: checks against
// loops in double, times beside the same tile without sums, a kernel that sums whole rows, and cuBLAS.
#include "product.cuh"

namespace {

constexpr float Factor = 0.5f;  // of the gradients

// As the kernels take them: RowSums of row_sums.cuh, Matrix of matrix.cuh.
struct RowSums {
  float* pairs;
  float* chosen;
  const int* targets;
  int strips;
};

struct Matrix {
  Bf16* data;
  int rows, columns, stride, reserved;
};

// A tile and the columns of C that one of its warps has.
struct LogitsTile {
  Variant tile;
  int stripColumns;
  Tolerance tolerance;
};

std::vector<LogitsTile> logits_tiles(const Module& warpgroup) {
  std::vector<Variant> wide = shipped_warpgroup(warpgroup);
  return {{Shipped[0], 64, Tensor}, {Shipped[1], 64, Tensor}, {Shipped[2], 32, Tensor}, {wide[0], 128, WarpGroup}, {wide[1], 256, WarpGroup}};
}

int blocks(int items, int each) { return (items + each - 1) / each; }

struct Logits {
  Product product;
  Operands<Bf16> x;
  DeviceArray<float> pairs, chosen, losses;
  DeviceArray<int> targets;
  std::vector<int> hostTargets;

  explicit Logits(const Product& p) : product(p), x(p), pairs(size_t(p.M) * blocks(p.N, 32) * 2), chosen(p.M), losses(p.M), targets(p.M) {
    for (int m = 0; m < p.M; ++m) hostTargets.push_back(static_cast<int>((m * 7919LL + 5) % p.N));
    hostTargets[0] = 0, hostTargets[p.M - 1] = p.N - 1;
    CHECK(cudaMemcpy(targets.data, hostTargets.data(), hostTargets.size() * 4, cudaMemcpyHostToDevice));
  }

  Bf16* values() const { return reinterpret_cast<Bf16*>(x.c.data); }
  Matrix matrix() const { return {values(), product.M, product.N, static_cast<int>(product.ldc()), 0}; }
  RowSums sums(int strips) const { return {pairs.data, chosen.data, targets.data, strips}; }
};

// `stored`: whether the logits are written too.
std::function<void()> logits_call(const Module& module, const LogitsTile& t, const Logits& l, bool stored) {
  Product p = l.product;
  Variant v = t.tile;
  CUfunction f = (v.module ? *v.module : module).function("matmul_logits_" + v.name + "_bf16", v.sharedBytes);
  int tiles = blocks(p.M, v.blockM) * blocks(p.N, v.blockN);
  Bf16* c = stored ? l.values() : nullptr;
  RowSums sums = l.sums(blocks(p.N, t.stripColumns));
  if (v.warpgroup) {
    CUtensorMap a = tensor_map(l.x.a.data, p.M, p.K, p.lda(), v.blockM), b = tensor_map(l.x.b.data, p.N, p.K, p.ldb(), v.blockN);
    int grid = std::min(tiles, multiprocessors());
    return [=] { launch(f, dim3(grid), v.threads, v.sharedBytes, a, b, c, p.M, p.N, p.K, p.ldc(), sums); };
  }
  const Bf16 *a = l.x.a.data, *b = l.x.b.data;
  return [=] { launch(f, dim3(tiles), v.threads, v.sharedBytes, a, b, c, p.M, p.N, p.K, p.lda(), p.ldb(), p.ldc(), sums); };
}

int softmax_threads(int items) {
  int threads = 32;
  while (threads < 512 && threads < items) threads *= 2;
  return threads;
}

// With the threads and blocks of a row that the engine takes (LinearCrossEntropy.cs).
std::function<void()> softmax_call(const Module& module, const Logits& l, int strips, bool gradients) {
  const Product& p = l.product;
  CUfunction f = module.function("linear_cross_entropy_softmax_bf16", 0);
  int threads = softmax_threads(gradients ? blocks(p.N, 8) : strips);
  int most = std::min(blocks(p.N, threads * 8), p.N * 4 / (strips * 64));
  int parts = gradients ? std::max(1, std::min(2 * multiprocessors() / p.M, most)) : 1;
  float* losses = l.losses.data;
  const int* repeats = nullptr;
  Matrix logits = l.matrix();
  RowSums sums = l.sums(strips);
  return [=] { launch(f, dim3(p.M, parts), threads, 0, losses, logits, sums, repeats, Factor, gradients ? 1 : 0); };
}

// For logits of products that do not sum their rows.
std::function<void()> sums_call(const Module& module, const Logits& l) {
  CUfunction f = module.function("linear_cross_entropy_sums_bf16", 0);
  int rows = l.product.M, threads = softmax_threads(blocks(l.product.N, 8));
  Matrix logits = l.matrix();
  RowSums sums = l.sums(1);
  return [=] { launch(f, dim3(rows), threads, 0, logits, sums); };
}

// The larger of two shares of a budget; one that is no number is larger than any.
double worse(double worst, double error) { return error <= worst ? worst : error < 1e9 ? error : 1e9; }

// ---- Checks -----------------------------------------------------------------------------------------------------------

struct Found {
  std::vector<float> logits;  // (M, ldc)
  std::vector<float> pairs, chosen, losses;
};

Found found(const Logits& l) {
  std::vector<Bf16> values(l.product.M * l.product.ldc());
  CHECK(cudaDeviceSynchronize());
  CHECK(cudaMemcpy(values.data(), l.values(), values.size() * 2, cudaMemcpyDeviceToHost));
  Found f{{}, to_host(l.pairs), to_host(l.chosen), to_host(l.losses)};
  for (Bf16 value : values) f.logits.push_back(host_float(value));
  return f;
}

// The logits against a product in double, over what rounding allows. Beyond a row's end nothing may change.
double product_error(const Logits& l, const LogitsTile& t, const Found& f, const std::vector<Bf16>& before) {
  const Product& p = l.product;
  DeviceArray<double> expected(size_t(p.M) * p.N), size(expected.count), path(expected.count);
  const Bf16* noBias = nullptr;
  plain_matmul<<<dim3((p.N + 15) / 16, (p.M + 15) / 16), dim3(16, 16)>>>(expected.data, size.data, path.data, l.x.a.data, l.x.b.data, noBias, p.form,
                                                                        p.M, p.N, p.K, p.K, p.lda(), p.ldb());
  std::vector<double> want = to_host(expected), sizes = to_host(size), paths = to_host(path);
  double worst = 0;
  for (int m = 0; m < p.M; ++m) {
    for (int n = 0; n < p.ldc(); ++n) {
      size_t at = m * p.ldc() + n, entry = size_t(m) * p.N + n;
      if (n >= p.N) {
        if (f.logits[at] != host_float(before[at])) worst = 1e9;
        continue;
      }
      double budget = t.tolerance.budget(paths[entry], sizes[entry]) + std::fabs(want[entry]) * (0x1p-24 + 1.0 / 250);
      worst = worse(worst, std::fabs(f.logits[at] - want[entry]) / budget);
    }
  }
  return worst;
}

// Each strip's largest logit and the target's, exactly; its sum of exponentials, as far as adding its terms in any order and exp2.approx allow.
double sums_error(const Logits& l, int stripColumns, const Found& f) {
  const Product& p = l.product;
  int strips = blocks(p.N, stripColumns);
  double worst = 0, budget = stripColumns * 0x1p-24 + 0x1p-20;
  for (int m = 0; m < p.M; ++m) {
    const float* row = f.logits.data() + m * p.ldc();
    if (f.chosen[m] != row[l.hostTargets[m]]) worst = 1e9;
    for (int s = 0; s < strips; ++s) {
      const float* end = row + std::min(p.N, (s + 1) * stripColumns);
      float largest = *std::max_element(row + s * stripColumns, end);
      double sum = 0;
      for (const float* z = row + s * stripColumns; z < end; ++z) sum += std::exp(double(*z) - largest);
      const float* pair = f.pairs.data() + (size_t(m) * strips + s) * 2;
      if (pair[0] != largest) worst = 1e9;
      worst = worse(worst, std::fabs(pair[1] - sum) / (sum * budget));
    }
  }
  return worst;
}

// Losses and gradients of the logits as they were stored.
double softmax_error(const Logits& l, const Found& logits, const Found& f) {
  const Product& p = l.product;
  double worst = 0;
  for (int m = 0; m < p.M; ++m) {
    const float *row = logits.logits.data() + m * p.ldc(), *gradient = f.logits.data() + m * p.ldc();
    double largest = *std::max_element(row, row + p.N), sum = 0;
    for (int n = 0; n < p.N; ++n) sum += std::exp(row[n] - largest);
    double lse = largest + std::log(sum), chosen = row[l.hostTargets[m]];
    worst = worse(worst, std::fabs(f.losses[m] - (lse - chosen)) / (2e-5 + (std::fabs(lse) + std::fabs(chosen)) * 0x1p-23));
    for (int n = 0; n < p.N; ++n) {
      double want = Factor * (std::exp(row[n] - lse) - (n == l.hostTargets[m] ? 1 : 0));
      worst = worse(worst, std::fabs(gradient[n] - want) / (std::fabs(want) / 250 + 2e-5 * Factor));
    }
  }
  return worst;
}

bool check_logits(const Module& module, const Module& softmax, const LogitsTile& t, const Product& p) {
  Logits l(p);
  std::vector<Bf16> before(p.M * p.ldc());
  CHECK(cudaMemcpy(before.data(), l.x.before.data, before.size() * 2, cudaMemcpyDeviceToHost));
  int strips = blocks(p.N, t.stripColumns);
  Found results[3];
  // Twice, and once for the sums alone: the same bits, and the logits stay as they were.
  for (int repeat = 0; repeat < 3; ++repeat) {
    CHECK(cudaMemset(l.pairs.data, 0, l.pairs.count * 4));
    CHECK(cudaMemset(l.chosen.data, 0, l.chosen.count * 4));
    if (repeat < 2) CHECK(cudaMemcpy(l.values(), l.x.before.data, before.size() * 2, cudaMemcpyDeviceToDevice));
    logits_call(module, t, l, repeat < 2)();
    results[repeat] = found(l);
  }
  bool repeats = true;
  for (const Found& f : results) repeats &= f.logits == results[0].logits && f.pairs == results[0].pairs && f.chosen == results[0].chosen;
  softmax_call(softmax, l, strips, true)();
  Found gradients = found(l);
  double product = product_error(l, t, results[0], before), sums = sums_error(l, t.stripColumns, results[0]),
         joined = softmax_error(l, results[0], gradients);
  CHECK(cudaMemcpy(l.values(), l.x.before.data, before.size() * 2, cudaMemcpyDeviceToDevice));
  sums_call(softmax, l)();
  double whole = sums_error(l, p.N, found(l));
  bool ok = repeats && product <= 1 && sums <= 1 && joined <= 1 && whole <= 1;
  std::printf("{\"op\": \"logits\", \"check\": true, \"variant\": \"%s\", \"shape\": [%d, %d, %d], \"error_share\": [%.4f, %.4f, %.4f, %.4f], "
              "\"repeats\": %s, \"ok\": %s}\n",
              t.tile.name.c_str(), p.M, p.N, p.K, product, sums, joined, whole, repeats ? "true" : "false", ok ? "true" : "false");
  std::fflush(stdout);
  return ok;
}

// ---- Times ------------------------------------------------------------------------------------------------------------

void time_logits(const Module& module, const Module& softmax, const std::vector<LogitsTile>& tiles, const Product& p) {
  if (checkOnly) return;
  Logits l(p);
  double peer = cublas_time(p, l.x), whole = milliseconds(sums_call(softmax, l));
  for (const LogitsTile& t : tiles) {
    int strips = blocks(p.N, t.stripColumns);
    double plain = milliseconds(matmul_call(module, t.tile, p, l.x, 1)), unstored = milliseconds(logits_call(module, t, l, false));
    double losses = milliseconds(softmax_call(softmax, l, strips, false)), ms = milliseconds(logits_call(module, t, l, true));
    // Last: it turns the logits into gradients, and those again.
    double gradients = milliseconds(softmax_call(softmax, l, strips, true));
    std::printf("{\"op\": \"logits\", \"variant\": \"%s\", \"shape\": [%d, %d, %d], \"ms\": %.4f, \"tflops\": %.1f, \"plain_ms\": %.4f, \"sums_alone_ms\": %.4f, "
                "\"times_plain_and_sums\": %.3f, \"cublas_ms\": %.4f, \"times_cublas\": %.3f, \"unstored_ms\": %.4f, \"softmax_ms\": %.4f, "
                "\"softmax_gbps\": %.0f, \"losses_ms\": %.4f}\n",
                t.tile.name.c_str(), p.M, p.N, p.K, ms, p.flops() / ms * 1e-9, plain, whole, (plain + whole) / ms, peer, peer / ms, unstored, gradients,
                4.0 * p.M * p.N / gradients * 1e-6, losses);
    std::fflush(stdout);
  }
}

}  // namespace

bool run_logits(const std::string& folder) {
  Module module(folder + "/matmul.cubin"), warpgroup(folder + "/matmul_sm90.cubin"), softmax(folder + "/linear_cross_entropy.cubin");
  bool all = true;
  std::vector<LogitsTile> right;
  for (const LogitsTile& t : logits_tiles(warpgroup)) {
    // Edges in every dimension; rows of C so few that blocks share one; one tile exactly.
    bool ok = check_logits(module, softmax, t, {1, 264, 1352, 456, false, false, false, 8});
    ok &= check_logits(module, softmax, t, {1, 3, 20008, 72, false, false, false});
    ok &= check_logits(module, softmax, t, {1, 256, 256, 64, false, false, false});
    if (ok) right.push_back(t);
    all &= ok;
  }
  for (const Product& p : {Product{1, 256, 32000, 2048, false, false, false}, Product{1, 256, 128256, 2048, false, false, false},
                           Product{1, 512, 32000, 4096, false, false, false}})
    time_logits(module, softmax, right, p);
  return all;
}
