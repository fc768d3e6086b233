// Blocks of a cluster: where they are, what they share, and each mistake beside the right way.
#include "cluster_kernel.h"

using check::ClusterKernel;
using check::faultOf;
using check::passes;

namespace {

const std::string Sync = "barrier.cluster.arrive;\nbarrier.cluster.wait;\n";

// Runs `body` in two blocks of 64 threads; what it has to write goes to %rd4, a word for each thread of both. Gives the fault, empty without one.
std::string faultIn(const std::string& body, uint64_t seed, std::vector<uint32_t>* words = nullptr) {
  std::string text = ".version 8.0\n.target sm_90\n.address_size 64\n.visible .entry k(.param .u64 out)\n.reqnctapercluster 2, 1, 1\n{\n"
                     ".reg .pred %p<8>; .reg .b32 %r<32>; .reg .b64 %rd<8>; .shared .align 8 .b64 gate;\n"
                     "ld.param.u64 %rd1, [out];\nmov.u32 %r0, %tid.x;\nmov.u32 %r1, %ctaid.x;\nmad.lo.u32 %r2, %r1, 64, %r0;\nmul.wide.u32 %rd3, %r2, 4;\n"
                     "add.u64 %rd4, %rd1, %rd3;\nmov.u32 %r3, %cluster_ctarank;\nsetp.eq.u32 %p1, %r0, 0;\nsetp.eq.u32 %p2, %r3, 0;\nmov.u32 %r4, gate;\n" +
                     body + "ret;\n}\n";
  check::Machine machine(text);
  machine.options.seed = seed;
  machine.options.maxSteps = uint64_t{1} << 26;
  uint64_t out = machine.room(512);
  try {
    machine.launch("k", {out}, 2, 64);
  } catch (const ptxsim::KernelFault& fault) {
    return fault.what();
  }

  if (words) *words = machine.download<uint32_t>(out, 128);
  return "";
}

void reported(const std::string& body, const std::string& part) {
  for (uint64_t seed = 0; seed < 6; seed++) check::contains(faultIn(body, seed), part);
}

void unreported(const std::string& body) {
  for (uint64_t seed = 0; seed < 6; seed++) check::equal(faultIn(body, seed), std::string(), "report");
}

}  // namespace

CASE(two_blocks_share_what_they_copy) { passes({}); }

CASE(a_cluster_may_be_the_kernels_own) {
  ClusterKernel kernel;
  kernel.directives = ".reqnctapercluster 2, 1, 1\n";
  passes(kernel);
}

CASE(barriers_are_initialised_before_others_use_them) {
  ClusterKernel kernel;
  kernel.firstSync = "bar.sync 0;\n";
  faultOf(kernel, {"there is no mbarrier", "was initialised by warp 0, with no barrier between"});
  kernel.firstSync = "barrier.cluster.arrive.relaxed;\nbarrier.cluster.wait;\n";
  faultOf(kernel, {"was initialised by warp 0, with no barrier between"});
  kernel = {};
  kernel.initFence = "";
  faultOf(kernel, {"fence.mbarrier_init"});
}

CASE(a_block_outlives_what_others_do_to_it) {
  ClusterKernel kernel;
  kernel.lastSync = "";
  // The last copies are waited for, so that the blocks may end. Arrivals that nobody waits for are another matter.
  passes(kernel);
  kernel.lastSync = kernel.arrive;
  faultOf(kernel, {"both need barrier.cluster", "has ended"});
  kernel.lastSync = kernel.arrive + kernel.firstSync;
  passes(kernel);
}

CASE(copies_wait_until_all_blocks_have_read) {
  ClusterKernel kernel;
  kernel.waitEmpty = "";
  faultOf(kernel, {"cp.async.bulk.tensor of another block after", "a copy is still in flight"});
  kernel = {};
  // It waits for itself and not for the other block.
  kernel.inits = "@%p1 mbarrier.init.shared::cta.b64 [%r2], 1;\n@%p1 mbarrier.init.shared::cta.b64 [%r3], 1;\n";
  kernel.arrive = "@%p1 mbarrier.arrive.shared::cta.b64 %rd5, [%r3];\n";
  faultOf(kernel, {"cp.async.bulk.tensor of another block after", "a copy is still in flight"});
}

