// PTX ISA 9.7.1 and 9.7.2: integer arithmetic, and with a carry flag.
#include <algorithm>
#include <bit>

#include "check.h"
#include "forms/expect.h"

using namespace check;

namespace {

std::string same(const std::string& type, int operands) {
  std::string all = type;
  for (int i = 0; i < operands; i++) all += " " + type;
  return all;
}

const Integer U32{"u32", 32, false}, S32{"s32", 32, true};

}  // namespace

CASE(sums_products_and_quotients) {
  for (const auto& t : Integers) {
    auto two = [&](const std::string& op, auto f) {
      expect(op + "." + t.name, same(t.name, 2), [&](Bits a, Bits b, Bits) { return cut(f(valueOf(a, t), valueOf(b, t)), t.bits); });
    };
    auto three = [&](const std::string& op, auto f) {
      expect(op + "." + t.name, same(t.name, 3), [&](Bits a, Bits b, Bits c) { return cut(f(valueOf(a, t), valueOf(b, t), valueOf(c, t)), t.bits); });
    };
    two("add", [](Wide a, Wide b) { return a + b; });
    two("sub", [](Wide a, Wide b) { return a - b; });
    two("mul.lo", [](Wide a, Wide b) { return a * b; });
    two("mul.hi", [&](Wide a, Wide b) { return a * b >> t.bits; });
    two("min", [](Wide a, Wide b) { return std::min(a, b); });
    two("max", [](Wide a, Wide b) { return std::max(a, b); });
    // By zero: all ones, and the dividend. The manual leaves both open.
    two("div", [](Wide a, Wide b) { return b == 0 ? Wide{-1} : a / b; });
    two("rem", [](Wide a, Wide b) { return b == 0 ? a : a % b; });
    three("mad.lo", [](Wide a, Wide b, Wide c) { return a * b + c; });
    three("mad.hi", [&](Wide a, Wide b, Wide c) { return (a * b >> t.bits) + c; });
    three("sad", [](Wide a, Wide b, Wide c) { return c + (a < b ? b - a : a - b); });
    if (t.isSigned) {
      expect("abs." + t.name, same(t.name, 1), [&](Bits a, Bits, Bits) { return cut(valueOf(a, t) < 0 ? -valueOf(a, t) : valueOf(a, t), t.bits); });
      expect("neg." + t.name, same(t.name, 1), [&](Bits a, Bits, Bits) { return cut(-valueOf(a, t), t.bits); });
    }
    if (t.bits == 64) continue;
    std::string twice = (t.isSigned ? "s" : "u") + std::to_string(2 * t.bits);
    Integer wide{twice, 2 * t.bits, t.isSigned};
    expect("mul.wide." + t.name, twice + " " + same(t.name, 1), [&](Bits a, Bits b, Bits) { return cut(valueOf(a, t) * valueOf(b, t), 2 * t.bits); });
    expect("mad.wide." + t.name, twice + " " + same(t.name, 1) + " " + twice,
           [&](Bits a, Bits b, Bits c) { return cut(valueOf(a, t) * valueOf(b, t) + valueOf(c, wide), 2 * t.bits); });
  }

  auto clamped = [](Wide value) { return cut(std::clamp<Wide>(value, INT32_MIN, INT32_MAX), 32); };
  expect("add.sat.s32", same("s32", 2), [&](Bits a, Bits b, Bits) { return clamped(valueOf(a, S32) + valueOf(b, S32)); });
  expect("sub.sat.s32", same("s32", 2), [&](Bits a, Bits b, Bits) { return clamped(valueOf(a, S32) - valueOf(b, S32)); });
  expect("mad.hi.sat.s32", same("s32", 3), [&](Bits a, Bits b, Bits c) { return clamped((valueOf(a, S32) * valueOf(b, S32) >> 32) + valueOf(c, S32)); });
}

CASE(products_of_24_bits) {
  for (bool isSigned : {false, true}) {
    Integer t{isSigned ? "s32" : "u32", 24, isSigned};
    for (int shift : {0, 16}) {
      std::string name = std::string(shift ? ".hi." : ".lo.") + t.name;
      expect("mul24" + name, same(t.name, 2), [=](Bits a, Bits b, Bits) { return cut(valueOf(a, t) * valueOf(b, t) >> shift, 32); });
      expect("mad24" + name, same(t.name, 3), [=](Bits a, Bits b, Bits c) { return cut((valueOf(a, t) * valueOf(b, t) >> shift) + static_cast<Wide>(c), 32); });
    }
  }
}

