// Kernels as clang compiles them: the same source at -O0, -O1 and -O3 gives one result, which is the host's; and kernels with a mistake each
// are reported with all that a person needs to find it. The PTX lies in compiled/ptx, made by the target update-test-ptx.
#include <bit>
#include <cmath>
#include <fstream>
#include <random>
#include <sstream>

#include "check.h"
#include "exec/fault.h"
#include "machine.h"

#define DEVICE inline
#define APART __attribute__((noinline))
#include "compiled/threads.h"

using check::Machine;

namespace {

const std::string Folder = PTXSIM_COMPILED;
constexpr const char* Levels[] = {"O0", "O1", "O3"};
constexpr uint32_t Threads = 512;

std::string contents(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + " cannot be read");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string ptx(const std::string& name) { return contents(Folder + "/ptx/" + name + ".ptx"); }

std::vector<uint32_t> numbers(size_t count) {
  std::mt19937 random(3);
  std::vector<uint32_t> values(count);
  for (size_t i = 0; i < count; i++) values[i] = i % 9 == 0 ? static_cast<uint32_t>(i) : static_cast<uint32_t>(random());
  return values;
}

// out[thread] = model(thread) at every level.
template <typename Model>
void agrees(const std::string& kernel, Model model) {
  auto in = numbers(threads::Inputs);
  for (std::string level : Levels) {
    Machine machine(ptx("threads." + level));
    uint64_t out = machine.room(Threads * 4);
    machine.launch(kernel, {out, machine.upload(in)}, Threads / 64, 64);
    auto found = machine.download<uint32_t>(out, Threads);
    for (uint32_t thread = 0; thread < Threads; thread++)
      check::equal(found[thread], static_cast<uint32_t>(model(thread, in.data())), kernel + " at -" + level + ", thread " + std::to_string(thread));
  }
}

float fromBf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

std::vector<uint16_t> brains(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint16_t> values(count);
  for (auto& value : values) value = static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 512.0f) >> 16);
  return values;
}

// The report of a launch that must fault.
template <typename F>
std::pair<ptxsim::FaultKind, std::string> reportOf(const std::string& what, F launch) {
  try {
    launch();
  } catch (const ptxsim::KernelFault& fault) {
    return {fault.kind(), fault.what()};
  }

  throw std::runtime_error(what + " gave no report");
}

// The number after a text, which stands in the report.
size_t numberAfter(const std::string& report, const std::string& text) {
  size_t at = report.find(text);
  if (at == std::string::npos) throw std::runtime_error("'" + text + "' is not in:\n" + report);
  return std::stoul(report.substr(at + text.size()));
}

std::string lineOf(const std::string& text, size_t number) {
  std::istringstream lines(text);
  std::string line;
  for (size_t i = 0; i < number; i++) std::getline(lines, line);
  return line;
}

struct Planted {
  std::string kernel;
  ptxsim::FaultKind kind;
  std::string message;      // in the report
  std::string instruction;  // on the PTX line that it names
  std::string source;       // on the line of planted.cuh that it names
  uint32_t m = 128, n = 128, k = 128;
  bool hasAddress = true;   // barriers have none
};

void isReported(const Planted& planted) {
  static const std::string text = ptx("planted"), source = contents(Folder + "/planted.cuh");
  Machine machine(text);
  bool isProduct = planted.kernel.starts_with("product");
  auto [kind, report] = reportOf(planted.kernel, [&, kernel = planted] {
    if (isProduct)
      machine.launch(kernel.kernel, {machine.upload(brains(kernel.m * kernel.k, 1)), machine.upload(brains(kernel.n * kernel.k, 2)), machine.room(kernel.m * kernel.n * 4),
                                     kernel.m, kernel.n, kernel.k}, (kernel.n + 63) / 64, 128, 20480, (kernel.m + 63) / 64);
    else
      machine.launch(kernel.kernel, {machine.upload(std::vector<float>{0}), 7, 4096}, 16, 256, 32);
  });
  check::equal(ptxsim::cudaError(kind), ptxsim::cudaError(planted.kind), "error of: " + report);
  check::contains(report, "kernel '" + planted.kernel + "'");
  check::contains(report, planted.message);
  check::contains(lineOf(text, numberAfter(report, "at PTX line ")), planted.instruction);
  check::contains(lineOf(source, numberAfter(report, "planted.cuh:")), planted.source);
  check::that(numberAfter(report, "thread (") < 256, "the thread of: " + report);
  check::contains(report, "of block (");
  if (planted.hasAddress) check::contains(report, "address 0x");
}

}  // namespace

