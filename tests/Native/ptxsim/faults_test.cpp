// Each fault that the stand-in knows, planted: the report must name kernel, line, thread and reason.
#include "check.h"
#include "exec/fault.h"
#include "machine.h"
#include "syntax/error.h"

using check::Machine;

namespace {

// Launches `k` of a body and returns the report; fails the test where no fault of the kind comes.
std::string faultOf(const std::string& text, ptxsim::FaultKind kind, uint32_t grid = 1, uint32_t block = 32, uint32_t shared = 0, uint64_t bytes = 4096) {
  Machine machine(text);
  uint64_t out = machine.room(bytes), in = machine.upload(std::vector<uint32_t>(1024, 1));
  try {
    machine.launch("k", {out, in}, grid, block, shared);
  } catch (const ptxsim::KernelFault& fault) {
    check::equal(static_cast<int>(fault.kind()), static_cast<int>(kind), std::string("kind of: ") + fault.what());
    check::contains(fault.what(), "kernel 'k'");
    check::contains(fault.what(), "PTX line");
    check::contains(fault.what(), "thread (");
    return fault.what();
  }

  throw std::runtime_error("no fault was reported");
}

const std::string Tile = "mov.u32 %r1, %r0;\nshl.b32 %r2, %r0, 2;\n.shared .align 16 .b8 tile[512];\nmov.u32 %r3, tile;\nadd.u32 %r4, %r3, %r2;\n";

}  // namespace

CASE(a_store_past_an_allocation_is_refused) {
  auto report = faultOf(check::entry("st.global.u32 [%rd4+4096], %r0;"), ptxsim::FaultKind::IllegalAddress);
  check::contains(report, "past the end of the 4096 bytes");
  check::contains(report, "st.global.u32 [%rd4+4096], %r0;");
}

CASE(a_load_before_an_allocation_is_refused) {
  check::contains(faultOf(check::entry("ld.global.u32 %r1, [%rd5+-4];\nst.global.u32 [%rd4], %r1;"), ptxsim::FaultKind::IllegalAddress), "before");
}

CASE(a_misaligned_access_is_refused) { faultOf(check::entry("ld.global.u32 %r1, [%rd2+2];"), ptxsim::FaultKind::Misaligned); }

CASE(a_misaligned_vector_is_refused) { faultOf(check::entry("ld.global.v4.u32 {%r1,%r2,%r3,%r4}, [%rd2+4];"), ptxsim::FaultKind::Misaligned); }

CASE(memory_that_nothing_wrote_is_not_read) {
  check::contains(faultOf(check::entry("ld.global.u32 %r1, [%rd4];"), ptxsim::FaultKind::Uninitialized), "nothing has written");
}

CASE(shared_memory_that_nothing_wrote_is_not_read) { faultOf(check::entry(Tile + "ld.shared.u32 %r5, [%r4];"), ptxsim::FaultKind::Uninitialized); }

// Shared address 0 is an address like any other.
CASE(a_report_of_shared_memory_names_the_address) {
  check::contains(faultOf(check::entry(".shared .align 16 .b8 tile[512];\nld.shared.u32 %r5, [tile];"), ptxsim::FaultKind::Uninitialized), "address 0x0");
}

CASE(shared_memory_has_bounds) { faultOf(check::entry(Tile + "st.shared.u32 [%r4+512], %r0;"), ptxsim::FaultKind::IllegalAddress); }

CASE(shared_memory_begins_at_zero) { faultOf(check::entry("mov.u32 %r3, 0;\n.shared .align 16 .b8 tile[512];\nst.shared.u32 [%r3+-4], %r0;"), ptxsim::FaultKind::IllegalAddress); }

// Lanes of one warp at one place: side by side, scattered, all at one address; each must meet the same checks.
CASE(readers_of_one_word_need_a_warp_barrier_after_its_writer) {
  std::string write = Tile + "setp.eq.u32 %p1, %r0, 5;\n@%p1 st.shared.u32 [%r3], %r0;\n", read = "ld.shared.u32 %r5, [%r3];\nst.global.u32 [%rd4], %r5;";
  faultOf(check::entry(write + read), ptxsim::FaultKind::Race);
  Machine machine(check::entry(write + "bar.warp.sync -1;\n" + read));
  uint64_t out = machine.room(128);
  machine.launch("k", {out, out});
  check::equal(machine.download<uint32_t>(out, 32)[31], 5u, "the value that every lane reads");
}

