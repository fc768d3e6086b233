// PTX ISA 9.7.8 and 9.7.12: loads, stores, addresses, asynchronous copies and atomics.
#include <cmath>

#include "check.h"
#include "forms/expect.h"

using namespace check;

namespace {

struct Stored {
  std::string name;
  int bits;
  bool isSigned;
};
const std::vector<Stored> Types = {{"b8", 8, false}, {"u8", 8, false}, {"s8", 8, true}, {"b16", 16, false}, {"u16", 16, false}, {"s16", 16, true}, {"b32", 32, false},
                                   {"u32", 32, false}, {"s32", 32, true}, {"f32", 32, false}, {"b64", 64, false}, {"u64", 64, false}, {"s64", 64, true}, {"f64", 64, false}};
const std::vector<std::string> Vectors = {"", ".v2", ".v4"}, Scopes = {".cta", ".gpu", ".sys"};
const std::vector<std::string> Evictions = {".L1::evict_normal", ".L1::evict_unchanged", ".L1::evict_first", ".L1::evict_last", ".L1::no_allocate"};
const std::vector<std::string> Sectors = {".L2::64B", ".L2::128B", ".L2::256B"};
const Stored Word{"u32", 32, false};

int widthOf(const Stored& t) { return std::max(t.bits, 16); }
int elements(const std::string& vector) { return vector.empty() ? 1 : vector[2] - '0'; }
std::string address(const std::string& space) {
  if (space == ".shared" || space == ".shared::cta") return "mov.u64 %y0, tile;\nmad.wide.u32 %y0, %n0, 32, %y0;\n";
  if (space == ".local") return "mov.u64 %y0, own;\n";
  return "mov.u64 %y0, room;\nmad.wide.u32 %y0, %n1, 32, %y0;\n";
}
std::string registers(int bits, int count, int first) {
  std::string text;
  for (int i = 0; i < count; i++) text += (i ? "," : "") + std::string("%q") + std::to_string(bits) + "_" + std::to_string(first + i);
  return count == 1 ? text : "{" + text + "}";
}
Bits loaded(Bits value, const Stored& t) { return cut(valueOf(cut(static_cast<Wide>(value), t.bits), {"", t.bits, t.isSigned}), widthOf(t)); }

// e0 + 3 e1 + 5 e2 + 7 e3 of what a load brings.
std::string weighed(int bits, int count) {
  std::string b = std::to_string(bits), text = "mov.b" + b + " %vd, %q" + b + "_4;\n";
  for (int i = 1; i < count; i++) text += "mad.lo.u" + b + " %vd, %q" + b + "_" + std::to_string(4 + i) + ", " + std::to_string(2 * i + 1) + ", %vd;\n";
  return text;
}

// Elements a, b, c, a are stored and loaded again.
void roundTrip(const std::string& store, const std::string& load, const std::string& tested, const std::string& place, const Stored& t, const std::string& vector) {
  int count = elements(vector), width = widthOf(t);
  std::string b = std::to_string(width), type = "u" + b, body = "{\n.reg .b" + b + " %q" + b + "_<8>;\n" + address(place);
  std::string where = "%y0";
  if (place == ".param") body += ".param .align 32 .b8 given[32];\n", where = "given";
  const char* values[] = {"%va", "%vb", "%vc", "%va"};
  for (int i = 0; i < count; i++) body += "mov.b" + b + " %q" + b + "_" + std::to_string(i) + ", " + values[i] + ";\n";
  body += "st" + store + vector + "." + t.name + " [" + where + "], " + registers(width, count, 0) + ";\n";
  body += "ld" + load + vector + "." + t.name + " " + registers(width, count, 4) + ", [" + where + "];\n" + weighed(width, count) + "}\n";
  expect(tested, type + " " + type + " " + type + " " + type, [=](Bits x, Bits y, Bits z) {
    Bits all[] = {x, y, z, x}, sum = 0;
    for (int i = 0; i < count; i++) sum += loaded(all[i], t) * static_cast<Bits>(i == 0 ? 1 : 2 * i + 1);
    return cut(static_cast<Wide>(sum), width);
  }, 0, body);
}

void both(const std::string& store, const std::string& load, const std::string& place, const Stored& t = Word, const std::string& vector = "") {
  roundTrip(store, load, "st", place, t, vector);
  roundTrip(store, load, "ld", place, t, vector);
}

}  // namespace

