// Static figures against kernels whose figures are counted by hand.
#include "check.h"
#include "exec/occupancy.h"
#include "machine.h"

using check::Machine;

namespace {

// An entry of nothing but the lines given; %rd1 is its parameter.
std::string kernel(const std::string& body, const std::string& directives = "") {
  return check::Header + ".visible .entry k(.param .u64 out)\n" + directives + "{\n.reg .pred %p<4>; .reg .b32 %r<200>; .reg .b64 %rd<8>;\nld.param.u64 %rd1, [out];\n" + body + "ret;\n}\n";
}

void figures(const std::string& body, int registers, int predicates) {
  Machine machine(kernel(body));
  check::equal(machine.kernel("k").footprint().liveRegisters, registers, "live registers of\n" + body);
  check::equal(machine.kernel("k").footprint().livePredicates, predicates, "live predicates of\n" + body);
}

void fits(const std::string& text, int block, uint32_t dynamic, int capability, int blocks, double share, const std::string& limit) {
  Machine machine(text);
  auto found = ptxsim::occupancy(machine.kernel("k"), block, dynamic, capability);
  check::equal(found.blocks, blocks, "blocks of " + std::to_string(block) + " on sm_" + std::to_string(capability));
  check::equal(found.share, share, "share of the warps");
  check::equal(std::string(found.limit), limit, "limit");
}

// Sums `count` values that are all loaded first.
std::string wide(int count) {
  std::string text;
  for (int i = 0; i < count; i++) text += "ld.global.u32 %r" + std::to_string(i) + ", [%rd1+" + std::to_string(4 * i) + "];\n";
  for (int i = 1; i < count; i++) text += "add.u32 %r0, %r0, %r" + std::to_string(i) + ";\n";
  return text + "st.global.u32 [%rd1], %r0;\n";
}

}  // namespace

CASE(live_registers_of_straight_code) {
  // The address takes two.
  figures("mov.u32 %r1, 1;\nst.global.u32 [%rd1], %r1;\n", 3, 0);
  figures("mov.u32 %r1, %tid.x;\nmov.u32 %r2, %tid.y;\nadd.u32 %r3, %r1, %r2;\nst.global.u32 [%rd1], %r3;\n", 4, 0);
  figures(wide(128), 130, 0);
  // The same sum as it goes: one value beside the sum.
  std::string narrow = "mov.u32 %r0, 0;\n";
  for (int i = 0; i < 128; i++) narrow += "ld.global.u32 %r1, [%rd1+" + std::to_string(4 * i) + "];\nadd.u32 %r0, %r0, %r1;\n";
  figures(narrow + "st.global.u32 [%rd1], %r0;\n", 4, 0);
}

CASE(live_registers_of_loops_and_guards) {
  // In the loop: the address, the sum, the step and the bound, and the predicate at its end.
  figures("mov.u32 %r1, 0;\nmov.u32 %r2, %tid.x;\nmov.u32 %r3, %ntid.x;\nLOOP:\nadd.u32 %r1, %r1, %r2;\nsetp.lt.u32 %p1, %r1, %r3;\n@%p1 bra LOOP;\nst.global.u32 [%rd1], %r1;\n", 5, 1);
  // A guarded write may leave the old value, which is live until then.
  figures("mov.u32 %r1, 1;\nmov.u32 %r2, %tid.x;\nsetp.eq.u32 %p1, %r2, 0;\n@%p1 mov.u32 %r1, 2;\nst.global.u32 [%rd1], %r1;\n", 4, 1);
}

CASE(shared_memory) {
  Machine both(kernel(".shared .align 4 .b8 small[12];\n.shared .align 16 .b8 tile[64];\nst.shared.u32 [small], 0;\nst.shared.u32 [tile], 0;\n"));
  // 12 bytes, 4 to the next multiple of 16, 64.
  check::equal(both.kernel("k").sharedBytes, 80u, "static shared memory");
  check::that(!both.kernel("k").usesDynamicShared, "it has no dynamic shared memory");
}

CASE(occupancy_of_each_limit) {
  std::string small = kernel("st.global.u32 [%rd1], 0;\n"), tile = kernel(".shared .align 16 .b8 tile[40960];\nst.shared.u32 [tile], 0;\n");
  for (int capability : {80, 90}) {
    // 64 warps and 32 blocks a multiprocessor.
    fits(small, 256, 0, capability, 8, 1, "threads");
    fits(small, 32, 0, capability, 32, 0.5, "blocks");
    // 130 registers are handed out as 136: 4352 a warp, of 65536 for 15 warps, 3 blocks of 4.
    fits(kernel(wide(128)), 128, 0, capability, 3, 12.0 / 64, "registers");
  }
  // A block's 40 KB and 1 KB of the system's; 164 KB on sm_80, 228 KB on sm_90.
  fits(tile, 128, 0, 80, 4, 16.0 / 64, "shared memory");
  fits(tile, 128, 0, 90, 5, 20.0 / 64, "shared memory");
  fits(tile, 128, 40960, 90, 2, 8.0 / 64, "shared memory");
}

CASE(instruction_mix) {
  Machine machine(kernel("mov.u32 %r1, %tid.x;\nadd.u32 %r2, %r1, 1;\ncvt.rn.f32.u32 %r3, %r2;\nadd.f32 %r3, %r3, %r3;\nshfl.sync.bfly.b32 %r4, %r3, 1, 31, -1;\nbar.sync 0;\n"
                         "red.global.add.u32 [%rd1], %r4;\nst.global.u32 [%rd1+4], %r4;\n"));
  int counts[static_cast<size_t>(ptxsim::Count::Number)] = {};
  for (const auto& instruction : machine.kernel("k").code) counts[static_cast<size_t>(instruction.kind)]++;
  auto is = [&](ptxsim::Count kind, int expected) { check::equal(counts[static_cast<size_t>(kind)], expected, ptxsim::nameOf(kind)); };
  using ptxsim::Count;
  is(Count::IntegerInstructions, 2);
  is(Count::FloatInstructions, 1);
  is(Count::ConversionInstructions, 1);
  is(Count::ExchangeInstructions, 1);
  is(Count::BarrierInstructions, 1);
  is(Count::AtomicInstructions, 1);
  is(Count::MemoryInstructions, 2);
  // The one written, and the return at the end of every body.
  is(Count::ControlInstructions, 2);
}

int main(int argc, char** argv) { return check::run(argc, argv); }