CASE(a_writer_after_readers_of_one_word_needs_a_warp_barrier) {
  faultOf(check::entry(Tile + "st.shared.u32 [%r4], %r0;\nbar.warp.sync -1;\nld.shared.u32 %r5, [%r3];\nsetp.eq.u32 %p1, %r0, 1;\n@%p1 st.shared.u32 [%r3], 77;"),
          ptxsim::FaultKind::Race);
}

CASE(one_bad_lane_of_many_is_named) {
  check::contains(faultOf(check::entry("setp.eq.u32 %p1, %r0, 9;\nmov.u64 %rd6, 0;\n@%p1 mov.u64 %rd6, 65536;\nadd.u64 %rd7, %rd4, %rd6;\nst.global.u32 [%rd7], %r0;"),
                          ptxsim::FaultKind::IllegalAddress), "lane 9");
  check::contains(faultOf(check::entry("setp.eq.u32 %p1, %r0, 9;\n@!%p1 st.global.u32 [%rd4], %r0;\nld.global.u32 %r1, [%rd4];"), ptxsim::FaultKind::Uninitialized), "lane 9");
}

CASE(blocks_must_not_read_what_another_writes) {
  faultOf(check::entry("mov.u32 %r1, %ctaid.x;\nmul.wide.u32 %rd6, %r1, 128;\nadd.u64 %rd7, %rd5, %rd6;\nst.global.u32 [%rd7], %r0;\nld.global.u32 %r2, [%rd5];"),
          ptxsim::FaultKind::Race, 8, 32);
}

CASE(a_missing_barrier_between_warps_is_a_race) {
  auto report = faultOf(check::entry(Tile + "st.shared.u32 [%r4], %r0;\nbar.sync 0;\nst.shared.u32 [%r4], %r1;\nxor.b32 %r6, %r4, 128;\nld.shared.u32 %r5, [%r6];"),
                        ptxsim::FaultKind::Race, 1, 64);
  check::contains(report, "no barrier between");
}

CASE(a_barrier_between_warps_orders_them) {
  Machine machine(check::entry(Tile + "st.shared.u32 [%r4], %r0;\nbar.sync 0;\nxor.b32 %r6, %r2, 128;\nadd.u32 %r6, %r6, %r3;\nld.shared.u32 %r5, [%r6];\n"
                               "st.global.u32 [%rd4], %r5;"));
  uint64_t out = machine.room(256);
  machine.launch("k", {out, out}, 1, 64);
  auto values = machine.download<uint32_t>(out, 64);
  for (uint32_t i = 0; i < 64; i++) check::equal(values[i], i ^ 32, "value of thread " + std::to_string(i));
}

CASE(lanes_of_a_warp_need_a_warp_barrier) {
  std::string exchange = Tile + "st.shared.u32 [%r4], %r0;\n";
  std::string read = "xor.b32 %r6, %r2, 4;\nadd.u32 %r6, %r6, %r3;\nld.shared.u32 %r5, [%r6];\nst.global.u32 [%rd4], %r5;";
  faultOf(check::entry(exchange + read), ptxsim::FaultKind::Race);
  Machine machine(check::entry(exchange + "bar.warp.sync -1;\n" + read));
  uint64_t out = machine.room(128);
  machine.launch("k", {out, out});
  check::equal(machine.download<uint32_t>(out, 2)[0], 1u, "the neighbour's value");
}

CASE(overwriting_what_another_warp_still_reads_is_a_race) {
  faultOf(check::entry(Tile + "st.shared.u32 [%r4], %r0;\nbar.sync 0;\nxor.b32 %r6, %r2, 128;\nadd.u32 %r6, %r6, %r3;\nld.shared.u32 %r5, [%r6];\n"
                       "st.shared.u32 [%r4], %r5;"),
          ptxsim::FaultKind::Race, 1, 64);
}