CASE(masks_name_the_blocks_that_get_a_copy) {
  ClusterKernel kernel;
  kernel.blocks = "1";
  faultOf(kernel, {"cannot go on", "bytes more than", "more arrivals", "still in flight"});
  kernel.blocks = "7";
  faultOf(kernel, {"names block 2 of a cluster of 2"});
  kernel.blocks = "0";
  faultOf(kernel, {"to no block"});
}

CASE(copies_by_another_block_go_over_ordinary_stores_after_a_fence) {
  ClusterKernel kernel;
  std::string store = "st.shared.u32 [%r8], %r0;\n";
  kernel.beforeCopies = store + "fence.proxy.async.shared::cta;\n" + Sync;
  passes(kernel);
  kernel.beforeCopies = store + Sync;
  faultOf(kernel, {"has written in the generic proxy"});
  kernel.beforeCopies = store + "fence.proxy.async.shared::cta;\nbar.sync 0;\n";
  faultOf(kernel, {"cp.async.bulk.tensor of another block after a write", "in the generic proxy"});
}

CASE(arrivals_name_a_block_of_the_cluster) {
  ClusterKernel kernel;
  kernel.arrive = "mapa.shared::cluster.u32 %r20, %r3, 2;\n";
  faultOf(kernel, {"mapa to block 2 of a cluster of 2"});
  // An address of another block is none of shared::cta.
  kernel.arrive = "xor.b32 %r21, %r4, 1;\nmapa.shared::cluster.u32 %r20, %r3, %r21;\n@%p1 mbarrier.arrive.shared::cta.b64 %rd5, [%r20];\n";
  faultOf(kernel, {"there is no mbarrier"});
}

CASE(arrivals_are_counted_in_the_block_that_is_named) {
  ClusterKernel kernel;
  // Both tell block 0 twice.
  auto at = kernel.arrive.rfind("%r3, 1;");
  kernel.arrive.replace(at, 7, "%r3, 0;");
  faultOf(kernel, {"more arrivals", "cannot go on", "of another block after", "still in flight", "has ended"});
}

CASE(blocks_know_their_place) {
  check::Machine machine(".version 8.0\n.target sm_90\n.address_size 64\n.visible .entry k(.param .u64 out)\n{\n.reg .b32 %r<32>; .reg .b64 %rd<8>;\n"
                         "ld.param.u64 %rd1, [out];\nmov.u32 %r1, %ctaid.x;\nmov.u32 %r2, %ctaid.y;\nmov.u32 %r3, %nctaid.x;\nmad.lo.u32 %r4, %r2, %r3, %r1;\n"
                         "mul.wide.u32 %rd2, %r4, 48;\nadd.u64 %rd1, %rd1, %rd2;\n"
                         "mov.u32 %r10, %clusterid.x;\nmov.u32 %r11, %clusterid.y;\nmov.u32 %r12, %cluster_ctaid.x;\nmov.u32 %r13, %cluster_ctaid.y;\n"
                         "mov.u32 %r14, %nclusterid.x;\nmov.u32 %r15, %nclusterid.y;\nmov.u32 %r16, %cluster_nctaid.x;\nmov.u32 %r17, %cluster_nctaid.y;\n"
                         "mov.u32 %r18, %cluster_ctarank;\nmov.u32 %r19, %cluster_nctarank;\nmov.u32 %r20, %clusterid.z;\nmov.u32 %r21, %cluster_nctaid.z;\n"
                         "st.global.v4.b32 [%rd1], {%r10, %r11, %r12, %r13};\nst.global.v4.b32 [%rd1+16], {%r14, %r15, %r16, %r17};\n"
                         "st.global.v4.b32 [%rd1+32], {%r18, %r19, %r20, %r21};\nret;\n}\n");
  machine.cluster[0] = 3, machine.cluster[1] = 2, machine.cluster[2] = 1;
  machine.options.seed = 3;
  uint64_t out = machine.room(6 * 4 * 48);
  machine.launch("k", {out}, 6, 1, 0, 4);
  auto found = machine.download<uint32_t>(out, 6 * 4 * 12);
  for (uint32_t y = 0; y < 4; y++)
    for (uint32_t x = 0; x < 6; x++) {
      const uint32_t want[12] = {x / 3, y / 2, x % 3, y % 2, 2, 2, 3, 2, x % 3 + y % 2 * 3, 6, 0, 1};
      for (uint32_t i = 0; i < 12; i++) check::equal(found[(y * 6 + x) * 12 + i], want[i], "value " + std::to_string(i) + " of block " + std::to_string(x) + ", " + std::to_string(y));
    }
}

