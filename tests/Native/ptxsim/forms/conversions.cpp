// PTX ISA 9.7.8.20: cvt.
#include <cmath>

#include "check.h"
#include "forms/expect.h"

using namespace check;

namespace {

const std::vector<Integer> Widths = {{"u8", 8, false}, {"u16", 16, false}, {"u32", 32, false}, {"u64", 64, false}, {"s8", 8, true}, {"s16", 16, true}, {"s32", 32, true}, {"s64", 64, true}};
const std::vector<const Format*> Floats = {&F16, &F32, &F64};

// Registers hold 8 bits in 16; results of 8 bits extend to the register.
std::string registerOf(const Integer& t) { return t.bits == 8 ? (t.isSigned ? "s16" : "u16") : t.name; }
Bits inRegister(Wide value, const Integer& t) { return cut(valueOf(cut(value, t.bits), t), std::max(t.bits, 16)); }

Wide clamped(Wide value, const Integer& t) {
  Wide least = t.isSigned ? -(Wide{1} << (t.bits - 1)) : 0, most = (Wide{1} << (t.bits - t.isSigned)) - 1;
  return value < least ? least : value > most ? most : value;
}

// To a whole number as a double.
double whole(double value, Mode mode) {
  return mode == Mode::Zero ? std::trunc(value) : mode == Mode::Down ? std::floor(value) : mode == Mode::Up ? std::ceil(value) : std::nearbyint(value);
}

const std::vector<Named> ToInteger = {{".rni", Mode::Nearest}, {".rzi", Mode::Zero}, {".rmi", Mode::Down}, {".rpi", Mode::Up}};

}  // namespace

CASE(integers_to_integers) {
  for (const auto& to : Widths)
    for (const auto& from : Widths)
      for (bool sat : {false, true})
        expect(std::string("cvt") + (sat ? ".sat." : ".") + to.name + "." + from.name, registerOf(to) + " " + registerOf(from), [&](Bits a, Bits, Bits) {
          Wide value = valueOf(a, from);
          return inRegister(sat ? clamped(value, to) : value, to);
        });
}

// Out of range gives the nearest number there is, NaN gives 0.
CASE(floats_to_integers) {
  for (const auto& to : Widths)
    for (const auto* from : Floats)
      for (const auto& mode : ToInteger)
        for (std::string words : {"", ".ftz", ".sat"}) {
          if (words == ".ftz" && from->name != "f32") continue;
          expect("cvt" + mode.word + words + "." + to.name + "." + from->name, registerOf(to) + " " + from->name, [&](Bits a, Bits, Bits) {
            double value = whole(toDouble(words == ".ftz" ? flushed(a, *from) : a, *from), mode.mode);
            // NaN: zero, or from f64 and in 64 bits the top bit alone.
            if (value != value) return from->name == "f64" || to.bits == 64 ? inRegister(Wide{1} << (to.bits - 1), to) : Bits{0};
            double least = to.isSigned ? -std::ldexp(1.0, to.bits - 1) : 0, above = std::ldexp(1.0, to.bits - to.isSigned);
            Wide result = value < least ? static_cast<Wide>(least) : value >= above ? (Wide{1} << (to.bits - to.isSigned)) - 1 : static_cast<Wide>(value);
            return inRegister(result, to);
          });
        }
}

CASE(integers_to_floats) {
  for (const auto* to : Floats)
    for (const auto& from : Widths)
      for (const auto& mode : Modes)
        for (bool sat : {false, true}) {
          if (sat && to->name == "f64") continue;
          expect("cvt" + mode.word + (sat ? ".sat." : ".") + to->name + "." + from.name, to->name + " " + registerOf(from), [&](Bits a, Bits, Bits) {
            Wide value = valueOf(a, from);
            if (sat) value = value < 0 ? 0 : value > 1 ? 1 : value;
            // A long double holds 64 bits, a double may not: round once, from the whole number.
            if (to->name == "f32" && from.bits == 64) return fromDouble(under(mode.mode, [&] { return static_cast<double>(from.isSigned ? static_cast<float>(static_cast<int64_t>(value)) : static_cast<float>(static_cast<uint64_t>(value))); }), F32);
            if (to->name == "f64") return fromDouble(under(mode.mode, [&] { return from.isSigned ? static_cast<double>(static_cast<int64_t>(value)) : static_cast<double>(static_cast<uint64_t>(value)); }), F64);
            // Of halves every number from 65536 on is out of range.
            double limited = value > 70000 ? 70000 : value < -70000 ? -70000 : static_cast<double>(value);
            return fromDouble(to->name == "f16" ? limited : static_cast<double>(value), *to, mode.mode);
          });
        }
}

CASE(floats_to_floats) {
  for (const auto* to : Floats)
    for (const auto* from : Floats) {
      bool isNarrower = to->bits < from->bits;
      std::vector<Named> modes = isNarrower ? Modes : std::vector<Named>{{"", Mode::Nearest}};
      if (to == from) modes.insert(modes.end(), ToInteger.begin(), ToInteger.end());
      for (const auto& mode : modes)
        for (std::string words : {"", ".ftz", ".sat"}) {
          if (words == ".ftz" && to->name != "f32" && from->name != "f32") continue;
          if (words == ".sat" && to->name == "f64") continue;
          bool isWhole = mode.word.ends_with("i");
          expect("cvt" + mode.word + words + "." + to->name + "." + from->name, to->name + " " + from->name, [&](Bits a, Bits, Bits) {
            bool ftz = words == ".ftz";
            double value = toDouble(ftz && from->name == "f32" ? flushed(a, *from) : a, *from);
            if (isWhole) value = std::copysign(whole(value, mode.mode), value);
            Bits result = fromDouble(value, *to, mode.mode);
            if (ftz && to->name == "f32") result = flushed(result, *to);
            if (words == ".sat") result = value != value || value < 0 ? 0 : value > 1 ? fromDouble(1, *to) : result;
            return result;
          });
        }
    }
}

CASE(brain_floats_and_pairs) {
  expect("cvt.f32.bf16", "f32 bf16", [](Bits a, Bits, Bits) { return fromDouble(toDouble(a, Bf16), F32); });
  for (const auto* to : {&Bf16, &F16})
    for (const auto& mode : {Modes[0], Modes[1]})
      for (bool relu : {false, true}) {
        auto one = [=](Bits a) {
          double value = toDouble(a, F32);
          Bits result = fromDouble(value, *to, mode.mode);
          return relu && (value <= 0 || std::signbit(value)) && value == value ? 0 : value != value ? Bits{0x7FFF} : result;
        };
        std::string words = mode.word + (relu ? ".relu." : ".") + to->name;
        expect("cvt" + words + ".f32", to->name + " f32", [=](Bits a, Bits, Bits) { return one(a); });
        expect("cvt" + words + "x2.f32", to->name + "x2 f32 f32", [=](Bits a, Bits b, Bits) { return one(a) << 16 | one(b); });
      }
  for (bool isFinite : {false, true})
    expect(isFinite ? "cvt.rna.satfinite.tf32.f32" : "cvt.rna.tf32.f32", "f32 f32", [=](Bits a, Bits, Bits) {
      Bits result = fromDouble(toDouble(a, F32), Tf32, Mode::Away);
      return isFinite && (result & 0x7FFFFFFF) == 0x7F800000 ? (result & 0x80000000) | 0x7F7FE000 : result;
    });
}
