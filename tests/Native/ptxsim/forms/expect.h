// One instruction against a scalar model of it, over edge values and random ones, and a record of which forms of the table were met so.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

namespace check {

using Bits = uint64_t;
using Model = std::function<Bits(Bits a, Bits b, Bits c)>;

// `instruction` is opcode and modifiers; `types` those of result and operands: "u64 u32 u32". The model takes and gives bits. Results of type
// f16, bf16, f32 and f64 are equal where both are NaN, and within `tolerance` times their size. `body` takes the place of the instruction where
// it has other operands than %vd, %va, %vb, %vc; it may use %p0 to %p7, %h0 to %h7, %x0 to %x7 (32 bits) and %y0 to %y7 (64 bits).
void expect(const std::string& instruction, const std::string& types, const Model& model, double tolerance = 0, std::string body = "");

// Where the model is asked: the thread's number over all blocks of 256, and the operands of all threads, for what lanes exchange.
struct Here {
  uint32_t index = 0;
  const std::vector<Bits>* inputs = nullptr;
};
const Here& here();

// What bodies may use beside registers: 32 bytes a thread in `room` (global, of all), `tile` (shared) and `own` (local), `table` in constant
// memory, and twice(x).
inline constexpr Bits Table[4] = {0x1122334455667788, 0x99AABBCCDDEEFF00, 0x0123456789ABCDEF, 0xFEDCBA9876543210};

// A form that leaves no instruction behind was met: call.
void cover(const std::string& text);

// The instructions of the opcode in a module's entry k were met by a test of their results.
class Machine;
void cover(const Machine& machine, const std::string& opcode);

// Forms, and words of forms, that nothing has met: one line each.
std::vector<std::string> uncovered();

// Integer types by name.
struct Integer {
  std::string name;
  int bits;
  bool isSigned;
};
inline const std::vector<Integer> Integers = {{"u16", 16, false}, {"u32", 32, false}, {"u64", 64, false}, {"s16", 16, true}, {"s32", 32, true}, {"s64", 64, true}};

__extension__ typedef __int128 Wide;
inline Bits cut(Wide value, int bits) { return static_cast<Bits>(value) & (bits == 64 ? ~Bits{0} : (Bits{1} << bits) - 1); }
inline Wide valueOf(Bits bits, const Integer& type) {
  bits = cut(static_cast<Wide>(bits), type.bits);
  return type.isSigned && (bits >> (type.bits - 1) & 1) ? static_cast<Wide>(bits) - (Wide{1} << type.bits) : static_cast<Wide>(bits);
}

// A binary format: significand bits with the hidden one, smallest exponent of a normal number, bits in memory.
struct Format {
  std::string name;
  int precision, least, bits;
};
inline const Format F16{"f16", 11, -14, 16}, Bf16{"bf16", 8, -126, 16}, Tf32{"tf32", 11, -126, 32}, F32{"f32", 24, -126, 32}, F64{"f64", 53, -1022, 64};

enum class Mode { Nearest, Zero, Down, Up, Away };  // Away: to nearest, ties away from zero
struct Named {
  std::string word;
  Mode mode;
};
inline const std::vector<Named> Modes = {{".rn", Mode::Nearest}, {".rz", Mode::Zero}, {".rm", Mode::Down}, {".rp", Mode::Up}};

double toDouble(Bits bits, const Format& format);
// Rounds once; NaN gives a NaN.
Bits fromDouble(double value, const Format& format, Mode mode = Mode::Nearest);
// Subnormal numbers become zeros of their sign.
Bits flushed(Bits bits, const Format& format);
// f() evaluated while the host rounds so.
double under(Mode mode, const std::function<double()>& f);

}  // namespace check