CASE(loads_and_stores_of_every_type) {
  for (std::string space : {"", ".global", ".shared", ".shared::cta", ".local", ".param"})
    for (const auto& t : Types)
      for (const auto& vector : Vectors) {
        both(space, space, space, t, vector);
        both(".volatile" + space, ".volatile" + space, space, t, vector);
        if (space == ".local" || space == ".param") continue;
        both(".relaxed.gpu" + space, ".relaxed.gpu" + space, space, t, vector);
      }
  for (const auto& t : Types)
    for (const auto& vector : Vectors) {
      roundTrip(".global", ".global.nc", "ld", ".global", t, vector);
      roundTrip(".global", ".global", "st", ".global", t, vector);
      roundTrip(".global", ".global", "ld", ".global", t, vector);
      int count = elements(vector), width = widthOf(t);
      std::string b = std::to_string(width);
      for (std::string words : {"", ".volatile"})
        expect("ld" + words + ".const", "u" + b + " u32", [=](Bits, Bits, Bits) {
          Bits sum = 0;
          for (int i = 0; i < count; i++) sum += loaded(Table[i * t.bits / 64] >> (i * t.bits % 64), t) * static_cast<Bits>(i == 0 ? 1 : 2 * i + 1);
          return cut(static_cast<Wide>(sum), width);
        }, 0, "{\n.reg .b" + b + " %q" + b + "_<8>;\nld" + words + ".const" + vector + "." + t.name + " " + registers(width, count, 4) + ", [table];\n" + weighed(width, count) + "}\n");
    }
  for (const auto& t : Types)
    for (const auto& vector : Vectors)
      for (std::string space : {"", ".global"}) {
        int count = elements(vector), width = widthOf(t);
        std::string b = std::to_string(width), body = "{\n.reg .b" + b + " %q" + b + "_<8>;\n" + address(space);
        body += "st.global.v4.u64 [%y0], {0x0102030405060708,0x1112131415161718,0x2122232425262728,0x8182838485868788};\n";
        body += "ldu" + space + vector + "." + t.name + " " + registers(width, count, 4) + ", [%y0];\n" + weighed(width, count) + "}\n";
        expect("ldu", "u" + b + " u32", [=](Bits, Bits, Bits) {
          constexpr Bits Written[4] = {0x0102030405060708, 0x1112131415161718, 0x2122232425262728, 0x8182838485868788};
          Bits sum = 0;
          for (int i = 0; i < count; i++) sum += loaded(Written[i * t.bits / 64] >> (i * t.bits % 64), t) * static_cast<Bits>(i == 0 ? 1 : 2 * i + 1);
          return cut(static_cast<Wide>(sum), width);
        }, 0, body);
      }
}

CASE(hints_and_orders_of_loads_and_stores) {
  for (std::string words : {".ca", ".cg", ".cs", ".lu", ".cv"}) both(".weak.global", ".weak.global" + words, "");
  for (std::string words : {".wb", ".cg", ".cs", ".wt"}) both(".weak.global" + words, ".weak.global", "");
  for (const auto& words : Evictions) {
    both(".global" + words, ".global" + words, "");
    roundTrip(".global", ".global.nc" + words, "ld", "", Word, "");
  }
  for (const auto& words : Sectors) {
    both(".global", ".global" + words, "");
    roundTrip(".global", ".global.nc" + words, "ld", "", Word, "");
  }
  for (std::string words : {".ca", ".cg", ".cs"}) roundTrip(".global", ".global" + words + ".nc", "ld", "", Word, "");
  for (const auto& scope : Scopes) {
    both(".release" + scope + ".global", ".acquire" + scope + ".global", "");
    both(".relaxed" + scope + ".global", ".relaxed" + scope + ".global", "");
  }
  for (std::string op : {"prefetch.L1", "prefetch.L2", "prefetch.global.L1", "prefetch.global.L2"}) expect(op, "u32 u32", [](Bits a, Bits, Bits) { return a; }, 0, op + " [%at1];\nmov.u32 %vd, %va;");
  expect("prefetch.local.L1", "u32 u32", [](Bits a, Bits, Bits) { return a; }, 0, "prefetch.local.L1 [own];\nmov.u32 %vd, %va;");
  expect("prefetchu.L1", "u32 u32", [](Bits a, Bits, Bits) { return a; }, 0, "prefetchu.L1 [%at1];\nmov.u32 %vd, %va;");
}

