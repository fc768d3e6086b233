// Attention: checks against a plain one in double over packed segments, times on plain batches.
#include "kit.cuh"

namespace {

struct Segment {
  int queryRow, queryCount, keyRow, keyCount, contextRow, contextCount, firstPosition, family;
};

struct Problem {
  std::vector<Segment> segments;
  std::vector<int> positions, rowSegment;
  int keyRows = 0, longest = 0;
  int heads, keyHeads, headSize, window;

  Problem(int nh, int nkv, int hs, int w) : heads(nh), keyHeads(nkv), headSize(hs), window(w) {}

  // A run of queries from `position` on, with keys of its own and a context.
  void add(int queries, int position, int keyRow, int keys, int contextRow, int contextCount, int firstPosition) {
    for (int i = 0; i < queries; ++i) {
      rowSegment.push_back(static_cast<int>(segments.size()));
      positions.push_back(position + i);
    }
    segments.push_back({static_cast<int>(positions.size()) - queries, queries, keyRow, keys, contextRow, contextCount, firstPosition, 0});
    keyRows = std::max({keyRows, keyRow + keys, contextRow + contextCount});
    longest = std::max(longest, queries);
  }

  int rows() const { return static_cast<int>(positions.size()); }

  // Query-key pairs that are visible, of one head.
  double pairs() const {
    double sum = 0;
    for (const Segment& s : segments) {
      for (int i = 0; i < s.queryCount; ++i) {
        int p = positions[s.queryRow + i], last = std::min(p - s.firstPosition, s.contextCount + s.keyCount - 1);
        sum += last - std::max(0, p - window + 1 - s.firstPosition) + 1;
      }
    }
    return sum;
  }
};

struct Buffers {
  DeviceArray<Bf16> q, k, v, dO, o, dQ, dK, dV;
  DeviceArray<float> lse, delta;
  DeviceArray<int> segments, positions, rowSegment;
  int64_t strideQ, strideK;

  explicit Buffers(const Problem& p)
      : q(size_t(p.rows()) * p.heads * p.headSize), k(size_t(p.keyRows) * p.keyHeads * p.headSize), v(k.count), dO(q.count), o(q.count), dQ(q.count),
        dK(k.count), dV(k.count), lse(size_t(p.rows()) * p.heads), delta(lse.count), segments(p.segments.size() * 8), positions(p.rows()),
        rowSegment(p.rows()), strideQ(p.heads * p.headSize), strideK(p.keyHeads * p.headSize) {
    fill_array(q, 1);
    fill_array(k, 2);
    fill_array(v, 3);
    fill_array(dO, 4);
    CHECK(cudaMemcpy(segments.data, p.segments.data(), p.segments.size() * sizeof(Segment), cudaMemcpyHostToDevice));
    CHECK(cudaMemcpy(positions.data, p.positions.data(), p.positions.size() * 4, cudaMemcpyHostToDevice));
    CHECK(cudaMemcpy(rowSegment.data, p.rowSegment.data(), p.rowSegment.size() * 4, cudaMemcpyHostToDevice));
  }
};

struct PlainArguments {
  const Bf16 *q, *k, *v, *dO;
  const Segment* segments;
  const int *positions, *rowSegment;
  int rows, keyRows, heads, keyHeads, headSize, window;
  double *o, *lse, *dQ, *dK, *dV;
};

__device__ double dot(const Bf16* a, const Bf16* b, int n) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += double(to_float(a[i])) * to_float(b[i]);
  return sum;
}

