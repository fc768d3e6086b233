// PTX ISA 9.7.3 and 9.7.4: floating point of 64, 32 and 16 bits.
#include <bit>
#include <cmath>

#include "check.h"
#include "forms/expect.h"

using namespace check;

namespace {

const Format& formatOf(const std::string& type) { return type == "f64" ? F64 : F32; }

// One operation of the host in the format, rounded once as it says; f takes and gives numbers of the format.
template <typename T, typename F>
Bits rounded(Mode mode, const Format& format, F f) {
  return fromDouble(under(mode, [&] { return static_cast<double>(static_cast<T>(f())); }), format);
}

Bits saturated(Bits bits, const Format& format) {
  double value = toDouble(bits, format);
  return value != value || value < 0 ? 0 : value > 1 ? fromDouble(1, format) : bits;
}

struct Variant {
  std::string words;
  bool ftz, sat;
};
const std::vector<Variant> Plain = {{"", false, false}}, Single = {{"", false, false}, {".ftz", true, false}, {".sat", false, true}, {".ftz.sat", true, true}};

// Every rounding, .ftz and .sat of an operation of one to three operands.
template <typename T, typename F>
void everyRounding(const std::string& opcode, int operands, F f, bool isImplicit, bool saturates) {
  std::string type = sizeof(T) == 8 ? "f64" : "f32", types = type;
  const auto& format = formatOf(type);
  for (int i = 0; i < operands; i++) types += " " + type;
  auto modes = Modes;
  if (isImplicit) modes.push_back({"", Mode::Nearest});
  for (const auto& mode : modes)
    for (const auto& variant : sizeof(T) == 8 ? Plain : Single) {
      if (variant.sat && !saturates) continue;
      auto in = [&](Bits bits) { return static_cast<T>(toDouble(variant.ftz ? flushed(bits, format) : bits, format)); };
      expect(opcode + mode.word + variant.words + "." + type, types, [&](Bits a, Bits b, Bits c) {
        volatile T x = in(a), y = in(b), z = in(c);
        Bits result = rounded<T>(mode.mode, format, [&] { return f(x, y, z); });
        if (variant.ftz) result = flushed(result, format);
        return variant.sat ? saturated(result, format) : result;
      });
    }
}

template <typename T>
void everyOperation() {
  using V = volatile T&;
  everyRounding<T>("add", 2, [](V a, V b, V) { return a + b; }, true, true);
  everyRounding<T>("sub", 2, [](V a, V b, V) { return a - b; }, true, true);
  everyRounding<T>("mul", 2, [](V a, V b, V) { return a * b; }, true, true);
  everyRounding<T>("fma", 3, [](V a, V b, V c) { return std::fma(T{a}, T{b}, T{c}); }, false, true);
  everyRounding<T>("mad", 3, [](V a, V b, V c) { return std::fma(T{a}, T{b}, T{c}); }, false, true);
  everyRounding<T>("div", 2, [](V a, V b, V) { return a / b; }, false, false);
  everyRounding<T>("rcp", 1, [](V a, V, V) { return 1 / a; }, false, false);
  everyRounding<T>("sqrt", 1, [](V a, V, V) { return std::sqrt(T{a}); }, false, false);
}

// min and max of a format, with all that may modify them.
Bits chosen(Bits a, Bits b, const Format& f, bool isMax, bool keepsNan, bool xorsSigns) {
  Bits sign = Bits{1} << (f.bits - 1), signs = (a ^ b) & sign;
  if (xorsSigns) a &= ~sign, b &= ~sign;
  double x = toDouble(a, f), y = toDouble(b, f);
  if (x != x || y != y) {
    if (keepsNan || (x != x && y != y)) return fromDouble(NAN, f);
    Bits other = x != x ? b : a;
    return xorsSigns ? other | signs : other;
  }
  bool isFirst = x == y ? ((a & sign) != 0) != isMax : (x < y) != isMax;
  Bits result = isFirst ? a : b;
  return xorsSigns ? result | signs : result;
}

void everyMinimum(const std::string& type, const Format& f, bool hasFtz, bool hasMore) {
  for (bool isMax : {false, true})
    for (bool ftz : {false, true})
      for (bool nan : {false, true})
        for (bool xors : {false, true}) {
          if ((ftz && !hasFtz) || ((nan || xors) && !hasMore)) continue;
          bool isPair = type.ends_with("x2");
          expect(std::string(isMax ? "max" : "min") + (ftz ? ".ftz" : "") + (nan ? ".NaN" : "") + (xors ? ".xorsign.abs" : "") + "." + type, type + " " + type + " " + type,
                 [&](Bits a, Bits b, Bits) {
                   Bits result = 0;
                   for (int part = 0; part <= isPair; part++) {
                     Bits mask = f.bits == 64 ? ~Bits{0} : (Bits{1} << f.bits) - 1, x = a >> (16 * part) & mask, y = b >> (16 * part) & mask;
                     if (ftz) x = flushed(x, f), y = flushed(y, f);
                     result |= chosen(x, y, f, isMax, nan, xors) << (16 * part);
                   }
                   return result;
                 });
        }
}

}  // namespace

