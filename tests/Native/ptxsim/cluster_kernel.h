// Two blocks of a cluster that share what they copy: the smallest kernel that uses all of it, and parts of it to leave out.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "check.h"
#include "exec/fault.h"
#include "exec/tensor_map.h"
#include "machine.h"

namespace check {

// Each block copies half of the 64 rows of a matrix of words (64, 32) to both, waits for all of them, and each of its 64 threads writes the first word of one
// row. Then it tells both that it has read them, and both begin again, with the matrix's other 64 rows.
struct ClusterKernel {
  static constexpr uint32_t Rows = 64, RowBytes = 128, Threads = 64, Full = 8192, Empty = 8200, SharedBytes = 8256;

  std::string inits = "@%p1 mbarrier.init.shared::cta.b64 [%r2], 1;\n@%p1 mbarrier.init.shared::cta.b64 [%r3], 2;\n";
  std::string initFence = "@%p1 fence.mbarrier_init.release.cluster;\n";
  std::string firstSync = "barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;\n", lastSync = firstSync;
  std::string expect = "@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 %rd4, [%r2], 8192;\n";
  std::string blocks = "3", directives, beforeCopies, afterReads;
  std::string arrive = "mapa.shared::cluster.u32 %r20, %r3, 0;\n@%p1 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r20];\n"
                       "mapa.shared::cluster.u32 %r20, %r3, 1;\n@%p1 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r20];\n";
  std::string waitEmpty = "EMPTY:\nmbarrier.try_wait.parity.shared::cta.b64 %p3, [%r3], 0;\n@!%p3 bra EMPTY;\n";

  std::string round(int number) const {
    auto n = std::to_string(number);
    return expect + "@%p1 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r5], [%rd2, {0, %r6}], [%r2], %h1;\n" +
           "FULL" + n + ":\nmbarrier.try_wait.parity.shared::cta.b64 %p2, [%r2], " + n + ";\n@!%p2 bra FULL" + n + ";\n" +
           "ld.shared.u32 %r9, [%r8];\nst.global.u32 [%rd1+" + std::to_string(number * 512) + "], %r9;\n";
  }

  std::string text() const {
    return ".version 8.6\n.target sm_90a\n.address_size 64\n.extern .shared .align 1024 .b8 dynamicShared[];\n"
           ".visible .entry k(.param .u64 out, .param .align 64 .b8 rows[128])\n.maxntid 64, 1, 1\n" + directives + "{\n"
           ".reg .pred %p<8>; .reg .b16 %h<4>; .reg .b32 %r<32>; .reg .b64 %rd<16>;\n"
           "ld.param.u64 %rd1, [out];\nmov.b64 %rd2, rows;\ncvta.param.u64 %rd2, %rd2;\nmov.u32 %r0, %tid.x;\nmov.u32 %r1, dynamicShared;\n"
           "add.u32 %r2, %r1, 8192;\nadd.u32 %r3, %r1, 8200;\nmov.u32 %r4, %cluster_ctarank;\nmov.b16 %h1, " + blocks + ";\n"
           "setp.eq.u32 %p1, %r0, 0;\nmad.lo.u32 %r5, %r4, 4096, %r1;\nshl.b32 %r6, %r4, 5;\nmad.lo.u32 %r8, %r0, 128, %r1;\n"
           "mov.u32 %r7, %ctaid.x;\nmad.lo.u32 %r10, %r7, 64, %r0;\nmul.wide.u32 %rd3, %r10, 4;\nadd.u64 %rd1, %rd1, %rd3;\n" +
           inits + initFence + firstSync + beforeCopies + round(0) + afterReads + "bar.sync 0;\n" + arrive + waitEmpty + "add.u32 %r6, %r6, 64;\n" + round(1) +
           lastSync + "ret;\n}\n";
  }

  static std::vector<uint32_t> expected() {
    std::vector<uint32_t> words(4 * Rows);
    for (uint32_t i = 0; i < words.size(); i++) words[i] = (i % Rows + i / (2 * Rows) * Rows) * 1000;
    return words;
  }

  // What it writes: of both rounds the words of block 0 and of block 1.
  std::vector<uint32_t> run(Machine& machine) const {
    std::vector<uint32_t> matrix(2 * Rows * RowBytes / 4);
    for (uint32_t i = 0; i < matrix.size(); i++) matrix[i] = i / 32 * 1000 + i % 32;
    uint64_t out = machine.room(4 * Rows * 4);
    ptxsim::TensorMap map{};
    map.address = machine.upload(matrix);
    map.mark = ptxsim::TensorMap::Mark;
    map.columns = 64;
    map.rows = 2 * Rows;
    map.rowBytes = RowBytes;
    map.boxColumns = 64;
    map.boxRows = Rows / 2;
    map.elementBytes = 2;
    std::vector<uint8_t> parameters(64 + sizeof map);
    std::memcpy(parameters.data(), &out, 8);
    std::memcpy(&parameters[64], &map, sizeof map);
    if (directives.empty()) machine.cluster[0] = 2, machine.cluster[1] = machine.cluster[2] = 1;
    machine.launchBytes("k", parameters, 2, Threads, SharedBytes);
    return machine.download<uint32_t>(out, 4 * Rows);
  }
};

// The kernel must give what it should, whatever the order of blocks and warps.
inline void passes(const ClusterKernel& kernel) {
  for (uint64_t seed = 0; seed < 6; seed++) {
    Machine machine(kernel.text());
    machine.options.seed = seed;
    that(kernel.run(machine) == ClusterKernel::expected(), "the words are others, with seed " + std::to_string(seed));
  }
}

// The kernel must be reported in each order of blocks and warps, in one of these words.
inline void faultOf(const ClusterKernel& kernel, const std::vector<std::string>& parts) {
  for (uint64_t seed = 0; seed < 6; seed++) {
    Machine machine(kernel.text());
    machine.options.seed = seed;
    machine.options.maxSteps = uint64_t{1} << 26;
    std::string found;
    try {
      kernel.run(machine);
    } catch (const ptxsim::KernelFault& fault) {
      found = fault.what();
    }

    bool isKnown = false;
    for (const auto& part : parts) isKnown |= found.find(part) != std::string::npos;
    that(isKnown, "with seed " + std::to_string(seed) + ", '" + parts[0] + "' is not in: " + (found.empty() ? "no fault" : found));
  }
}

}  // namespace check