// One thread a query row and head: output, log-sum-exp, dQ.
__global__ void plain_queries(PlainArguments x) {
  int index = blockIdx.x * blockDim.x + threadIdx.x, row = index / x.heads, head = index % x.heads;
  if (row >= x.rows) return;
  Segment s = x.segments[x.rowSegment[row]];
  int p = x.positions[row], first = max(0, p - x.window + 1 - s.firstPosition), last = min(p - s.firstPosition, s.contextCount + s.keyCount - 1);
  int column = head / (x.heads / x.keyHeads) * x.headSize;
  int64_t at = (int64_t(row) * x.heads + head) * x.headSize;
  auto key = [&](const Bf16* m, int j) {
    int r = j < s.contextCount ? s.contextRow + j : s.keyRow + j - s.contextCount;
    return m + int64_t(r) * x.keyHeads * x.headSize + column;
  };
  double scale = 1 / sqrt(double(x.headSize)), largest = -1e300, sum = 0;
  for (int j = first; j <= last; ++j) largest = fmax(largest, scale * dot(x.q + at, key(x.k, j), x.headSize));
  for (int j = first; j <= last; ++j) sum += exp(scale * dot(x.q + at, key(x.k, j), x.headSize) - largest);
  double lse = largest + log(sum), delta = 0;
  x.lse[index] = lse;
  for (int i = 0; i < x.headSize; ++i) x.o[at + i] = x.dQ[at + i] = 0;
  for (int j = first; j <= last; ++j) {
    double w = exp(scale * dot(x.q + at, key(x.k, j), x.headSize) - lse);
    for (int i = 0; i < x.headSize; ++i) x.o[at + i] += w * to_float(key(x.v, j)[i]);
  }
  for (int i = 0; i < x.headSize; ++i) delta += x.o[at + i] * to_float(x.dO[at + i]);
  for (int j = first; j <= last; ++j) {
    double w = exp(scale * dot(x.q + at, key(x.k, j), x.headSize) - lse);
    double dS = scale * w * (dot(x.dO + at, key(x.v, j), x.headSize) - delta);
    for (int i = 0; i < x.headSize; ++i) x.dQ[at + i] += dS * to_float(key(x.k, j)[i]);
  }
}

// One thread a key row and key/value head: dK, dV.
__global__ void plain_keys(PlainArguments x) {
  int index = blockIdx.x * blockDim.x + threadIdx.x, row = index / x.keyHeads, keyHead = index % x.keyHeads, group = x.heads / x.keyHeads;
  if (row >= x.keyRows) return;
  int64_t to = (int64_t(row) * x.keyHeads + keyHead) * x.headSize;
  for (int i = 0; i < x.headSize; ++i) x.dK[to + i] = x.dV[to + i] = 0;
  double scale = 1 / sqrt(double(x.headSize));
  for (int r = 0; r < x.rows; ++r) {
    Segment s = x.segments[x.rowSegment[r]];
    int own = row - s.keyRow, context = row - s.contextRow;
    int j = context >= 0 && context < s.contextCount ? context : own >= 0 && own < s.keyCount ? s.contextCount + own : -1;
    int p = x.positions[r];
    if (j < 0 || j > p - s.firstPosition || j < p - x.window + 1 - s.firstPosition) continue;
    for (int head = keyHead * group; head < (keyHead + 1) * group; ++head) {
      int64_t at = (int64_t(r) * x.heads + head) * x.headSize;
      double w = exp(scale * dot(x.q + at, x.k + to, x.headSize) - x.lse[r * x.heads + head]), delta = 0;
      for (int i = 0; i < x.headSize; ++i) delta += x.o[at + i] * to_float(x.dO[at + i]);
      double dS = scale * w * (dot(x.dO + at, x.v + to, x.headSize) - delta);
      for (int i = 0; i < x.headSize; ++i) {
        x.dK[to + i] += dS * to_float(x.q[at + i]);
        x.dV[to + i] += w * to_float(x.dO[at + i]);
      }
    }
  }
}

int tile_size(int headSize) { return headSize <= 64 ? 64 : headSize <= 80 ? 80 : headSize <= 96 ? 96 : 128; }