CASE(singles_round_once) { everyOperation<float>(); }
CASE(doubles_round_once) { everyOperation<double>(); }

CASE(signs_and_classes) {
  for (std::string type : {"f32", "f64"}) {
    const auto& f = formatOf(type);
    Bits sign = Bits{1} << (f.bits - 1);
    for (bool ftz : {false, true}) {
      if (ftz && type == "f64") continue;
      std::string words = (ftz ? ".ftz." : ".") + type;
      expect("abs" + words, type + " " + type, [&](Bits a, Bits, Bits) { return (ftz ? flushed(a, f) : a) & ~sign; });
      expect("neg" + words, type + " " + type, [&](Bits a, Bits, Bits) { return (ftz ? flushed(a, f) : a) ^ sign; });
    }
    expect("copysign." + type, type + " " + type + " " + type, [&](Bits a, Bits b, Bits) { return (a & sign) | (b & ~sign); });
    everyMinimum(type, f, type == "f32", type == "f32");
    auto is = [&](const std::string& word, auto test) {
      expect("testp." + word + "." + type, "u32 " + type, [&](Bits a, Bits, Bits) { return Bits{test(toDouble(a, f))}; }, 0,
             "testp." + word + "." + type + " %p1, %va;\nselp.u32 %vd, 1, 0, %p1;");
    };
    double least = std::ldexp(1.0, f.least);
    is("finite", [](double x) { return std::isfinite(x); });
    is("infinite", [](double x) { return std::isinf(x); });
    is("number", [](double x) { return x == x; });
    is("notanumber", [](double x) { return x != x; });
    is("normal", [=](double x) { return std::isfinite(x) && std::fabs(x) >= least; });
    is("subnormal", [=](double x) { return x != 0 && std::fabs(x) < least; });
  }
}

// Approximations give the rounded result here; the manual allows the tolerances, and results that are subnormal may be zeros.
CASE(approximations) {
  auto one = [](const std::string& op, double tolerance, auto f) {
    for (std::string ftz : {"", ".ftz"}) {
      if (op == "tanh.approx" && ftz == ".ftz") continue;
      expect(op + ftz + ".f32", "f32 f32", [=](Bits a, Bits, Bits) { return fromDouble(f(toDouble(ftz.empty() ? a : flushed(a, F32), F32)), F32); }, tolerance);
    }
  };
  one("rcp.approx", 1e-6, [](double x) { return 1 / x; });
  one("sqrt.approx", 1e-6, [](double x) { return std::sqrt(x); });
  one("rsqrt.approx", 1e-6, [](double x) { return 1 / std::sqrt(x); });
  one("sin.approx", 1e-5, [](double x) { return std::sin(x); });
  one("cos.approx", 1e-5, [](double x) { return std::cos(x); });
  one("lg2.approx", 1e-5, [](double x) { return std::log2(x); });
  one("ex2.approx", 1e-6, [](double x) { return std::exp2(x); });
  one("tanh.approx", 5e-4, [](double x) { return std::tanh(x); });
  for (std::string kind : {".approx", ".full"})
    for (bool ftz : {false, true})
      expect("div" + kind + (ftz ? ".ftz.f32" : ".f32"), "f32 f32 f32", [=](Bits a, Bits b, Bits) {
        auto in = [=](Bits bits) { return toDouble(ftz ? flushed(bits, F32) : bits, F32); };
        return fromDouble(in(a) / in(b), F32);
      }, 1e-6);
  expect("rcp.approx.ftz.f64", "f64 f64", [](Bits a, Bits, Bits) { return std::bit_cast<Bits>(1 / std::bit_cast<double>(flushed(a, F64))); }, 1e-6);
  expect("rsqrt.approx.f64", "f64 f64", [](Bits a, Bits, Bits) { return std::bit_cast<Bits>(1 / std::sqrt(std::bit_cast<double>(a))); }, 1e-6);
  expect("rsqrt.approx.ftz.f64", "f64 f64", [](Bits a, Bits, Bits) { return std::bit_cast<Bits>(1 / std::sqrt(std::bit_cast<double>(flushed(a, F64)))); }, 1e-6);
}

