// What a kernel with bulk copies and warpgroup products can get wrong, planted: each must be reported.
#include "warpgroup_kernel.h"

using check::faultOf;
using check::WarpgroupKernel;
using ptxsim::FaultKind;

CASE(the_kernel_itself_has_no_fault) {
  WarpgroupKernel kernel;
  check::Machine machine(kernel.text());
  std::vector<float> a, b;
  auto c = kernel.run(machine, a, b);
  check::equal(c.size(), size_t{64 * 64}, "values");
}

CASE(a_copy_that_nobody_waited_for_is_not_read) {
  WarpgroupKernel kernel;
  kernel.wait = "";
  faultOf(kernel, FaultKind::Race, "still in flight");
}

CASE(an_mbarrier_is_made_known_to_copies) {
  WarpgroupKernel kernel;
  kernel.initFence = "";
  faultOf(kernel, FaultKind::Race, "fence.mbarrier_init");
}

CASE(an_mbarrier_is_not_used_before_a_barrier) {
  WarpgroupKernel kernel;
  // Warp 0 comes first, so that there is an mbarrier at all.
  kernel.sync = "setp.lt.u32 %p4, %r0, 32;\n@%p4 bra GO;\nmov.u32 %r20, 0;\nSPIN:\nadd.u32 %r20, %r20, 1;\nsetp.lt.u32 %p5, %r20, 200000;\n@%p5 bra SPIN;\nGO:\n";
  faultOf(kernel, FaultKind::Race, "was initialised by warp 0");
}

CASE(a_phase_that_expects_more_never_ends) {
  WarpgroupKernel kernel;
  kernel.expectedBytes = 16;
  faultOf(kernel, FaultKind::Deadlock, "cannot go on");
}

CASE(a_phase_that_expects_less_is_reported) {
  WarpgroupKernel kernel;
  kernel.expectedBytes = -16;
  faultOf(kernel, FaultKind::Barrier, "16 bytes more than");
}

CASE(registers_need_a_fence_before_a_product) {
  WarpgroupKernel kernel;
  kernel.fence = "";
  faultOf(kernel, FaultKind::Race, "no wgmma.fence between");
}

CASE(registers_are_left_alone_until_the_wait) {
  WarpgroupKernel kernel;
  kernel.waitGroup = "";
  faultOf(kernel, FaultKind::Race, "before a wgmma.wait_group that covers it");
  kernel.waitGroup = "wgmma.wait_group.sync.aligned 1;\n";
  faultOf(kernel, FaultKind::Race, "before a wgmma.wait_group that covers it");
}

CASE(a_product_in_no_group_is_not_waited_for) {
  WarpgroupKernel kernel;
  kernel.commit = "";
  faultOf(kernel, FaultKind::Race, "before a wgmma.wait_group that covers it");
}

CASE(operands_are_left_alone_until_the_wait) {
  WarpgroupKernel kernel;
  kernel.afterCommit = "@%p1 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd2, {0, 0}], [%r3];\n";
  faultOf(kernel, FaultKind::Race, "may still read");
}

CASE(operands_are_left_alone_by_other_warps_too) {
  WarpgroupKernel kernel;
  // Thread 0 waits for its own product and not for those of the other three warps.
  kernel.waitGroup += "@%p1 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%rd3, {0, 0}], [%r3];\n";
  faultOf(kernel, FaultKind::Race, "cp.async.bulk.tensor");
}

CASE(a_block_waits_for_its_copies) {
  WarpgroupKernel kernel;
  kernel.waitGroup += "bar.sync 0;\n@%p1 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd2, {0, 0}], [%r3];\n";
  faultOf(kernel, FaultKind::Race, "before a bulk copy has arrived");
}

CASE(descriptors_are_checked) {
  WarpgroupKernel kernel;
  kernel.swizzle = 2;
  faultOf(kernel, FaultKind::IllegalInstruction, "swizzle mode 2");
}

CASE(copies_go_to_multiples_of_128) {
  WarpgroupKernel kernel;
  kernel.beforeCopies = "add.u32 %r1, %r1, 64;\n";
  faultOf(kernel, FaultKind::Misaligned, "no multiple of 128");
}

CASE(registers_that_nobody_gave_up_are_waited_for) {
  WarpgroupKernel kernel;
  kernel.beforeCopies = "setmaxnreg.inc.sync.aligned.u32 256;\n";
  faultOf(kernel, FaultKind::Deadlock, "setmaxnreg.inc");
}

int main(int argc, char** argv) { return check::run(argc, argv); }
