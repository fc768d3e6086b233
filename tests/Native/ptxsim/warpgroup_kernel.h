// A product by one warpgroup of boxes that bulk copies bring: the smallest kernel that uses all of it, and parts of it to leave out.
#pragma once

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "exec/fault.h"
#include "exec/tensor_map.h"
#include "machine.h"

namespace check {

// C (64, N) = 1 + A (64, 64) B (64, N). Turned, A lies as (64 of K, 64) and B as (64 of K, N); otherwise K is contiguous: (64, 64 of K), (N, 64 of K).
struct WarpgroupKernel {
  static constexpr int M = 64, K = 64;
  static constexpr uint32_t PlaceB = 8192, PlaceBarrier = 8192 + 256 * 128, SharedBytes = PlaceBarrier + 64;

  int N = 64;
  bool isTurned = false;
  std::string init = "@%p1 mbarrier.init.shared::cta.b64 [%r3], 1;\n", initFence = "@%p1 fence.mbarrier_init.release.cluster;\n", sync = "bar.sync 0;\n";
  std::string wait = "WAIT:\nmbarrier.try_wait.parity.shared::cta.b64 %p2, [%r3], 0;\n@!%p2 bra WAIT;\n";
  std::string fence = "wgmma.fence.sync.aligned;\n", commit = "wgmma.commit_group.sync.aligned;\n", waitGroup = "wgmma.wait_group.sync.aligned 0;\n";
  std::string afterCommit, beforeCopies, scales = "p, 1, 1";
  uint64_t swizzle = 1;
  int expectedBytes = 0;  // less or more than the copies bring

  int boxesB() const { return isTurned ? N / 64 : 1; }

  std::string text() const {
    auto line = [](const std::string& words) { return words + ";\n"; };
    auto number = [](auto value) { return std::to_string(value); };
    std::string result = ".version 8.0\n.target sm_90a\n.address_size 64\n.extern .shared .align 1024 .b8 dynamicShared[];\n"
                         ".visible .entry k(.param .u64 out, .param .align 64 .b8 left[128], .param .align 64 .b8 right[128])\n.maxntid 128, 1, 1\n{\n"
                         ".reg .pred %p<8>; .reg .pred p; .reg .b32 %r<32>; .reg .b32 %d<" + number(N / 2) + ">; .reg .b64 %rd<32>;\n"
                         "ld.param.u64 %rd1, [out];\nmov.b64 %rd2, left;\ncvta.param.u64 %rd2, %rd2;\nmov.b64 %rd3, right;\ncvta.param.u64 %rd3, %rd3;\n"
                         "mov.u32 %r0, %tid.x;\nmov.u32 %r1, dynamicShared;\nadd.u32 %r2, %r1, " + number(PlaceB) + ";\nadd.u32 %r3, %r1, " + number(PlaceBarrier) +
                         ";\nsetp.eq.u32 %p1, %r0, 0;\nsetp.eq.u32 p, 0, 0;\nsetmaxnreg.dec.sync.aligned.u32 152;\nbar.sync 0;\nsetmaxnreg.inc.sync.aligned.u32 240;\n";
    result += init + initFence + sync + beforeCopies;
    result += line("@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 %rd4, [%r3], " + number((M + N) * K * 2 + expectedBytes));
    auto copy = [&](const std::string& to, const std::string& map, int x) {
      return line("@%p1 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [" + to + "], [" + map + ", {" + number(x) + ", 0}], [%r3]");
    };
    result += copy("%r1", "%rd2", 0);
    for (int box = 0; box < boxesB(); box++) result += copy("%r2+" + number(box * 8192), "%rd3", box * 64);
    result += wait;
    for (int i = 0; i < N / 2; i++) result += line("mov.b32 %d" + number(i) + ", 0f3F800000");
    // Along K: 32 bytes within a row of 128, or 16 rows.
    int step = isTurned ? 16 * 128 : 32;
    uint64_t bits = swizzle << 62 | uint64_t{1024 >> 4} << 32 | uint64_t{8192 >> 4} << 16;
    result += fence;
    for (int k = 0; k < K / 16; k++) {
      for (int operand = 0; operand < 2; operand++) {
        std::string r = "%r" + number(8 + operand), rd = "%rd" + number(8 + operand);
        result += line("add.u32 " + r + ", %r" + number(1 + operand) + ", " + number(k * step)) + line("shr.u32 " + r + ", " + r + ", 4") +
                  line("cvt.u64.u32 " + rd + ", " + r) + line("or.b64 " + rd + ", " + rd + ", " + number(bits));
      }
      result += "wgmma.mma_async.sync.aligned.m64n" + number(N) + "k16.f32.bf16.bf16 {";
      for (int i = 0; i < N / 2; i++) result += (i > 0 ? ", %d" : "%d") + number(i);
      result += line("}, %rd8, %rd9, " + scales + (isTurned ? ", 1, 1" : ", 0, 0"));
    }
    result += commit + afterCommit + waitGroup + line("mul.wide.u32 %rd5, %r0, " + number(N * 2)) + line("add.u64 %rd5, %rd5, %rd1");
    for (int i = 0; i < N / 2; i++) result += line("st.global.b32 [%rd5+" + number(4 * i) + "], %d" + number(i));
    return result + "ret;\n}\n";
  }