// To a generic address and back, with the question where it is; and of the others where it is not.
CASE(addresses_of_every_space) {
  for (std::string space : {".const", ".global", ".local", ".shared", ".shared::cta", ".param"}) {
    std::string place = space == ".const" ? "table" : space == ".global" ? "room" : space == ".local" ? "own" : space == ".param" ? "pa" : "tile";
    std::string begin = "mov.u64 %y0, " + place + ";\ncvta" + space + ".u64 %y1, %y0;\n";
    for (std::string op : {"cvta", "isspacep"})
      expect(op, "u32 u32", [](Bits, Bits, Bits) { return Bits{3}; }, 0,
             begin + "cvta.to" + space + ".u64 %y2, %y1;\nsetp.eq.u64 %p1, %y2, %y0;\nisspacep" + space + " %p2, %y1;\nselp.u32 %vd, 1, 0, %p1;\n@%p2 add.u32 %vd, %vd, 2;");
    std::string other = space == ".shared" || space == ".shared::cta" ? ".local" : ".shared";
    expect("isspacep", "u32 u32", [](Bits, Bits, Bits) { return Bits{0}; }, 0, begin + "isspacep" + other + " %p2, %y1;\nselp.u32 %vd, 1, 0, %p2;");
    expect("cvta", "u32 u32", [](Bits a, Bits, Bits) { return a; }, 0, "cvta" + space + ".u32 %x0, %va;\ncvta.to" + space + ".u32 %vd, %x0;");
  }
}

// Into shared memory, by every size and hint; what the source lacks is zero.
CASE(asynchronous_copies) {
  for (std::string level : {".ca", ".cg"})
    for (std::string shared : {".shared", ".shared::cta"})
      for (std::string hint : {"", ".L2::64B", ".L2::128B", ".L2::256B"})
        for (int bytes : {4, 8, 16}) {
          if (level == ".cg" && bytes != 16) continue;
          std::string n = std::to_string(bytes), name = "cp.async" + level + shared + ".global" + hint;
          for (std::string wait : {"cp.async.wait_all;", "cp.async.commit_group;\ncp.async.wait_group 0;"})
            expect("cp", "u64 u64 u64 u64", [=](Bits a, Bits, Bits) { return bytes == 4 ? a & 0xFFFFFFFF : a; }, 0,
                   address(".global") + "st.global.v2.u64 [%y0], {%va,%vb};\nmov.u64 %y1, tile;\nmad.wide.u32 %y1, %n0, 32, %y1;\nst.shared.v2.u64 [%y1], {0,0};\n" +
                       name + " [%y1], [%y0], " + n + ";\n" + wait + "\nld.shared.u64 %vd, [%y1];");
          expect("cp", "u64 u64 u64 u64", [=](Bits a, Bits, Bits) { return a & 0xFFFF; }, 0,
                 address(".global") + "st.global.v2.u64 [%y0], {%va,%vb};\nmov.u64 %y1, tile;\nmad.wide.u32 %y1, %n0, 32, %y1;\nst.shared.v2.u64 [%y1], {0,0};\n" +
                     name + " [%y1], [%y0], " + n + ", 2;\ncp.async.wait_all;\nld.shared.u64 %vd, [%y1];");
        }
}

namespace {

// What an atomic operation leaves in memory.
using Update = std::function<Bits(Bits old, Bits value, Bits swap)>;

// The old value by atom, the new one by atom and red, on 32 bytes of each thread's own.
void atomic(const std::string& words, const std::string& space, const std::string& rest, const std::string& type, const Update& update, bool hasRed = true, bool isCas = false) {
  int bits = type.ends_with("x2") ? 32 : std::stoi(type.substr(type.find_first_of("136")));
  std::string b = std::to_string(bits), types = type + " " + type + " " + type + " " + type, last = isCas ? ", %vc" : "";
  std::string begin = address(space) + "st" + space + ".b" + b + " [%y0], %va;\n", end = "ld" + space + ".b" + b + " %vd, [%y0];\n";
  std::string name = words + space + rest + "." + type;
  expect("atom", types, [](Bits a, Bits, Bits) { return a; }, 0, begin + "atom" + name + " %vd, [%y0], %vb" + last + ";");
  expect("atom", types, update, 0, begin + "{\n.reg .b" + b + " %old;\natom" + name + " %old, [%y0], %vb" + last + ";\n}\n" + end);
  if (hasRed) expect("red", types, update, 0, begin + "red" + name + " [%y0], %vb;\n" + end);
}

}  // namespace

