// wgmma of bf16 and setmaxnreg (PTX ISA, sections 9.7.14 and 9.7.17.5). A warp of the four multiplies its 16 rows when it issues the instruction;
// operands must be there then, and nothing may touch them until a wgmma.wait_group that covers the product. That registers are left alone meanwhile is
// worked out when the kernel is decoded (exec/product_registers.cpp). Sums are made as mma makes them here.
#include <cstring>

#include "exec/ops/lanes.h"
#include "exec/tensor_map.h"

namespace ptxsim {
namespace {

constexpr const char* Name = "wgmma.mma_async";
constexpr int K = 16, Rows = 16, MostColumns = 256, GroupWarps = 4;

// Waits for all lanes of the warp: false where some are still to come.
bool together(Warp& w, const char* what) {
  if (!w.gather(AllLanes, what)) return false;
  if (w.active != AllLanes)
    throw Fault{FaultKind::Convergence, std::string(what) + " needs all 32 lanes, and some have left the kernel", std::countr_zero(w.active)};
  return true;
}

template <typename T>
T sameInAllLanes(const Warp& w, Slot at, const char* what) {
  auto* values = w.slot<T>(at);
  for (int lane = 1; lane < Lanes; lane++)
    if (values[lane] != values[0]) throw Fault{FaultKind::Convergence, std::string(what) + " differs between the lanes of a warp", lane};
  return values[0];
}

// A matrix descriptor (section 9.7.14.5.1.3), understood.
struct Operand {
  uint64_t begin = 0, leading = 0, stride = 0;
  bool isTransposed = false;  // contiguous along rows of A, or columns of B

  Operand(uint64_t descriptor, uint32_t transpose) : isTransposed(transpose != 0) {
    begin = (descriptor & 0x3FFF) << 4;
    leading = (descriptor >> 16 & 0x3FFF) << 4;
    stride = (descriptor >> 32 & 0x3FFF) << 4;
    if (transpose > 1) refuse("transposes by " + std::to_string(transpose) + ", neither 0 nor 1");
    if (descriptor >> 62 != 1) refuse("has a descriptor of swizzle mode " + std::to_string(descriptor >> 62) + ": only 1, 128 bytes, is modelled");
    if ((descriptor >> 49 & 7) != 0) refuse("has a descriptor with a base offset, which is not modelled");
    if ((descriptor & 0x3FF1C000C000C000) != 0) refuse("has a descriptor with bits set that mean nothing");
  }

  // Where eight values lie: of k to k + 7 at `outer` (a row of A, a column of B), or transposed of outer to outer + 7 at k.
  uint64_t place(uint64_t outer, uint64_t k) const {
    return swizzled128(isTransposed ? begin + outer / 64 * leading + outer % 64 * 2 + k / 8 * stride + k % 8 * 128
                                    : begin + outer / 8 * stride + outer % 8 * 128 + k * 2);
  }

