// Clusters of blocks and fences between proxies, spelled in every way.
#include "check.h"
#include "cluster_kernel.h"
#include "expect.h"

using check::ClusterKernel;

namespace {

void expectWords(const ClusterKernel& kernel) {
  check::Machine machine(kernel.text());
  machine.options.seed = 1;
  check::that(kernel.run(machine) == ClusterKernel::expected(), "the words are others");
  for (const char* opcode : {"barrier", "cp", "fence", "mapa", "mbarrier"}) check::cover(machine, opcode);
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  size_t at = text.find(from);
  check::that(at != std::string::npos, from + " is not in " + text);
  for (; at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

}  // namespace

CASE(barriers_of_a_cluster) {
  for (std::string aligned : {"", ".aligned"})
    for (std::string release : {"", ".release"})
      for (std::string acquire : {"", ".acquire"}) {
        ClusterKernel kernel;
        kernel.lastSync = kernel.firstSync = "barrier.cluster.arrive" + release + aligned + ";\nbarrier.cluster.wait" + acquire + aligned + ";\n";
        expectWords(kernel);
      }

  ClusterKernel kernel;
  kernel.lastSync = "barrier.cluster.arrive.relaxed;\nbarrier.cluster.wait;\n";
  expectWords(kernel);
}

CASE(arrivals_in_another_block) {
  for (std::string release : {"", ".release"})
    for (std::string scope : {"", ".cta", ".cluster"})
      for (std::string count : {"", ", 1"}) {
        ClusterKernel kernel;
        replace(kernel.arrive, ".release.cluster", release + scope);
        replace(kernel.arrive, "_, [%r20]", "_, [%r20]" + count);
        expectWords(kernel);
      }
}

CASE(bytes_expected_in_another_block) {
  for (std::string release : {"", ".release"})
    for (std::string scope : {"", ".cta", ".cluster"}) {
      ClusterKernel kernel;
      kernel.expect = "xor.b32 %r21, %r4, 1;\nmapa.shared::cluster.u32 %r20, %r2, %r21;\n@%p1 mbarrier.arrive.expect_tx" + release + scope +
                      ".shared::cluster.b64 _, [%r20], 8192;\n";
      expectWords(kernel);
    }
}

CASE(addresses_of_another_block_in_64_bits) {
  ClusterKernel kernel;
  replace(kernel.arrive, "mapa.shared::cluster.u32 %r20, %r3", "cvt.u64.u32 %rd6, %r3;\nmapa.shared::cluster.u64 %rd7, %rd6");
  replace(kernel.arrive, "[%r20]", "[%rd7]");
  expectWords(kernel);
}

CASE(arrivals_and_waits_that_name_their_scope) {
  for (std::string space : {"", ".shared", ".shared::cta"})
    for (std::string scope : {".cta", ".cluster"}) {
      ClusterKernel kernel;
      // Its own arrival beside the other block's.
      kernel.arrive = "xor.b32 %r21, %r4, 1;\nmapa.shared::cluster.u32 %r20, %r3, %r21;\n@%p1 mbarrier.arrive.shared::cluster.b64 _, [%r20];\n";
      std::string at = space.empty() ? "[%rd7]" : "[%r3]";
      if (space.empty()) kernel.arrive += "cvt.u64.u32 %rd6, %r3;\ncvta.shared.u64 %rd7, %rd6;\n";
      kernel.arrive += "@%p1 mbarrier.arrive.release" + scope + space + ".b64 %rd5, " + at + ";\n";
      replace(kernel.waitEmpty, "try_wait.parity.shared::cta.b64 %p3, [%r3]", "try_wait.parity.acquire" + scope + space + ".b64 %p3, " + at);
      expectWords(kernel);
    }
}

CASE(fences_of_a_cluster_and_between_proxies) {
  for (std::string fence : {"fence.cluster", "fence.sc.cluster", "fence.acq_rel.cluster", "fence.proxy.async", "fence.proxy.async.global", "fence.proxy.async.shared::cta",
                            "fence.proxy.async.shared::cluster", "fence.proxy.async::generic.release.sync_restrict::shared::cta.cluster",
                            "fence.proxy.async::generic.acquire.sync_restrict::shared::cluster.cluster"}) {
    ClusterKernel kernel;
    kernel.beforeCopies = fence + ";\n";
    expectWords(kernel);
  }
}