CASE(atomics_of_every_operation) {
  for (std::string space : {"", ".global", ".shared", ".shared::cta"}) {
    // As the manual has it, and with the operation first.
    auto run = [&](const std::string& op, const std::string& type, const Update& update, bool hasRed = true, bool isCas = false, bool hasOther = true) {
      atomic("", space, op, type, update, hasRed, isCas);
      if (!hasOther || (space != ".global" && space != ".shared")) return;
      int bits = std::stoi(type.substr(1));
      std::string b = std::to_string(bits), types = type + " " + type + " " + type + " " + type, begin = address(space) + "st" + space + ".b" + b + " [%y0], %va;\n";
      std::string end = "ld" + space + ".b" + b + " %vd, [%y0];\n", last = isCas ? ", %vc" : "";
      expect("atom", types, update, 0, begin + "{\n.reg .b" + b + " %old;\natom" + op + space + "." + type + " %old, [%y0], %vb" + last + ";\n}\n" + end);
      if (hasRed) expect("red", types, update, 0, begin + "red" + op + space + "." + type + " [%y0], %vb;\n" + end);
    };
    for (std::string type : {"b32", "b64"}) {
      run(".and", type, [](Bits a, Bits b, Bits) { return a & b; });
      run(".or", type, [](Bits a, Bits b, Bits) { return a | b; });
      run(".xor", type, [](Bits a, Bits b, Bits) { return a ^ b; });
      run(".exch", type, [](Bits, Bits b, Bits) { return b; }, false);
      run(".cas", type, [](Bits a, Bits b, Bits c) { return a == b ? c : a; }, false, true);
    }
    run(".cas", "b16", [](Bits a, Bits b, Bits c) { return a == b ? c : a; }, false, true, false);
    for (const auto& t : Integers) {
      if (t.bits == 16) continue;
      if (t.name != "s64") run(".add", t.name, [=](Bits a, Bits b, Bits) { return cut(static_cast<Wide>(a) + b, t.bits); });
      run(".min", t.name, [=](Bits a, Bits b, Bits) { return valueOf(a, t) < valueOf(b, t) ? a : b; });
      run(".max", t.name, [=](Bits a, Bits b, Bits) { return valueOf(a, t) < valueOf(b, t) ? b : a; });
    }
    run(".inc", "u32", [](Bits a, Bits b, Bits) { return a >= b ? 0 : a + 1; }, true, false, false);
    run(".dec", "u32", [](Bits a, Bits b, Bits) { return a == 0 || a > b ? b : a - 1; }, true, false, false);
    run(".add", "f32", [](Bits a, Bits b, Bits) { return fromDouble(toDouble(a, F32) + toDouble(b, F32), F32); });
    run(".add", "f64", [](Bits a, Bits b, Bits) { return fromDouble(toDouble(a, F64) + toDouble(b, F64), F64); });
    for (const auto* f : {&F16, &Bf16})
      for (bool isPair : {false, true})
        run(".add.noftz", f->name + (isPair ? "x2" : ""), [=](Bits a, Bits b, Bits) {
          auto sum = [&](int shift) { return fromDouble(toDouble(a >> shift & 0xFFFF, *f) + toDouble(b >> shift & 0xFFFF, *f), *f); };
          return isPair ? sum(0) | sum(16) << 16 : sum(0);
        }, true, false, false);
  }
  // Orders and scopes change nothing for one thread; every row takes them.
  struct Row {
    std::string op, type;
    Update update;
    bool hasRed, isCas;
  };
  const Row rows[] = {{".and", "b32", [](Bits a, Bits b, Bits) { return a & b; }, true, false},
                      {".exch", "b32", [](Bits, Bits b, Bits) { return b; }, false, false},
                      {".cas", "b32", [](Bits a, Bits b, Bits c) { return a == b ? c : a; }, false, true},
                      {".add", "u32", [](Bits a, Bits b, Bits) { return cut(static_cast<Wide>(a) + b, 32); }, true, false},
                      {".add.noftz", "f16", [](Bits a, Bits b, Bits) { return fromDouble(toDouble(a, F16) + toDouble(b, F16), F16); }, true, false},
                      {".inc", "u32", [](Bits a, Bits b, Bits) { return a >= b ? 0 : a + 1; }, true, false},
                      {".min", "u32", [](Bits a, Bits b, Bits) { return std::min(a, b); }, true, false}};
  for (const auto& row : rows)
    for (std::string order : {".relaxed", ".acquire", ".release", ".acq_rel"})
      for (const auto& scope : Scopes) atomic(order + scope, ".global", row.op, row.type, row.update, row.hasRed && (order == ".relaxed" || order == ".release"), row.isCas);
}