  [[noreturn]] static void refuse(const std::string& problem) { throw Fault{FaultKind::IllegalInstruction, std::string(Name) + " " + problem}; }
};

float widen(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

void readPlace(const Warp& w, uint64_t at, const SharedMemory::Access& access) {
  w.block->shared->check(at, 16, access);
  w.block->shared->readBulk(at, access);
}

// Values of `count` rows (columns) from `first` on: store(outer, k, value). Their places are added to `places`.
template <typename F>
void fetch(const Warp& w, const Operand& operand, int first, int count, std::vector<uint64_t>& places, F store) {
  auto access = w.access(SharedMemory::SeveralLanes, Name);
  for (int outer = 0; outer < count; outer += operand.isTransposed ? 8 : 1) {
    for (int k = 0; k < K; k += operand.isTransposed ? 1 : 8) {
      uint64_t at = operand.place(static_cast<uint64_t>(first + outer), static_cast<uint64_t>(k));
      readPlace(w, at, access);
      places.push_back(at);
      uint16_t values[8];
      std::memcpy(values, w.block->shared->data() + at, sizeof values);
      for (int i = 0; i < 8; i++) operand.isTransposed ? store(outer + i, k, widen(values[i])) : store(outer, k + i, widen(values[i]));
    }
  }
}

// D (64, N) = A (64, 16) B (16, N) + D, or without D where the predicate is false. Element e of D's j-th four registers is at row g + 8 (e / 2),
// column 8 j + 2 t + e % 2 of the warp's 16 rows, with g = lane / 4 and t = lane % 4.
void multiply(Warp& w, const Instruction& i) {
  if (!together(w, Name)) return;
  const auto& results = w.block->kernel->registerLists[i.target];
  int columns = static_cast<int>(results.size()) * 2;
  double a[Rows][K], scale = 1;
  static thread_local double b[K][MostColumns], sums[Rows][MostColumns];
  for (int which = 3; which <= 4; which++) {
    auto sign = static_cast<int32_t>(w.slot<uint32_t>(i.at[which])[0]);
    if (sign != 1 && sign != -1) Operand::refuse("scales by " + std::to_string(sign) + ", neither 1 nor -1");
    scale *= sign;
  }

  Operand left(sameInAllLanes<uint64_t>(w, i.at[0], "a matrix descriptor"), w.slot<uint32_t>(i.at[5])[0]);
  Operand right(sameInAllLanes<uint64_t>(w, i.at[1], "a matrix descriptor"), w.slot<uint32_t>(i.at[6])[0]);
  PendingProduct product{w.productGroups, {}};
  fetch(w, left, w.index % GroupWarps * Rows, Rows, product.places, [&](int row, int k, float value) { a[row][k] = scale * value; });
  fetch(w, right, 0, columns, product.places, [&](int column, int k, float value) { b[k][column] = value; });
  w.products.push_back(std::move(product));
  for (int row = 0; row < Rows; row++) {
    std::fill_n(sums[row], columns, 0.0);
    for (int k = 0; k < K; k++)
      for (int column = 0; column < columns; column++) sums[row][column] += a[row][k] * b[k][column];
  }

  uint32_t adds = w.test(i, 2);
  if (adds != 0 && adds != AllLanes) throw Fault{FaultKind::Convergence, std::string(Name) + ": lanes differ in whether they add to D"};
  for (size_t r = 0; r < results.size(); r++) {
    auto* d = w.slot<float>(results[r]);
    auto e = static_cast<int>(r % 4), first = static_cast<int>(r / 4) * 8;
    for (int lane = 0; lane < Lanes; lane++) {
      double sum = sums[lane / 4 + 8 * (e / 2)][first + 2 * (lane % 4) + e % 2];
      d[lane] = static_cast<float>(adds ? sum + d[lane] : sum);
    }
  }
}

void fence(Warp& w, const Instruction&) { together(w, "wgmma.fence"); }

void commit(Warp& w, const Instruction&) {
  if (!together(w, "wgmma.commit_group")) return;
  w.productGroups++;
}

// The products of all groups but the newest have read their operands: that counts as now.
void wait(Warp& w, const Instruction& i) {
  if (!together(w, "wgmma.wait_group")) return;
  auto isDone = [&](const PendingProduct& product) { return product.group + i.immediate < w.productGroups; };
  auto access = w.access(SharedMemory::SeveralLanes, Name);
  for (const auto& product : w.products)
    if (isDone(product))
      for (uint64_t at : product.places) readPlace(w, at, access);
  std::erase_if(w.products, isDone);
}

// Registers go from warp to warp of a block: whoever wants more waits until others have given up enough.
void setRegisters(Warp& w, const Instruction& i) {
  if (!together(w, "setmaxnreg")) return;
  auto wanted = static_cast<uint32_t>(i.immediate);
  if (wanted < 24 || wanted > 256 || wanted % 8 != 0)
    throw Fault{FaultKind::IllegalInstruction, "setmaxnreg with " + std::to_string(wanted) + " registers: multiples of 8 from 24 to 256 are possible"};
  bool isMore = i.mode == 1;
  if (isMore ? wanted < w.registersHeld : wanted > w.registersHeld)
    throw Fault{FaultKind::IllegalInstruction, std::string("setmaxnreg.") + (isMore ? "inc" : "dec") + " to " + std::to_string(wanted) + " registers from " +
                                                   std::to_string(w.registersHeld)};
  uint32_t& spare = w.block->spareRegisters;
  if (isMore && (wanted - w.registersHeld) * Lanes > spare) {
    w.next = w.pc;  // again, once others have run
    w.yields = true;
    return;
  }

  spare += (w.registersHeld - wanted) * Lanes;
  w.registersHeld = wanted;
}

}  // namespace

Handler warpgroupHandler(const Shape& s) {
  if (s.form->opcode == "setmaxnreg") return &setRegisters;
  if (s.form->opcode != "wgmma") return nullptr;
  if (s.has(".fence")) return &fence;
  if (s.has(".commit_group")) return &commit;
  return s.has(".wait_group") ? &wait : &multiply;
}

}  // namespace ptxsim
