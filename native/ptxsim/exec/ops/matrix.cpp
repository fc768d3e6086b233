// ldmatrix, stmatrix, movmatrix and mma (PTX ISA, section 9.7.13): register layouts as the manual's figures give them. Products of 16-bit
// operands are exact in float; each dot product is summed in double and added to the accumulator with one rounding. Tensor cores add in
// an order of their own: results agree to a few units in the last place, not to the bit.
#include <cstring>

#include "exec/ops/address.h"
#include "exec/ops/lanes.h"

namespace ptxsim {
namespace {

void together(const Warp& w, const char* what) {
  if (w.active != AllLanes)
    throw Fault{FaultKind::Convergence, std::string(what) + " needs all 32 lanes, and some are not here", std::countr_zero(w.active)};
}

// Eight rows of sixteen bytes for each matrix, row r of matrix m at the address of lane 8 m + r.
void ldmatrix(Warp& w, const Instruction& i) {
  together(w, "ldmatrix");
  int count = i.count - 1;
  Traffic traffic(w, 16, false);
  uint16_t rows[4][8][8];
  for (int lane = 0; lane < 8 * count; lane++) {
    Place place = placeOf(w, i, count, 0, lane);
    if (place.space != Space::Shared) throw Fault{FaultKind::AddressSpace, "ldmatrix outside shared memory", lane, place.address};
    std::memcpy(rows[lane / 8][lane % 8], w.block->shared->read(place.address, 16, 16, w.access(lane, "ldmatrix")), 16);
    traffic.shared(place.address);
  }

  w.meet();
  for (int m = 0; m < count; m++) {
    auto* d = w.slot<uint32_t>(i.at[m]);
    for (int lane = 0; lane < Lanes; lane++) {
      int row = lane / 4, column = 2 * (lane % 4);
      uint32_t low = i.transpose ? rows[m][column][row] : rows[m][row][column];
      uint32_t high = i.transpose ? rows[m][column + 1][row] : rows[m][row][column + 1];
      d[lane] = high << 16 | low;
    }
  }
}

void stmatrix(Warp& w, const Instruction& i) {
  together(w, "stmatrix");
  int count = i.count - 1;
  Traffic traffic(w, 16, true);
  w.meet();
  for (int lane = 0; lane < 8 * count; lane++) {
    int m = lane / 8, row = lane % 8;
    uint16_t values[8];
    for (int column = 0; column < 8; column++) {
      int holder = i.transpose ? 4 * column + row / 2 : 4 * row + column / 2, half = i.transpose ? row % 2 : column % 2;
      values[column] = static_cast<uint16_t>(w.slot<uint32_t>(i.at[1 + m])[holder] >> (16 * half));
    }

    Place place = placeOf(w, i, 0, 0, lane);
    if (place.space != Space::Shared) throw Fault{FaultKind::AddressSpace, "stmatrix outside shared memory", lane, place.address};
    std::memcpy(w.block->shared->write(place.address, 16, 16, w.access(lane, "stmatrix"), values), values, 16);
    traffic.shared(place.address);
  }
}

void movmatrix(Warp& w, const Instruction& i) {
  together(w, "movmatrix");
  auto *d = w.slot<uint32_t>(i.at[0]), *a = w.slot<uint32_t>(i.at[1]);
  uint16_t values[8][8];
  for (int lane = 0; lane < Lanes; lane++)
    for (int half = 0; half < 2; half++) values[lane / 4][2 * (lane % 4) + half] = static_cast<uint16_t>(a[lane] >> (16 * half));
  for (int lane = 0; lane < Lanes; lane++)
    d[lane] = static_cast<uint32_t>(values[2 * (lane % 4) + 1][lane / 4]) << 16 | values[2 * (lane % 4)][lane / 4];
  w.meet();
}

// How many values a register of A or B holds, and the value.
struct BrainPair {
  static constexpr int Packed = 2;
  static float value(uint32_t raw, int part) { return toFloat(Brain{static_cast<uint16_t>(raw >> (16 * part))}); }
};
struct HalfPair {
  static constexpr int Packed = 2;
  static float value(uint32_t raw, int part) { return toFloat(Half{static_cast<uint16_t>(raw >> (16 * part))}); }
};
struct Tf32 {
  static constexpr int Packed = 1;
  // The tensor core does not read the low 13 bits.
  static float value(uint32_t raw, int) { return std::bit_cast<float>(raw & ~0x1FFFu); }
};

// m16n8kK. With g = lane / 4 and t = lane % 4: register r of A holds row g + 8 (r & 1), columns from P t + 4 P (r / 2); register r of B
// rows from P t + 4 P r, column g; the accumulator's register r row g + 8 (r / 2), column 2 t + (r & 1). P is the values per register.
template <typename Operand, int K>
void mma(Warp& w, const Instruction& i) {
  together(w, "mma");
  constexpr int P = Operand::Packed, RegistersA = 16 * K / (32 * P), RegistersB = 8 * K / (32 * P);
  float a[16][K], b[8][K];
  for (int lane = 0; lane < Lanes; lane++) {
    int g = lane / 4, t = lane % 4;
    for (int r = 0; r < RegistersA; r++)
      for (int part = 0; part < P; part++)
        a[g + 8 * (r & 1)][P * t + part + 4 * P * (r / 2)] = Operand::value(w.slot<uint32_t>(i.at[4 + r])[lane], part);
    for (int r = 0; r < RegistersB; r++)
      for (int part = 0; part < P; part++)
        b[g][P * t + part + 4 * P * r] = Operand::value(w.slot<uint32_t>(i.at[4 + RegistersA + r])[lane], part);
  }

  float d[16][8];
  for (int row = 0; row < 16; row++)
    for (int column = 0; column < 8; column++) {
      double sum = 0;
      for (int k = 0; k < K; k++) sum += static_cast<double>(a[row][k]) * b[column][k];
      int lane = 4 * (row % 8) + column / 2, r = 2 * (row / 8) + column % 2;
      d[row][column] = static_cast<float>(sum + w.slot<float>(i.at[4 + RegistersA + RegistersB + r])[lane]);
    }
  for (int lane = 0; lane < Lanes; lane++)
    for (int r = 0; r < 4; r++) w.slot<float>(i.at[r])[lane] = d[lane / 4 + 8 * (r / 2)][2 * (lane % 4) + (r & 1)];
  w.meet();
}

}  // namespace

Handler matrixHandler(const Shape& s) {
  auto op = s.form->opcode;
  if (op == "ldmatrix") return &ldmatrix;
  if (op == "stmatrix") return &stmatrix;
  if (op == "movmatrix") return &movmatrix;
  if (op != "mma") return nullptr;
  bool isBrain = s.has(".bf16"), isHalf = s.has(".f16");
  if (s.has(".m16n8k16")) return isBrain ? &mma<BrainPair, 16> : &mma<HalfPair, 16>;
  if (s.has(".m16n8k4")) return &mma<Tf32, 4>;
  return isBrain ? &mma<BrainPair, 8> : isHalf ? &mma<HalfPair, 8> : &mma<Tf32, 8>;
}

}  // namespace ptxsim