CASE(blocks_must_not_write_one_place) { faultOf(check::entry("mov.u32 %r1, %ctaid.x;\nst.global.u32 [%rd1], %r1;"), ptxsim::FaultKind::Race, 8, 1); }

CASE(blocks_may_write_neighbouring_places) {
  // Sixteen blocks within one line of the shadow, two bytes each.
  std::string write = "mov.u32 %r1, %ctaid.x;\nmul.wide.u32 %rd6, %r1, 2;\nadd.u64 %rd7, %rd1, %rd6;\ncvt.u16.u32 %h1, %r1;\nst.global.u16 [%rd7], %h1;\n";
  Machine machine(check::entry(write + "ld.global.u16 %h2, [%rd7];"));
  uint64_t out = machine.room(64);
  machine.launch("k", {out, out}, 16, 1);
  auto values = machine.download<uint16_t>(out, 16);
  for (uint32_t i = 0; i < 16; i++) check::equal(values[i], static_cast<uint16_t>(i), "value of block " + std::to_string(i));
}

CASE(a_block_must_not_write_what_several_have_read) {
  check::contains(faultOf(check::entry("ld.global.u32 %r2, [%rd2];\nmov.u32 %r1, %ctaid.x;\nsetp.eq.u32 %p1, %r1, 3;\n@%p1 st.global.u32 [%rd2], %r1;"), ptxsim::FaultKind::Race, 4, 1),
                  "of the same launch has");
}

CASE(blocks_may_add_atomically) {
  Machine machine(check::entry("red.global.add.u32 [%rd1], 1;"));
  uint64_t out = machine.upload(std::vector<uint32_t>{0});
  machine.launch("k", {out, out}, 64, 32);
  check::equal(machine.download<uint32_t>(out, 1)[0], 2048u, "sum");
}

// Blocks that take turns: each waits for the one before, which may not have begun, and reads what it wrote.
CASE(a_fence_and_an_atomic_hand_data_from_block_to_block) {
  auto turns = [](const std::string& fence) {
    return check::entry("mov.u32 %r1, %ctaid.x;\nWAIT:\natom.global.cas.b32 %r2, [%rd1], 9999, 0;\nsetp.lt.u32 %p1, %r2, %r1;\n@%p1 bra WAIT;\nld.global.u32 %r3, [%rd1+4];\n"
                        "add.u32 %r3, %r3, %r1;\nst.global.u32 [%rd1+4], %r3;\n" + fence + "\nred.global.add.u32 [%rd1], 1;");
  };
  for (std::string fence : {"membar.gl;", "fence.acq_rel.gpu;"}) {
    Machine machine(turns(fence));
    machine.options.seed = 3;
    uint64_t out = machine.upload(std::vector<uint32_t>{0, 0});
    machine.launch("k", {out, out}, 16, 1);
    check::equal(machine.download<uint32_t>(out, 2)[1], 120u, "the sum of 0 to 15");
  }

  for (std::string fence : {"", "membar.cta;"}) {
    Machine machine(turns(fence));
    uint64_t out = machine.upload(std::vector<uint32_t>{0, 0});
    try {
      machine.launch("k", {out, out}, 16, 1);
    } catch (const ptxsim::KernelFault& fault) {
      check::equal(static_cast<int>(fault.kind()), static_cast<int>(ptxsim::FaultKind::Race), fault.what());
      continue;
    }
    throw std::runtime_error("no race without a fence of the device: '" + fence + "'");
  }
}

CASE(a_barrier_in_divergent_code_is_reported) {
  auto report = faultOf(check::entry("setp.lt.u32 %p1, %r0, 16;\n@%p1 bra A;\nbar.sync 0;\nbra B;\nA:\nbar.sync 0;\nB:"), ptxsim::FaultKind::Barrier);
  check::contains(report, "divergent");
}

CASE(a_barrier_that_a_warp_misses_is_a_deadlock) {
  faultOf(check::entry("setp.lt.u32 %p1, %r0, 32;\n@%p1 bra WAIT;\nLOOP:\nmov.u32 %r1, 64;\nbar.sync 1, 64;\nWAIT:\nbar.sync 0, 64;\n"), ptxsim::FaultKind::Deadlock, 1, 64);
}