CASE(threads_agree_at_every_level) {
  agrees("sorts", threads::sorts);
  agrees("structures", threads::structures);
  agrees("integers", threads::integers);
  agrees("floats", threads::floats);
  agrees("bytes", threads::bytes);
}

CASE(tables_agree_at_every_level) {
  agrees("tables", [](uint32_t thread, const uint32_t* in) {
    constexpr uint32_t Primes[] = {2, 3, 5, 7, 11, 13, 17, 19};
    uint32_t at = in[thread] % 8;
    return Primes[at] * 65536 + at * at * 256 + static_cast<uint32_t>("ptxsim!"[at % 7]) + (thread % 2 ? Primes[at] : in[at]);
  });
}

CASE(blocks_agree_at_every_level) {
  agrees("shared", [](uint32_t thread, const uint32_t* in) {
    uint32_t sum = 0, first = thread / 64 * 64;
    for (uint32_t i = 0; i < 64; i++) sum += in[first + i] & 255;
    return (thread % 64 % 3 == 0 ? in[first + 63 - thread % 64] : in[thread]) + sum;
  });
}

CASE(warps_agree_at_every_level) {
  agrees("warps", [](uint32_t thread, const uint32_t* in) -> uint32_t {
    uint32_t sum = 0, odd = 0, largest = 0, first = thread / 32 * 32;
    for (uint32_t i = first; i < first + 32; i++) {
      if (i <= thread) sum += in[i] & 1023;
      odd += in[i] & 1;
      largest = std::max(largest, in[i] & 1023);
    }
    return (in[thread] & 1023) < 100 ? 0 : sum * 64 + odd + largest;
  });
}

CASE(atomics_agree_at_every_level) {
  auto in = numbers(Threads);
  for (std::string level : Levels) {
    Machine machine(ptx("threads." + level));
    std::vector<uint32_t> out(10, 0);
    uint64_t place = machine.upload(out);
    machine.launch("atomics", {place, machine.upload(in)}, Threads / 64, 64);
    float sum = 0;
    uint64_t wide = 0;
    for (uint32_t value : in) {
      out[0] += value, out[1] ^= value, out[2] = std::max(out[2], value);
      out[3] = static_cast<uint32_t>(std::min(static_cast<int32_t>(out[3]), static_cast<int32_t>(value)));
      wide += uint64_t{value} << 16, sum += static_cast<float>(value & 7);
    }
    out[4] = std::bit_cast<uint32_t>(sum);
    std::memcpy(&out[8], &wide, 8);
    auto found = machine.download<uint32_t>(place, out.size());
    for (size_t i = 0; i < out.size(); i++) check::equal(found[i], out[i], "atomics at -" + level + ", word " + std::to_string(i));
  }
}

// Ragged edges on every side, and more blocks than one.
CASE(a_product_is_the_same_at_every_level) {
  constexpr uint32_t M = 72, N = 100, K = 104;
  auto a = brains(M * K, 1), b = brains(N * K, 2);
  std::vector<float> first;
  for (std::string level : Levels) {
    Machine machine(ptx("products." + level));
    uint64_t c = machine.room(M * N * 4);
    machine.launch("product_bf16", {machine.upload(a), machine.upload(b), c, M, N, K}, 2, 128, 20480, 2);
    auto found = machine.download<float>(c, M * N);
    for (uint32_t i = 0; i < M * N; i++) {
      double expected = 0;
      for (uint32_t x = 0; x < K; x++) expected += static_cast<double>(fromBf16(a[i / N * K + x])) * static_cast<double>(fromBf16(b[i % N * K + x]));
      check::that(std::fabs(found[i] - expected) <= 1e-5 * (1 + std::fabs(expected)), "element " + std::to_string(i) + " at -" + level);
      if (!first.empty()) check::equal(found[i], first[i], "element " + std::to_string(i) + " at -" + level);
    }
    first = found;
  }
}

