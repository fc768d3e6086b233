// ldmatrix, stmatrix, movmatrix and mma (PTX ISA, section 9.7.13): register layouts as the manual's figures give them. Products of 16-bit
// operands are exact in float; each dot product is summed in double and added to the accumulator with one rounding. Tensor cores add in
// an order of their own: results agree to a few units in the last place, not to the bit.
#include <cstring>
#include <stdexcept>

#include "exec/ops/address.h"
#include "exec/ops/lanes.h"

namespace ptxsim {
namespace {

void together(const Warp& w, const char* what) {
  if (w.active != AllLanes)
    throw Fault{FaultKind::Convergence, std::string(what) + " needs all 32 lanes, and some are not here", std::countr_zero(w.active)};
}

// Eight rows of eight, turned around.
void transpose(uint16_t (&m)[8][8]) {
#if defined(__has_builtin) && __has_builtin(__builtin_shufflevector)
  typedef uint16_t Row __attribute__((vector_size(16)));
  Row rows[8], next[8];
  std::memcpy(rows, m, sizeof rows);
  // Row i meets row i + 4; after three rounds each element has gone where its three bits of row and of column say.
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 4; i++) {
      next[2 * i] = __builtin_shufflevector(rows[i], rows[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
      next[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    std::memcpy(rows, next, sizeof rows);
  }
  std::memcpy(m, rows, sizeof rows);
#else
  for (int row = 0; row < 8; row++)
    for (int column = 0; column < row; column++) std::swap(m[row][column], m[column][row]);
#endif
}

// Rows of sixteen bytes, one each of the first `lanes` lanes.
Addresses rowsOf(const Warp& w, const Instruction& i, int operand, int lanes, const char* what) {
  Addresses a;
  auto mask = static_cast<uint32_t>((uint64_t{1} << lanes) - 1);
  if (a.gather(w, i, operand, 0, 16, mask) && a.space == Space::Shared && w.block->shared->isInside(a.highest, 16)) return a;
  for (int lane = 0; lane < lanes; lane++) {
    Place place = placeOf(w, i, operand, 0, lane);
    if (place.space != Space::Shared) throw Fault{FaultKind::AddressSpace, std::string(what) + " outside shared memory", lane, place.address};
    w.block->shared->check(place.address, 16, w.access(lane, what));
  }

  throw std::logic_error("rows that are neither right nor wrong");
}

// Eight rows of sixteen bytes for each matrix, row r of matrix m at the address of lane 8 m + r. Four lanes side by side hold a row.
void ldmatrix(Warp& w, const Instruction& i) {
  together(w, "ldmatrix");
  int count = i.count - 1;
  Addresses a = rowsOf(w, i, count, 8 * count, "ldmatrix");
  w.block->shared->readScattered(a.at, a.lanes, 0, 4, w.access(0, "ldmatrix"));
  if constexpr (IsCounting) countShared(w, 16, false, a.count, banksOf(w, i, a, 16).passes);
  w.meet();
  const uint8_t* memory = w.block->shared->data();
  for (int m = 0; m < count; m++) {
    auto* d = w.slot<uint32_t>(i.at[m]);
    uint16_t rows[8][8];
    for (int row = 0; row < 8; row++) std::memcpy(rows[row], memory + a.at[8 * m + row], sizeof rows[row]);
    if (i.transpose) transpose(rows);
    std::memcpy(d, rows, sizeof rows);
  }
}

void stmatrix(Warp& w, const Instruction& i) {
  together(w, "stmatrix");
  int count = i.count - 1;
  w.meet();
  Addresses a = rowsOf(w, i, 0, 8 * count, "stmatrix");
  for (int lane = 0; lane < 8 * count; lane++) {
    int m = lane / 8, row = lane % 8;
    uint16_t values[8];
    for (int column = 0; column < 8; column++) {
      int holder = i.transpose ? 4 * column + row / 2 : 4 * row + column / 2, half = i.transpose ? row % 2 : column % 2;
      values[column] = static_cast<uint16_t>(w.slot<uint32_t>(i.at[1 + m])[holder] >> (16 * half));
    }

    w.block->shared->writeRow(a.at[lane], 4, 4, w.access(lane, "stmatrix"), values);
  }

  if constexpr (IsCounting) countShared(w, 16, true, a.count, banksOf(w, i, a, 16).passes);
}

void movmatrix(Warp& w, const Instruction& i) {
  together(w, "movmatrix");
  uint16_t rows[8][8];
  std::memcpy(rows, w.slot<uint32_t>(i.at[1]), sizeof rows);
  transpose(rows);
  std::memcpy(w.slot<uint32_t>(i.at[0]), rows, sizeof rows);
  w.meet();
}

// Eight values at once. Vectors stay in memory between functions: how they are passed depends on what a file is compiled for.
typedef uint16_t Words8 __attribute__((vector_size(16)));
typedef uint32_t Bits8 __attribute__((vector_size(32)));
typedef float Floats8 __attribute__((vector_size(32)));
typedef double Doubles8 __attribute__((vector_size(64)));  // a row of the accumulator: its eight columns

// How a register of A or B holds values, and eight of them, side by side, as doubles.
struct BrainPair {
  using Raw = uint16_t;
  static void widen(double* to, const Raw* from) {
    Words8 words;
    std::memcpy(&words, from, sizeof words);
    Bits8 bits = __builtin_convertvector(words, Bits8) << 16;
    auto result = __builtin_convertvector(reinterpret_cast<Floats8>(bits), Doubles8);
    std::memcpy(to, &result, sizeof result);
  }
};
struct HalfPair {
  using Raw = uint16_t;
  // As toFloat.
  static void widen(double* to, const Raw* from) {
    Words8 words;
    std::memcpy(&words, from, sizeof words);
    Bits8 bits = __builtin_convertvector(words, Bits8);
    Floats8 magnitude = reinterpret_cast<Floats8>((bits & 0x7FFF) << 13) * 0x1p112f;
    Bits8 special = reinterpret_cast<Bits8>(magnitude >= 0x1p16f) & 0x7F800000;
    Bits8 value = reinterpret_cast<Bits8>(magnitude) | special | (bits & 0x8000) << 16;
    auto result = __builtin_convertvector(reinterpret_cast<Floats8>(value), Doubles8);
    std::memcpy(to, &result, sizeof result);
  }
};
struct Tf32 {
  using Raw = uint32_t;
  // The tensor core does not read the low 13 bits.
  static void widen(double* to, const Raw* from) {
    for (int i = 0; i < 8; i++) to[i] = static_cast<double>(std::bit_cast<float>(from[i] & ~0x1FFFu));
  }
};

// m16n8kK. With g = lane / 4 and t = lane % 4: register r of A holds row g + 8 (r & 1), columns from P t + 4 P (r / 2); register r of B
// rows from P t + 4 P r, column g; the accumulator's register r row g + 8 (r / 2), column 2 t + (r & 1). P is the values per register.
// So a register of all lanes is a matrix of 8 x 4 P, row after row. Products are exact in double, and each sum is made in the order of k.
template <typename Operand, int K>
void mma(Warp& w, const Instruction& i) {
  together(w, "mma");
  using Raw = typename Operand::Raw;
  constexpr int P = sizeof(uint32_t) / sizeof(Raw), W = 4 * P, RegistersA = 16 * K / (32 * P), RegistersB = 8 * K / (32 * P), C = 4 + RegistersA + RegistersB;
  constexpr int Block = 8;  // rows whose sums fit into registers
  double a[16][K], b[K][8], sums[16][8], values[8][W];
  Raw raw[8][W];
  for (int r = 0; r < RegistersA; r++) {
    const auto* from = reinterpret_cast<const Raw*>(w.slot<uint32_t>(i.at[4 + r]));
    for (int n = 0; n < W; n++) Operand::widen(values[0] + 8 * n, from + 8 * n);
    for (int g = 0; g < 8; g++) std::memcpy(&a[g + 8 * (r & 1)][W * (r / 2)], values[g], sizeof values[g]);
  }

  for (int r = 0; r < RegistersB; r++) {
    std::memcpy(raw, w.slot<uint32_t>(i.at[4 + RegistersA + r]), sizeof raw);
    if constexpr (W == 8) {
      transpose(raw);
      for (int c = 0; c < W; c++) Operand::widen(b[c + W * r], raw[c]);
    } else {
      for (int n = 0; n < W; n++) Operand::widen(values[0] + 8 * n, raw[0] + 8 * n);
      for (int c = 0; c < W; c++)
        for (int g = 0; g < 8; g++) b[c + W * r][g] = values[g][c];
    }
  }

  for (int first = 0; first < 16; first += Block) {
    Doubles8 block[Block];
    for (int row = 0; row < Block; row++) block[row] = Doubles8{};
    for (int k = 0; k < K; k++) {
      Doubles8 factors;
      std::memcpy(&factors, b[k], sizeof factors);
      for (int row = 0; row < Block; row++) block[row] += a[first + row][k] * factors;
    }

    std::memcpy(sums[first], block, sizeof block);
  }

  // All addends are read before a result is written, which may take their place.
  float results[4][Lanes];
  for (int r = 0; r < 4; r++) {
    const auto* addends = w.slot<float>(i.at[C + r]);
    for (int g = 0; g < 8; g++)
      for (int t = 0; t < 4; t++) results[r][4 * g + t] = static_cast<float>(sums[g + 8 * (r / 2)][2 * t + (r & 1)] + addends[4 * g + t]);
  }

  for (int r = 0; r < 4; r++) std::memcpy(w.slot<float>(i.at[r]), results[r], sizeof results[r]);
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