CASE(data_of_a_copy_in_flight_is_not_read) {
  std::string copy = Tile + "cp.async.ca.shared.global [%r4], [%rd5], 4;\ncp.async.commit_group;\n", read = "ld.shared.u32 %r5, [%r4];\nst.global.u32 [%rd4], %r5;";
  check::contains(faultOf(check::entry(copy + read), ptxsim::FaultKind::Race), "in flight");
  Machine machine(check::entry(copy + "cp.async.wait_group 0;\n" + read));
  uint64_t in = machine.upload(std::vector<uint32_t>(32, 7)), out = machine.room(128);
  machine.launch("k", {out, in});
  check::equal(machine.download<uint32_t>(out, 32)[31], 7u, "copied value");
}

CASE(a_copy_is_ordered_for_other_warps_by_wait_and_barrier) {
  std::string copy = Tile + "st.shared.u32 [%r4], %r0;\nbar.sync 0;\ncp.async.ca.shared.global [%r4], [%rd5], 4;\ncp.async.commit_group;\ncp.async.wait_group 0;\n";
  std::string read = "xor.b32 %r6, %r2, 128;\nadd.u32 %r6, %r6, %r3;\nld.shared.u32 %r5, [%r6];";
  faultOf(check::entry(copy + read), ptxsim::FaultKind::Race, 1, 64);
  Machine machine(check::entry(copy + "bar.sync 0;\n" + read));
  uint64_t in = machine.upload(std::vector<uint32_t>(64, 7));
  machine.launch("k", {in, in}, 1, 64);
}

CASE(a_short_copy_fills_with_zeros) {
  Machine machine(check::entry(Tile + "shl.b32 %r2, %r0, 4;\nadd.u32 %r4, %r3, %r2;\nsetp.gt.u32 %p1, %r0, 0;\n@%p1 ret;\n"
                               "cp.async.cg.shared.global [%r4], [%rd2], 16, 8;\ncp.async.wait_all;\nld.shared.v4.u32 {%r5,%r6,%r7,%r8}, [%r4];\n"
                               "st.global.v4.u32 [%rd1], {%r5,%r6,%r7,%r8};"));
  uint64_t in = machine.upload(std::vector<uint32_t>(4, 9)), out = machine.room(16);
  machine.launch("k", {out, in});
  auto values = machine.download<uint32_t>(out, 4);
  check::equal(values[1], 9u, "copied");
  check::equal(values[2], 0u, "filled");
}

CASE(a_shuffle_waits_for_its_members) {
  faultOf(check::entry("setp.lt.u32 %p1, %r0, 16;\n@%p1 bra DONE;\nshfl.sync.bfly.b32 %r1, %r0, 1, 31, 65535;\nDONE:"), ptxsim::FaultKind::Convergence);
}

CASE(mma_needs_every_lane) {
  faultOf(check::entry("setp.lt.u32 %p1, %r0, 31;\n@!%p1 bra DONE;\nmma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f1,%f2,%f3,%f4}, "
                       "{%r1,%r2,%r3,%r4}, {%r5,%r6}, {%f5,%f6,%f7,%f8};\nDONE:"),
          ptxsim::FaultKind::Convergence);
}

CASE(a_trap_stops_the_kernel) { faultOf(check::entry("trap;"), ptxsim::FaultKind::IllegalInstruction); }

CASE(an_mbarrier_must_be_initialized) { faultOf(check::entry(Tile + "mbarrier.arrive.shared.b64 %rd6, [%r3];"), ptxsim::FaultKind::IllegalAddress); }

CASE(a_report_names_the_source_line) {
  auto text = check::entry(".loc 1 42 7\nst.global.u32 [%rd4+8192], %r0;", ".file 1 \"kernels/add.cu\"\n");
  check::contains(faultOf(text, ptxsim::FaultKind::IllegalAddress), "kernels/add.cu:42");
}

int main(int argc, char** argv) { return check::run(argc, argv); }