CASE(attention_is_the_same_at_every_level) {
  constexpr uint32_t S = 100;
  auto q = brains(S * 64, 1), k = brains(S * 64, 2), v = brains(S * 64, 3);
  std::vector<uint16_t> first;
  for (std::string level : Levels) {
    Machine machine(ptx("products." + level));
    uint64_t o = machine.room(S * 64 * 2), lse = machine.room(S * 4);
    machine.launch("attention_bf16", {machine.upload(q), machine.upload(k), machine.upload(v), o, lse, S}, 2, 128, 3 * 64 * 144);
    auto found = machine.download<uint16_t>(o, S * 64);
    auto sums = machine.download<float>(lse, S);
    for (uint32_t row = 0; row < S; row++) {
      double weights[S], total = 0;
      for (uint32_t key = 0; key <= row; key++) {
        double score = 0;
        for (uint32_t d = 0; d < 64; d++) score += static_cast<double>(fromBf16(q[row * 64 + d])) * static_cast<double>(fromBf16(k[key * 64 + d]));
        total += weights[key] = std::exp(score / 8);
      }
      check::that(std::fabs(sums[row] - std::log(total)) < 1e-4, "log of the sum of row " + std::to_string(row) + " at -" + level);
      for (uint32_t d = 0; d < 64; d++) {
        double expected = 0;
        for (uint32_t key = 0; key <= row; key++) expected += weights[key] / total * static_cast<double>(fromBf16(v[key * 64 + d]));
        check::that(std::fabs(fromBf16(found[row * 64 + d]) - expected) < 2e-2, "row " + std::to_string(row) + ", column " + std::to_string(d) + " at -" + level);
      }
    }
    if (!first.empty()) check::that(found == first, "other bits at -" + level);
    first = found;
  }
}

CASE(a_random_sum_is_the_same_at_every_level) {
  constexpr uint32_t N = 1000, Seed = 7;
  double expected = 0;
  for (uint32_t i = 0; i < N; i++) {
    uint32_t c[4] = {i, 0, 0, 0}, k[2] = {Seed, 0x1234567u};
    for (int round = 0; round < 10; round++, k[0] += 0x9E3779B9u, k[1] += 0xBB67AE85u) {
      uint64_t p = uint64_t{0xD2511F53u} * c[0], q = uint64_t{0xCD9E8D57u} * c[2];
      uint32_t next[4] = {static_cast<uint32_t>(q >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(q), static_cast<uint32_t>(p >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p)};
      std::memcpy(c, next, sizeof c);
    }
    expected += (c[0] >> 24) * 0x1p-24;
  }
  for (std::string level : Levels) {
    Machine machine(ptx("products." + level));
    uint64_t sum = machine.upload(std::vector<float>{0});
    machine.launch("random_sum", {sum, Seed, N}, 4, 256, 32);
    check::equal(static_cast<double>(machine.download<float>(sum, 1)[0]), expected, "sum at -" + level);
  }
}

CASE(every_planted_mistake_of_a_kernel_is_reported) {
  using Kind = ptxsim::FaultKind;
  isReported({"product_WaitsForTooFewCopies", Kind::Race, "still in flight", "ldmatrix", "ldmatrix.sync"});
  isReported({"product_NoBarrierAfterWait", Kind::Race, "no barrier between", "ldmatrix", "ldmatrix.sync"});
  isReported({"product_NoBarrierBeforeRefill", Kind::Race, "still in flight", "ldmatrix", "ldmatrix.sync"});
  isReported({"product_BarrierInOneWarp", Kind::Barrier, "divergent", "bar", "__syncthreads", 64, 64, 64, false});
  isReported({"product_ReadsPastRows", Kind::IllegalAddress, "past the end of the 12800 bytes", "cp.async.cg.shared.global", "cp.async", 100, 64, 64});
  isReported({"product_WritesPastColumns", Kind::IllegalAddress, "past the end of the 10240 bytes", "st.global", "c[size_t{row} * n + column] =", 64, 40, 32});
}

CASE(every_mutant_of_a_wrapper_is_reported) {
  using Kind = ptxsim::FaultKind;
  isReported({"product_MatrixRowOffByEight", Kind::Misaligned, "no multiple of 16", "ldmatrix", "ldmatrix.sync"});
  isReported({"product_CopyIgnoresItsLength", Kind::IllegalAddress, "past the end of", "cp.async.cg.shared.global", "cp.async", 100, 64, 64});
  isReported({"product_CopyOfFourBytes", Kind::Uninitialized, "nothing has written", "ldmatrix", "ldmatrix.sync"});
  isReported({"sum_SumIsNotAtomic", Kind::Race, "of the same launch has", ".global", "*sum = *sum + value"});
  isReported({"sum_SumInWrongSpace", Kind::IllegalAddress, "shared memory", "red.shared", "red.shared.add.f32"});
}

int main(int argc, char** argv) { return check::run(argc, argv); }