std::function<void()> forward_call(const Module& module, const Problem& p, Buffers& x, int rows) {
  int hs = tile_size(p.headSize), rowBytes = hs * 2 + 16, shared = (rows + 256) * rowBytes;
  CUfunction f = module.function("attention_forward_rows" + std::to_string(rows) + "_head" + std::to_string(hs) + "_bf16", shared);
  dim3 grid((p.longest + rows - 1) / rows, p.heads, static_cast<unsigned>(p.segments.size()));
  float scale = 1.f / std::sqrt(static_cast<float>(p.headSize));
  return [=, &p, &x] {
    launch(f, grid, 128, shared, x.o.data, x.lse.data, x.q.data, x.k.data, x.v.data, x.segments.data, x.positions.data, x.strideQ,
           static_cast<int64_t>(p.heads), x.strideQ, x.strideK, x.strideK, p.heads / p.keyHeads, p.headSize, p.window, scale, p.headSize % 8 == 0 ? 1 : 0);
  };
}

std::function<void()> backward_call(const Module& module, const Problem& p, Buffers& x) {
  int hs = tile_size(p.headSize), rowBytes = hs * 2 + 16, sharedQueries = 6 * 64 * rowBytes, sharedKeys = 128 * rowBytes + 2 * (hs > 96 ? 32 : 64) * (2 * rowBytes + 16);
  std::string head = std::to_string(hs);
  CUfunction delta = module.function("attention_backward_delta_bf16", 0);
  CUfunction queries = module.function("attention_backward_queries_head" + head + "_bf16", sharedQueries);
  CUfunction keys = module.function("attention_backward_keys_head" + head + "_bf16", sharedKeys);
  float scale = 1.f / std::sqrt(static_cast<float>(p.headSize));
  return [=, &p, &x] {
    launch(delta, dim3((p.rows() * p.heads + 3) / 4), 128, 0, x.delta.data, x.dO.data, x.o.data, x.strideQ, x.strideQ, p.rows(), p.heads, p.headSize);
    auto pass = [&](CUfunction f, dim3 grid, int shared) {
      launch(f, grid, 128, shared, x.dQ.data, x.dK.data, x.dV.data, x.dO.data, x.lse.data, x.delta.data, x.q.data, x.k.data, x.v.data, x.segments.data,
             x.positions.data, x.strideQ, x.strideK, x.strideK, x.strideQ, static_cast<int64_t>(p.heads), x.strideQ, x.strideK, x.strideK, p.heads,
             p.heads / p.keyHeads, p.headSize, p.window, static_cast<int>(p.segments.size()), p.keyRows, scale, p.headSize % 8 == 0 ? 1 : 0);
    };
    pass(queries, dim3((p.longest + 63) / 64, p.heads, static_cast<unsigned>(p.segments.size())), sharedQueries);
    pass(keys, dim3((p.keyRows + 63) / 64, p.keyHeads), sharedKeys);
  };
}

// Largest error over the largest value.
double error_share(const DeviceArray<Bf16>& got, const DeviceArray<double>& want) {
  std::vector<Bf16> g = to_host(got);
  std::vector<double> w = to_host(want);
  double worst = 0, largest = 1e-30;
  for (size_t i = 0; i < g.size(); ++i) {
    largest = std::max(largest, std::fabs(w[i]));
    double error = std::fabs(host_float(g[i]) - w[i]);
    if (!(error <= worst)) worst = error < 1e9 ? error : 1e9;
  }
  return worst / largest;
}