CASE(counts_and_fields_of_bits) {
  for (int bits : {32, 64}) {
    std::string b = "b" + std::to_string(bits);
    expect("popc." + b, "u32 " + b, [](Bits a, Bits, Bits) { return static_cast<Bits>(std::popcount(a)); });
    expect("clz." + b, "u32 " + b, [=](Bits a, Bits, Bits) { return static_cast<Bits>(std::countl_zero(a) - (64 - bits)); });
    expect("brev." + b, same(b, 1), [=](Bits a, Bits, Bits) {
      Bits result = 0;
      for (int i = 0; i < bits; i++) result = result << 1 | (a >> i & 1);
      return result;
    });
    expect("bfi." + b, same(b, 2) + " u32", [=](Bits a, Bits b2, Bits c) {
      auto position = static_cast<int>(c & 255), length = static_cast<int>(c >> 8 & 255);
      for (int i = 0; i < length && position + i < bits; i++) b2 = (b2 & ~(Bits{1} << (position + i))) | ((i < bits ? a >> i & 1 : 0) << (position + i));
      return b2;
    }, 0, "shr.u32 %x0, %vc, 8;\nbfi." + b + " %vd, %va, %vb, %vc, %x0;");
    for (bool isSigned : {false, true}) {
      Integer t{(isSigned ? "s" : "u") + std::to_string(bits), bits, isSigned};
      auto highest = [=](Bits a) {
        Bits found = isSigned && valueOf(a, t) < 0 ? cut(~static_cast<Wide>(a), bits) : a;
        return found == 0 ? -1 : 63 - std::countl_zero(found);
      };
      expect("bfind." + t.name, "u32 " + t.name, [=](Bits a, Bits, Bits) { return cut(highest(a), 32); });
      expect("bfind.shiftamt." + t.name, "u32 " + t.name, [=](Bits a, Bits, Bits) { return cut(highest(a) < 0 ? -1 : bits - 1 - highest(a), 32); });
      expect("bfe." + t.name, same(t.name, 1) + " u32 u32", [=](Bits a, Bits b2, Bits c) {
        auto position = static_cast<int>(b2 & 255), length = static_cast<int>(c & 255);
        int top = std::min(position + length - 1, bits - 1);
        bool fill = isSigned && length > 0 && (a >> top & 1);
        Bits result = 0;
        for (int i = bits - 1; i >= 0; i--) result = result << 1 | (i < length && i + position < bits ? a >> (i + position) & 1 : fill);
        return result;
      });
    }
  }

  expect("fns.b32", "u32 u32 u32 u32", [](Bits mask, Bits b, Bits c) -> Bits {
    auto base = static_cast<int>(b & 31), offset = static_cast<int>(valueOf(c & 63, {"", 6, true}));
    if (offset == 0) return mask >> base & 1 ? static_cast<Bits>(base) : 0xFFFFFFFF;
    int left = std::abs(offset) - 1;
    for (int at = base; at >= 0 && at < 32; at += offset > 0 ? 1 : -1)
      if ((mask >> at & 1) && left-- == 0) return static_cast<Bits>(at);
    return 0xFFFFFFFF;
  }, 0, "and.b32 %x0, %vb, 31;\nbfe.s32 %x1, %vc, 0, 6;\nfns.b32 %vd, %va, %x0, %x1;");

  for (bool isWrapped : {false, true}) {
    std::string mode = isWrapped ? ".wrap" : ".clamp";
    auto limit = [=](Bits n) { return isWrapped ? n & 31 : std::min<Bits>(n, 32); };
    for (bool isSigned : {false, true})
      expect("szext" + mode + (isSigned ? ".s32" : ".u32"), "u32 u32 u32", [=](Bits a, Bits b, Bits) {
        auto n = static_cast<int>(limit(b));
        return n == 0 ? 0 : cut(valueOf(a, {"", n, isSigned}), 32);
      });
    expect("bmsk" + mode + ".b32", "u32 u32 u32", [=](Bits a, Bits b, Bits) {
      Bits first = limit(a), length = limit(b);
      return cut(static_cast<Wide>((Bits{1} << length) - 1) << first, 32);
    });
  }

  for (std::string p : {"u32", "s32"})
    for (std::string q : {"u32", "s32"})
      expect("dp4a." + p + "." + q, "s32 b32 b32 s32", [=](Bits a, Bits b, Bits c) {
        Wide sum = static_cast<Wide>(c);
        for (int i = 0; i < 4; i++) sum += valueOf(a >> (8 * i), {"", 8, p == "s32"}) * valueOf(b >> (8 * i), {"", 8, q == "s32"});
        return cut(sum, 32);
      });
}