  static ptxsim::TensorMap map(uint64_t address, uint64_t rows, uint64_t columns, uint32_t boxRows) {
    ptxsim::TensorMap map{};
    map.address = address;
    map.mark = ptxsim::TensorMap::Mark;
    map.columns = columns;
    map.rows = rows;
    map.rowBytes = columns * 2;
    map.boxColumns = 64;
    map.boxRows = boxRows;
    map.elementBytes = 2;
    map.isSwizzled = 1;
    return map;
  }

  // Fills A and B with small integers and runs; gives C, row after row.
  std::vector<float> run(Machine& machine, std::vector<float>& a, std::vector<float>& b) const {
    std::mt19937 random(5);
    auto values = [&](std::vector<float>& to, int outer) {
      to.resize(static_cast<size_t>(outer) * K);
      std::vector<uint16_t> bits(to.size());
      for (int o = 0; o < outer; o++)
        for (int k = 0; k < K; k++) {
          float value = static_cast<float>(static_cast<int>(random() % 17) - 8);
          to[static_cast<size_t>(o * K + k)] = value;
          uint32_t word;
          std::memcpy(&word, &value, 4);
          bits[static_cast<size_t>(isTurned ? k * outer + o : o * K + k)] = static_cast<uint16_t>(word >> 16);
        }
      return machine.upload(bits);
    };
    uint64_t left = values(a, M), right = values(b, N), out = machine.room(static_cast<uint64_t>(M * N) * 4);
    auto box = [&](uint64_t address, int outer) {
      auto rows = static_cast<uint64_t>(isTurned ? K : outer), columns = static_cast<uint64_t>(isTurned ? outer : K);
      return map(address, rows, columns, static_cast<uint32_t>(rows));
    };
    ptxsim::TensorMap maps[] = {box(left, M), box(right, N)};
    std::vector<uint8_t> parameters(64 + sizeof maps);
    std::memcpy(parameters.data(), &out, 8);
    std::memcpy(&parameters[64], maps, sizeof maps);
    machine.launchBytes("k", parameters, 1, 128, SharedBytes);
    auto found = machine.download<float>(out, static_cast<size_t>(M * N));
    std::vector<float> c(found.size());
    for (int thread = 0; thread < 128; thread++)
      for (int i = 0; i < N / 2; i++) {
        int row = thread / 32 * 16 + thread % 32 / 4 + i % 4 / 2 * 8, column = i / 4 * 8 + thread % 4 * 2 + i % 2;
        c[static_cast<size_t>(row * N + column)] = found[static_cast<size_t>(thread * N / 2 + i)];
      }
    return c;
  }
};

// The kernel must be reported, in these words.
inline void faultOf(const WarpgroupKernel& kernel, ptxsim::FaultKind kind, const std::string& part) {
  Machine machine(kernel.text());
  machine.options.maxSteps = uint64_t{1} << 28;
  std::vector<float> a, b;
  try {
    kernel.run(machine, a, b);
  } catch (const ptxsim::KernelFault& fault) {
    contains(fault.what(), part);
    check::equal(static_cast<int>(fault.kind()), static_cast<int>(kind), std::string("kind of: ") + fault.what());
    contains(fault.what(), "PTX line");
    return;
  }

  throw std::runtime_error("no fault was reported");
}

}  // namespace check