CASE(half_precision) {
  for (const auto* format : {&F16, &Bf16})
    for (bool isPair : {false, true}) {
      const auto& f = *format;
      bool isHalf = f.name == "f16";
      std::string type = f.name + (isPair ? "x2" : "");
      // A function of numbers on each part, its operands flushed and its result rounded, flushed, then saturated or clipped at zero.
      auto each = [&](const std::string& name, int operands, const std::string& words, auto function, double tolerance = 0) {
        std::string types = type;
        for (int i = 0; i < operands; i++) types += " " + type;
        std::string plain = name + words + "." + type + (operands == 2 ? " %vd, %va, %vb;" : " %vd, %va, %vb, %vc;");
        // Of a saturated zero the sign is open.
        bool ftz = words.find("ftz") != std::string::npos, sat = words.find("sat") != std::string::npos, relu = words.find("relu") != std::string::npos;
        expect(name + words + "." + type, types, [&](Bits a, Bits b, Bits c) {
          Bits all = 0;
          for (int part = 0; part <= isPair; part++) {
            auto in = [&](Bits bits) { return toDouble(ftz ? flushed(bits >> (16 * part) & 0xFFFF, f) : bits >> (16 * part) & 0xFFFF, f); };
            Bits result = fromDouble(function(in(a), in(b), in(c)), f);
            if (ftz) result = flushed(result, f);
            if (sat) result = saturated(result, f);
            if (relu && toDouble(result, f) <= 0) result = 0;
            all |= (sat ? result & 0x7FFF : result) << (16 * part);
          }
          return all;
        }, tolerance, sat ? plain + "\nand.b" + (isPair ? "32 %vd, %vd, 0x7FFF7FFF;" : "16 %vd, %vd, 0x7FFF;") : "");
      };
      std::vector<std::string> words = isHalf ? std::vector<std::string>{"", ".rn", ".ftz", ".sat", ".rn.ftz.sat"} : std::vector<std::string>{"", ".rn"};
      for (const auto& word : words) {
        each("add", 2, word, [](double a, double b, double) { return a + b; });
        each("sub", 2, word, [](double a, double b, double) { return a - b; });
        each("mul", 2, word, [](double a, double b, double) { return a * b; });
      }
      // Where a double cannot hold the sum its tail decides nothing but the last place.
      for (std::string word : isHalf ? std::vector<std::string>{".rn", ".rn.ftz", ".rn.sat", ".rn.relu"} : std::vector<std::string>{".rn", ".rn.relu"})
        each("fma", 3, word, [](double a, double b, double c) { return std::fma(a, b, c); }, isHalf ? 1e-3 : 8e-3);
      Bits sign = isPair ? 0x80008000 : 0x8000;
      auto flush = [=](Bits a) { return isPair ? flushed(a & 0xFFFF, f) | flushed(a >> 16, f) << 16 : flushed(a, f); };
      for (bool ftz : {false, true}) {
        if (ftz && !isHalf) continue;
        std::string word = (ftz ? ".ftz." : ".") + type;
        expect("neg" + word, type + " " + type, [=](Bits a, Bits, Bits) { return (ftz ? flush(a) : a) ^ sign; });
        expect("abs" + word, type + " " + type, [=](Bits a, Bits, Bits) { return (ftz ? flush(a) : a) & ~sign; });
      }
      everyMinimum(type, f, isHalf, true);
      each("tanh.approx", 1, "", [](double a, double, double) { return std::tanh(a); }, isHalf ? 2e-3 : 1e-2);
      each("ex2.approx", 1, isHalf ? "" : ".ftz", [](double a, double, double) { return std::exp2(a); }, isHalf ? 2e-3 : 1e-2);
    }
}