CASE(launches_in_other_clusters_are_refused) {
  auto refusal = [](const std::string& directives, std::vector<uint32_t> cluster, uint32_t grid) {
    check::Machine machine(".version 8.0\n.target sm_90\n.address_size 64\n.visible .entry k()\n" + directives + "{\nret;\n}\n");
    for (size_t i = 0; i < cluster.size(); i++) machine.cluster[i] = cluster[i];
    try {
      machine.launch("k", {}, grid, 32);
    } catch (const std::invalid_argument& refused) {
      return std::string(refused.what());
    }
    return std::string();
  };
  check::contains(refusal("", {2, 1, 1}, 3), "a grid of 3 blocks along axis 0 in clusters of 2");
  check::contains(refusal(".reqnctapercluster 2\n", {}, 3), "in clusters of 2");
  check::contains(refusal(".reqnctapercluster 2, 1, 1\n", {4, 1, 1}, 4), "another cluster size");
  check::contains(refusal(".explicitcluster\n", {}, 4), "asks for a launch with a cluster size");
  check::contains(refusal("", {16, 1, 1}, 16), "8 are the most");
  check::contains(refusal(".maxclusterrank 4\n", {8, 1, 1}, 8), "4 are the most");
  check::equal(refusal(".maxclusterrank 16\n", {16, 1, 1}, 32), std::string(), "refusal");
  check::equal(refusal(".explicitcluster\n.reqnctapercluster 2\n", {2, 1, 1}, 4), std::string(), "refusal");
}

CASE(a_barrier_of_the_cluster_orders_global_memory) {
  std::string write = "@%p2 st.global.u32 [%rd4], %r0;\n", read = "add.u64 %rd5, %rd1, 0;\n@!%p2 ld.global.u32 %r9, [%rd5];\n@!%p2 st.global.u32 [%rd4], %r9;\n";
  unreported(write + Sync + read);
  reported(write + "bar.sync 0;\n" + read, "global");
}

CASE(arrivals_and_waits_take_turns) {
  unreported(Sync + Sync + Sync);
  reported("barrier.cluster.arrive;\nbarrier.cluster.arrive;\n", "a second time");
  reported("barrier.cluster.wait;\n", "without a barrier.cluster.arrive");
}

CASE(threads_that_have_left_are_not_waited_for) {
  unreported("setp.ge.u32 %p3, %r0, 32;\n@%p3 exit;\n" + Sync);
  unreported("@%p2 exit;\n" + Sync);
}

CASE(a_block_that_never_arrives_is_reported) {
  reported("@%p2 bra NEVER;\n" + Sync + "NEVER:\n@!%p2 exit;\nWAIT:\nbra WAIT;\n", "cannot go on");
  std::string init = "@%p1 mbarrier.init.shared::cta.b64 [%r4], 1;\n" + Sync;
  for (uint64_t seed = 0; seed < 4; seed++) {
    auto fault = faultIn(init + "@!%p2 bra SYNC;\nGATE:\nmbarrier.try_wait.parity.shared::cta.b64 %p3, [%r4], 0;\n@!%p3 bra GATE;\nSYNC:\n" + Sync, seed);
    check::contains(fault, "cannot go on");
    check::contains(fault, "barrier.cluster.wait");
    check::contains(fault, "bra GATE");
  }
}

CASE(a_block_that_has_ended_has_no_shared_memory) {
  std::string init = "@%p1 mbarrier.init.shared::cta.b64 [%r4], 1;\n" + Sync, tell = "mapa.shared::cluster.u32 %r20, %r4, 1;\n@%p1 mbarrier.arrive.shared::cluster.b64 _, [%r20];\n";
  std::string wait = "GATE:\nmbarrier.try_wait.parity.shared::cta.b64 %p3, [%r4], 0;\n@!%p3 bra GATE;\n";
  // Block 0 tells block 1.
  unreported(init + "@%p2 bra TELL;\n" + wait + "exit;\nTELL:\n" + tell);
  unreported(init + "@%p2 bra TELL;\nbra DONE;\nTELL:\n" + tell + "DONE:\n" + Sync);
  for (uint64_t seed = 0; seed < 6; seed++) {
    auto fault = faultIn(init + "@!%p2 exit;\n" + tell, seed);
    check::that(fault.find("has ended") != std::string::npos || fault.find("has used with nothing that orders it before") != std::string::npos, "report: " + fault);
  }
}

int main(int argc, char** argv) { return check::run(argc, argv); }