// The flag shows in a later addition of zero; results are put together so that each counts.
CASE(carries) {
  for (std::string type : {"u32", "s32", "u64", "s64"}) {
    int bits = type[1] == '3' ? 32 : 64;
    auto wide = [](Bits a) { return static_cast<Wide>(a); };
    std::string other = bits == 32 ? "%x0" : "%y0", third = bits == 32 ? "%x1" : "%y1";
    std::string fold = "mad.lo.u" + std::to_string(bits) + " %vd, " + third + ", 5, " + other + ";";
    auto both = [=](Wide low, Wide high) { return cut(high * 5 + low, bits); };
    auto body = [&](const std::string& first, const std::string& then, const std::string& firstOperands, const std::string& thenOperands) {
      return first + "." + type + " " + other + ", " + firstOperands + ";\n" + then + "." + type + " " + third + ", " + thenOperands + ";\n" + fold;
    };
    auto carry = [=](Bits a, Bits b, Bits in) { return static_cast<Wide>((wide(a) + wide(b) + in) >> bits); };
    auto borrow = [=](Bits a, Bits b, Bits in) { return static_cast<Bits>(wide(a) < wide(b) + in); };
    std::string types = same(type, 3);
    Model sum = [=](Bits a, Bits b, Bits c) { return both(static_cast<Wide>(a) + b, static_cast<Wide>(c) + carry(a, b, 0)); };
    Model difference = [=](Bits a, Bits b, Bits c) { return both(static_cast<Wide>(a) - b, static_cast<Wide>(c) - borrow(a, b, 0)); };
    expect("add.cc", types, sum, 0, body("add.cc", "addc", "%va, %vb", "%vc, 0"));
    expect("addc", types, sum, 0, body("add.cc", "addc", "%va, %vb", "%vc, 0"));
    expect("sub.cc", types, difference, 0, body("sub.cc", "subc", "%va, %vb", "%vc, 0"));
    expect("subc", types, difference, 0, body("sub.cc", "subc", "%va, %vb", "%vc, 0"));
    // The flag of the second: c + c + carry, then a third that adds it to a.
    auto chain = [&](const std::string& begin, const std::string& op) {
      return begin + "." + type + " " + other + ", %va, %vb;\n" + op + ".cc." + type + " " + third + ", %vc, %va;\n" + op + "." + type + " " + other + ", %vb, 0;\n" + fold;
    };
    expect("addc", types, [=](Bits a, Bits b, Bits c) {
      auto in = static_cast<Bits>(carry(a, b, 0));
      return both(static_cast<Wide>(b) + carry(c, a, in), static_cast<Wide>(c) + a + in);
    }, 0, chain("add.cc", "addc"));
    expect("subc", types, [=](Bits a, Bits b, Bits c) {
      Bits in = borrow(a, b, 0);
      return both(static_cast<Wide>(b) - borrow(c, a, in), static_cast<Wide>(c) - a - in);
    }, 0, chain("sub.cc", "subc"));
    for (bool isHigh : {false, true}) {
      std::string part = isHigh ? ".hi" : ".lo";
      Integer t{type, bits, type[0] == 's'};
      auto product = [=](Bits a, Bits b) { return cut(isHigh ? valueOf(a, t) * valueOf(b, t) >> bits : valueOf(a, t) * valueOf(b, t), bits); };
      Model model = [=](Bits a, Bits b, Bits c) {
        Wide first = static_cast<Wide>(product(a, b)) + c;
        Bits in = static_cast<Bits>(carry(product(a, b), c, 0));
        Wide second = static_cast<Wide>(product(b, c)) + a + in;
        return both(first, second);
      };
      std::string text = body("mad" + part + ".cc", "madc" + part, "%va, %vb, %vc", "%vb, %vc, %va");
      expect("mad.cc", types, model, 0, text);
      expect("madc", types, model, 0, text);
      expect("madc", types, [=](Bits a, Bits b, Bits c) {
        Bits in = static_cast<Bits>(carry(product(a, b), c, 0));
        return both(static_cast<Wide>(c) + carry(product(b, c), a, in), static_cast<Wide>(product(b, c)) + a + in);
      }, 0, "mad" + part + ".cc." + type + " " + other + ", %va, %vb, %vc;\nmadc" + part + ".cc." + type + " " + third + ", %vb, %vc, %va;\naddc." + type + " " + other + ", %vc, 0;\n" + fold);
    }
  }
}
