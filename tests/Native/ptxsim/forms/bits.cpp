// PTX ISA 9.7.5 to 9.7.8: comparison, selection, logic, shifts, and moves between registers.
#include <cmath>

#include "check.h"
#include "forms/expect.h"

using namespace check;

namespace {

std::string bitsOf(const Integer& t) { return "b" + std::to_string(t.bits); }

// lo, ls, hi and hs are unsigned whatever the type.
bool holds(const std::string& op, Bits a, Bits b, const Integer& t) {
  bool isUnsigned = op == "lo" || op == "ls" || op == "hi" || op == "hs";
  Integer as{"", t.bits, t.isSigned && !isUnsigned};
  Wide x = valueOf(a, as), y = valueOf(b, as);
  if (op == "eq") return x == y;
  if (op == "ne") return x != y;
  if (op == "lt" || op == "lo") return x < y;
  if (op == "le" || op == "ls") return x <= y;
  if (op == "gt" || op == "hi") return x > y;
  return x >= y;
}

bool holds(const std::string& op, double x, double y) {
  bool isUnordered = x != x || y != y;
  if (op == "num") return !isUnordered;
  if (op == "nan") return isUnordered;
  if (op.size() == 3) return isUnordered || holds(op.substr(0, 2), x, y);
  if (isUnordered) return false;
  return op == "eq" ? x == y : op == "ne" ? x != y : op == "lt" ? x < y : op == "le" ? x <= y : op == "gt" ? x > y : x >= y;
}

const std::vector<std::string> Ordered = {"eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs"};
const std::vector<std::string> Floating = {"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};

// setp with two results, alone and combined with a predicate: the four bits of both, of 0 and of 1.
void comparison(const std::string& op, const std::string& words, const std::string& type, const std::function<bool(Bits, Bits)>& model, bool isCombined = true) {
  std::string name = "setp." + op + words + "." + type;
  std::string body = name + " %p1|%p2, %va, %vb;\nselp.u32 %vd, 1, 0, %p1;\n@%p2 add.u32 %vd, %vd, 2;\n";
  expect(name, "u32 " + type + " " + type, [&](Bits a, Bits b, Bits) -> Bits { return model(a, b) ? 1 : 2; }, 0, body);
  if (!isCombined) return;
  for (std::string how : {"and", "or", "xor"}) {
    auto combine = [=](bool x, bool c) { return how == "and" ? x && c : how == "or" ? x || c : x != c; };
    std::string combined = "setp." + op + "." + how + words + "." + type;
    expect(combined, "u32 " + type + " " + type + " u32", [&](Bits a, Bits b, Bits c) -> Bits {
      bool x = model(a, b), q = (c & 1) == 0;
      return Bits{combine(x, q)} + 2 * Bits{combine(!x, q)};
    }, 0, "and.b32 %x0, %vc, 1;\nsetp.eq.u32 %p3, %x0, 1;\n" + combined + " %p1|%p2, %va, %vb, !%p3;\nselp.u32 %vd, 1, 0, %p1;\n@%p2 add.u32 %vd, %vd, 2;\n");
  }
}

void sets(const std::string& op, const std::string& words, const std::string& type, const std::function<bool(Bits, Bits)>& model) {
  for (std::string result : {"u32", "s32", "f32"})
    expect("set." + op + words + "." + result + "." + type, result + " " + type + " " + type,
           [&](Bits a, Bits b, Bits) -> Bits { return !model(a, b) ? 0 : result == "f32" ? 0x3F800000 : 0xFFFFFFFF; });
}

}  // namespace

CASE(comparisons_of_integers) {
  auto all = Integers;
  for (int bits : {16, 32, 64}) all.push_back({"b" + std::to_string(bits), bits, false});
  for (const auto& t : all)
    for (const auto& op : Ordered) {
      bool isBits = t.name[0] == 'b';
      if ((isBits && op != "eq" && op != "ne") || (t.isSigned && (op[0] == 'h' || op == "lo" || op == "ls"))) continue;
      auto model = [&](Bits a, Bits b) { return holds(op, a, b, t); };
      comparison(op, "", t.name, model);
      sets(op, "", t.name, model);
    }
}

CASE(comparisons_of_floats) {
  for (const auto* f : {&F32, &F64, &F16, &Bf16})
    for (const auto& op : Floating)
      for (bool ftz : {false, true}) {
        if (ftz && (f->name == "f64" || f->name == "bf16")) continue;
        bool isHalf = f->bits == 16;
        auto in = [=](Bits a) { return toDouble(ftz ? flushed(a, *f) : a, *f); };
        auto model = [&](Bits a, Bits b) { return holds(op, in(a), in(b)); };
        comparison(op, ftz ? ".ftz" : "", f->name, model, !isHalf);
        if (!isHalf) sets(op, ftz ? ".ftz" : "", f->name, model);
      }
}

CASE(selections) {
  for (std::string type : {"b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64", "f32", "f64"}) {
    expect("selp." + type, type + " " + type + " " + type + " u32", [](Bits a, Bits b, Bits c) { return c & 1 ? a : b; }, 0,
           "and.b32 %x0, %vc, 1;\nsetp.eq.u32 %p1, %x0, 1;\nselp." + type + " %vd, %va, %vb, %p1;");
    expect("slct." + type + ".s32", type + " " + type + " " + type + " s32", [](Bits a, Bits b, Bits c) { return c >> 31 ? b : a; });
    for (bool ftz : {false, true})
      expect("slct" + std::string(ftz ? ".ftz." : ".") + type + ".f32", type + " " + type + " " + type + " f32",
             [=](Bits a, Bits b, Bits c) { return toDouble(ftz ? flushed(c, F32) : c, F32) >= 0 ? a : b; });
  }
}

CASE(logic) {
  for (const auto& t : Integers) {
    if (t.isSigned) continue;
    std::string b = bitsOf(t), two = b + " " + b + " " + b;
    expect("and." + b, two, [](Bits x, Bits y, Bits) { return x & y; });
    expect("or." + b, two, [](Bits x, Bits y, Bits) { return x | y; });
    expect("xor." + b, two, [](Bits x, Bits y, Bits) { return x ^ y; });
    expect("not." + b, b + " " + b, [=](Bits x, Bits, Bits) { return cut(~static_cast<Wide>(x), t.bits); });
    expect("cnot." + b, b + " " + b, [](Bits x, Bits, Bits) -> Bits { return x == 0; });
    expect("shl." + b, b + " " + b + " u32", [=](Bits x, Bits n, Bits) { return n >= static_cast<Bits>(t.bits) ? 0 : cut(static_cast<Wide>(x) << n, t.bits); });
  }

  auto all = Integers;
  for (int bits : {16, 32, 64}) all.push_back({"b" + std::to_string(bits), bits, false});
  for (const auto& t : all)
    expect("shr." + t.name, t.name + " " + t.name + " u32", [=](Bits x, Bits n, Bits) { return cut(valueOf(x, t) >> std::min<Bits>(n, 100), t.bits); });
  for (bool isLeft : {false, true})
    for (bool isWrapped : {false, true})
      expect(std::string("shf.") + (isLeft ? "l." : "r.") + (isWrapped ? "wrap.b32" : "clamp.b32"), "u32 u32 u32 u32", [=](Bits low, Bits high, Bits c) {
        Bits n = isWrapped ? c & 31 : std::min<Bits>(c, 32), both = high << 32 | low;
        return isLeft ? (n == 32 ? low : both << n >> 32 & 0xFFFFFFFF) : n == 32 ? high : both >> n & 0xFFFFFFFF;
      });
  for (int table : {0, 0x80, 0xE8, 0x96, 0x1F, 255})
    expect("lop3.b32", "u32 u32 u32 u32", [=](Bits x, Bits y, Bits z) {
      Bits result = 0;
      for (int i = 0; i < 32; i++) result |= Bits{static_cast<unsigned>(table) >> ((x >> i & 1) * 4 + (y >> i & 1) * 2 + (z >> i & 1)) & 1} << i;
      return result;
    }, 0, "lop3.b32 %vd, %va, %vb, %vc, " + std::to_string(table) + ";");
  std::string read = "and.b32 %x0, %va, 1;\nsetp.eq.u32 %p1, %x0, 1;\nand.b32 %x0, %vb, 1;\nsetp.eq.u32 %p2, %x0, 1;\n", write = "selp.u32 %vd, 1, 0, %p3;";
  for (std::string op : {"and", "or", "xor"})
    expect(op + ".pred", "u32 u32 u32", [=](Bits x, Bits y, Bits) { return op == "and" ? x & y & 1 : op == "or" ? (x | y) & 1 : (x ^ y) & 1; }, 0,
           read + op + ".pred %p3, %p1, %p2;\n" + write);
  expect("not.pred", "u32 u32 u32", [](Bits x, Bits, Bits) { return ~x & 1; }, 0, read + "not.pred %p3, %p1;\n" + write);
  expect("mov.pred", "u32 u32 u32", [](Bits x, Bits, Bits) { return x & 1; }, 0, read + "mov.pred %p3, %p1;\n" + write);
}

CASE(moves) {
  for (std::string type : {"b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64", "f32", "f64"}) expect("mov." + type, type + " " + type, [](Bits a, Bits, Bits) { return a; });
  expect("mov.b32", "u32 u32 u32", [](Bits a, Bits, Bits) { return (a << 16 | a >> 16) & 0xFFFFFFFF; }, 0, "mov.b32 {%h0,%h1}, %va;\nmov.b32 %vd, {%h1,%h0};");
  expect("mov.b64", "u64 u64", [](Bits a, Bits, Bits) { return a << 32 | a >> 32; }, 0, "mov.b64 {%x0,%x1}, %va;\nmov.b64 %vd, {%x1,%x0};");
  expect("mov.b64", "u64 u64", [](Bits a, Bits, Bits) { return a << 48 | (a >> 16 & 0xFFFF) << 32 | (a >> 32 & 0xFFFF) << 16 | a >> 48; }, 0,
         "mov.b64 {%h0,%h1,%h2,%h3}, %va;\nmov.b64 %vd, {%h3,%h2,%h1,%h0};");
  expect("mov.b16", "u16 u32", [](Bits a, Bits, Bits) { return (a & 255) << 8 | (a >> 8 & 255); }, 0,
         ".reg .b8 %q<2>;\ncvt.u16.u32 %h0, %va;\nmov.b16 {%q0,%q1}, %h0;\nmov.b16 %vd, {%q1,%q0};");
  expect("mov.b32", "u32 u32", [](Bits a, Bits, Bits) { return (a & 255) << 24 | (a >> 8 & 255) << 16 | (a >> 16 & 255) << 8 | a >> 24; }, 0,
         ".reg .b8 %q<4>;\nmov.b32 {%q0,%q1,%q2,%q3}, %va;\nmov.b32 %vd, {%q3,%q2,%q1,%q0};");
  auto permuted = [](const std::string& mode, auto choice) {
    expect("prmt.b32" + mode, "u32 u32 u32 u32", [=](Bits a, Bits b, Bits c) {
      Bits both = b << 32 | a, result = 0;
      for (int i = 0; i < 4; i++) result |= choice(both, c, i) << (8 * i);
      return result;
    });
  };
  auto byte = [](Bits both, Bits at) { return both >> (8 * (at & 7)) & 255; };
  permuted("", [=](Bits both, Bits c, int i) {
    Bits nibble = c >> (4 * i) & 15, value = byte(both, nibble);
    return nibble & 8 ? (value & 128 ? Bits{255} : 0) : value;
  });
  permuted(".f4e", [=](Bits both, Bits c, int i) { return byte(both, (c & 3) + static_cast<Bits>(i)); });
  permuted(".b4e", [=](Bits both, Bits c, int i) { return byte(both, (c & 3) - static_cast<Bits>(i)); });
  permuted(".rc8", [=](Bits both, Bits c, int) { return byte(both, c & 3); });
  permuted(".ecl", [=](Bits both, Bits c, int i) { return byte(both, std::max<Bits>(c & 3, static_cast<Bits>(i))); });
  permuted(".ecr", [=](Bits both, Bits c, int i) { return byte(both, std::min<Bits>(c & 3, static_cast<Bits>(i))); });
  permuted(".rc16", [=](Bits both, Bits c, int i) { return byte(both, (c & 1) * 2 + (i & 1)); });
}