bool check_attention(const Module& forward, const Module& backward, const Problem& p, int rows) {
  Buffers x(p);
  DeviceArray<double> o(x.q.count), lse(x.lse.count), dQ(x.q.count), dK(x.k.count), dV(x.k.count);
  PlainArguments plain{x.q.data, x.k.data, x.v.data, x.dO.data, reinterpret_cast<Segment*>(x.segments.data), x.positions.data, x.rowSegment.data,
                       p.rows(), p.keyRows, p.heads, p.keyHeads, p.headSize, p.window, o.data, lse.data, dQ.data, dK.data, dV.data};
  plain_queries<<<(p.rows() * p.heads + 63) / 64, 64>>>(plain);
  plain_keys<<<(p.keyRows * p.keyHeads + 63) / 64, 64>>>(plain);
  bool repeats = true;
  std::vector<Bf16> first[4];
  for (int repeat = 0; repeat < 2; ++repeat) {
    forward_call(forward, p, x, rows)();
    backward_call(backward, p, x)();
    CHECK(cudaDeviceSynchronize());
    const DeviceArray<Bf16>* outputs[] = {&x.o, &x.dQ, &x.dK, &x.dV};
    for (int i = 0; i < 4; ++i) {
      std::vector<Bf16> values = to_host(*outputs[i]);
      if (repeat == 0) first[i] = values;
      repeats &= first[i] == values;
    }
  }
  double eO = error_share(x.o, o), eQ = error_share(x.dQ, dQ), eK = error_share(x.dK, dK), eV = error_share(x.dV, dV);
  bool ok = repeats && eO < 0.01 && eQ < 0.012 && eK < 0.012 && eV < 0.012;
  std::printf("{\"op\": \"attention\", \"check\": true, \"rows\": %d, \"head_size\": %d, \"heads\": [%d, %d], \"window\": %d, \"error\": [%.5f, %.5f, %.5f, %.5f], "
              "\"repeats\": %s, \"ok\": %s}\n",
              rows, p.headSize, p.heads, p.keyHeads, p.window, eO, eQ, eK, eV, repeats ? "true" : "false", ok ? "true" : "false");
  std::fflush(stdout);
  return ok;
}

void time_attention(const Module& forward, const Module& backward, const Problem& p) {
  if (checkOnly) return;
  Buffers x(p);
  double flops = 4.0 * p.pairs() * p.heads * p.headSize;
  auto report = [&](const char* direction, const char* variant, double ms, double work) {
    std::printf("{\"op\": \"attention\", \"direction\": \"%s\", \"variant\": \"%s\", \"segments\": %zu, \"longest\": %d, \"heads\": [%d, %d], \"head_size\": %d, "
                "\"ms\": %.4f, \"tflops\": %.1f}\n",
                direction, variant, p.segments.size(), p.longest, p.heads, p.keyHeads, p.headSize, ms, work / ms * 1e-9);
    std::fflush(stdout);
  };
  for (int rows : {64, 128}) {
    if (rows == 128 && tile_size(p.headSize) == 128) continue;
    report("forward", rows == 64 ? "rows64" : "rows128", milliseconds(forward_call(forward, p, x, rows)), flops);
  }
  report("backward", "", milliseconds(backward_call(backward, p, x)), 2.5 * flops);
}

}  // namespace

bool run_attention(const std::string& folder) {
  Module forward(folder + "/attention.cubin"), backward(folder + "/attention_backward.cubin");
  bool ok = true;
  constexpr int Everything = 1 << 30;
  for (int headSize : {64, 80, 96, 128, 40, 61}) {
    for (int window : {Everything, 50}) {
      Problem p(6, 2, headSize, window);
      // A prompt, two answers that see it (the first with pads), a plain sequence, a decoded row.
      p.add(100, 0, 0, 100, 0, 0, 0);
      p.add(150, 100, 100, 140, 0, 100, 0);
      p.add(31, 100, 240, 31, 0, 100, 0);
      p.add(257, 0, 271, 257, 0, 0, 0);
      p.add(1, 64, 528, 65, 0, 0, 0);
      for (int rows : {64, 128}) {
        if (rows == 64 || tile_size(headSize) < 128) ok &= check_attention(forward, backward, p, rows);
      }
    }
  }
  if (!ok) return false;
  struct Shape {
    int batch, length, heads, keyHeads, headSize;
  };
  for (Shape s : std::initializer_list<Shape>{{8, 256, 32, 32, 128}, {8, 256, 32, 4, 64}, {4, 2048, 32, 32, 128}, {4, 2048, 32, 32, 64}, {16, 128, 32, 32, 128}}) {
    Problem p(s.heads, s.keyHeads, s.headSize, Everything);
    for (int b = 0; b < s.batch; ++b) p.add(s.length, 0, b * s.length, s.length, 0, 0, 0);
    time_attention(forward, backward, p);
  }
  return true;
}
