// What the generic and the async proxy may do to the same words of shared memory: each mistake beside the right way.
#include "warpgroup_kernel.h"

using check::faultOf;
using check::WarpgroupKernel;
using ptxsim::FaultKind;

namespace {

const std::string Fence = "fence.proxy.async.shared::cta;\n", Sync = "bar.sync 0;\n";
// Every thread writes a word of A, which a bulk copy has brought.
const std::string Store = "shl.b32 %r20, %r0, 2;\nadd.u32 %r20, %r20, %r1;\nst.shared.u32 [%r20], %r0;\n";

void passes(const WarpgroupKernel& kernel) {
  check::Machine machine(kernel.text());
  std::vector<float> a, b;
  kernel.run(machine, a, b);
}

// `between` comes after the copies have arrived and before the products.
WarpgroupKernel withStores(const std::string& between) {
  WarpgroupKernel kernel;
  kernel.wait += between;
  return kernel;
}

// `before` comes before the copies start.
WarpgroupKernel withEarlier(const std::string& before) {
  WarpgroupKernel kernel;
  kernel.beforeCopies = before;
  return kernel;
}

const std::string Unfenced = "has written in the generic proxy";

}  // namespace

CASE(products_read_ordinary_stores_after_a_fence) {
  for (std::string form : {"fence.proxy.async;\n", "fence.proxy.async.shared::cta;\n", "fence.proxy.async.shared::cluster;\n"}) passes(withStores(Store + form + Sync));
  faultOf(withStores(Store + Sync), FaultKind::Race, Unfenced);
  faultOf(withStores(Store + "fence.proxy.async.global;\n" + Sync), FaultKind::Race, Unfenced);
  faultOf(withStores(Store + "fence.acq_rel.gpu;\n" + Sync), FaultKind::Race, Unfenced);
}

CASE(a_fence_covers_what_came_before_it) {
  faultOf(withStores(Fence + Store + Sync), FaultKind::Race, Unfenced);
  // The order that a barrier makes is part of the way.
  passes(withStores(Store + Sync + Fence));
}

CASE(each_writer_fences) {
  passes(withStores(Store + Sync + "@%p1 " + Fence + Sync));
  faultOf(withStores(Store + "@%p1 " + Fence + Sync), FaultKind::Race, Unfenced);
  std::string firstWarp = "setp.lt.u32 %p4, %r0, 32;\n";
  faultOf(withStores(firstWarp + Store + "@%p4 " + Fence + Sync), FaultKind::Race, Unfenced);
}

CASE(lanes_of_one_warp_fence_for_themselves) {
  std::string firstWarp = "setp.ge.u32 %p4, %r0, 32;\n@%p4 bra AFTER;\n", after = "AFTER:\n" + Sync;
  passes(withStores(firstWarp + Store + Fence + after));
  faultOf(withStores(firstWarp + Store + "@%p1 " + Fence + after), FaultKind::Race, Unfenced);
  passes(withStores(firstWarp + Store + "bar.warp.sync -1;\n@%p1 " + Fence + after));
  passes(withStores("@%p1 st.shared.u32 [%r1], %r0;\n@%p1 " + Fence + Sync));
}

CASE(every_part_of_a_word_is_fenced) {
  std::string halves = "setp.eq.u32 %p4, %r0, 33;\nmov.b16 %h1, 0;\n@%p1 st.shared.b16 [%r1], %h1;\n@%p4 st.shared.b16 [%r1+2], %h1;\n";
  auto kernel = withStores(".reg .b16 %h<4>;\n" + halves + "@%p1 " + Fence + "@%p4 " + Fence + Sync);
  passes(kernel);
  faultOf(withStores(".reg .b16 %h<4>;\n" + halves + "@%p1 " + Fence + Sync), FaultKind::Race, Unfenced);
  faultOf(withStores(".reg .b16 %h<4>;\n" + halves + "@%p4 " + Fence + Sync), FaultKind::Race, Unfenced);
}

CASE(copies_by_threads_are_of_the_generic_proxy) {
  std::string copy = "shl.b32 %r20, %r0, 4;\nadd.u32 %r20, %r20, %r1;\ncp.async.cg.shared.global [%r20], [%rd1], 16;\ncp.async.wait_all;\n";
  // Any memory that is readable will do: the result's has been written by nobody, so read it after a store.
  copy = "@%p1 st.global.v4.b32 [%rd1], {%r0, %r0, %r0, %r0};\n" + Sync + copy;
  passes(withStores(copy + Fence + Sync));
  faultOf(withStores(copy + Sync), FaultKind::Race, Unfenced);
}

CASE(bulk_copies_go_over_ordinary_stores_after_a_fence) {
  passes(withEarlier(Store + Fence + Sync));
  passes(withEarlier(Store + Sync + "@%p1 " + Fence));
  faultOf(withEarlier(Store + Sync), FaultKind::Race, "cp.async.bulk.tensor at shared address");
  faultOf(withEarlier(Fence + Store + Sync), FaultKind::Race, Unfenced);
}

CASE(bulk_copies_go_over_what_was_read) {
  // As the consumers of a stage that read it with ld.shared release it, by a barrier alone.
  passes(withEarlier(Store + Fence + Sync + "ld.shared.u32 %r21, [%r20];\n" + Sync));
  faultOf(withEarlier(Store + Fence + Sync + "ld.shared.u32 %r21, [%r20];\n"), FaultKind::Race, "race in shared memory");
}

CASE(a_fence_between_proxies_makes_an_mbarrier_known_to_copies) {
  WarpgroupKernel kernel;
  kernel.initFence = "@%p1 fence.proxy.async.shared::cta;\n";
  passes(kernel);
  // Another warp's fence that nothing orders after the initialisation.
  kernel.initFence = "setp.eq.u32 %p4, %r0, 32;\n@%p4 fence.proxy.async;\n";
  faultOf(kernel, FaultKind::Race, "fence.mbarrier_init");
}

CASE(one_way_fences_cover_too) {
  auto kernel = withStores(Store + "fence.proxy.async::generic.release.sync_restrict::shared::cta.cluster;\n" + Sync);
  auto newer = [](const WarpgroupKernel& one) {
    auto text = one.text();
    text.replace(text.find("8.0"), 3, "8.6");
    check::Machine machine(text);
    std::vector<float> a, b;
    one.run(machine, a, b);
  };
  newer(kernel);
  newer(withStores(Store + Sync + "fence.proxy.async::generic.acquire.sync_restrict::shared::cluster.cluster;\n"));
}

int main(int argc, char** argv) { return check::run(argc, argv); }
