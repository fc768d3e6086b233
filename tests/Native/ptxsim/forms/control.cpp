// PTX ISA 9.7.8.6 and 9.7.11 to 9.7.17: lanes that exchange values, control flow, barriers, tensor cores.
#include <bit>
#include <cmath>

#include "check.h"
#include "exec/fault.h"
#include "forms/expect.h"
#include "machine.h"

using namespace check;

namespace {

// Operand 0, 1 or 2 of a lane of the warp at hand.
Bits of(int operand, uint32_t lane) { return here().inputs[operand][here().index / 32 * 32 + lane]; }
uint32_t lane() { return here().index % 32; }

const std::string Tile = "mov.u32 %x0, tile;\nshl.b32 %x1, %n0, 5;\nadd.u32 %x2, %x0, %x1;\n";  // x2: the thread's 32 bytes
const std::string Warp = "mov.u32 %x0, tile;\nand.b32 %x1, %n0, 224;\nshl.b32 %x1, %x1, 5;\nadd.u32 %x0, %x0, %x1;\nand.b32 %x1, %n0, 31;\nshl.b32 %x1, %x1, 4;\nadd.u32 %x2, %x0, %x1;\n";  // 16 bytes a lane

Bits one(Bits a, Bits, Bits) { return a; }

// Two rounds of an exchange with another thread, each ended by the barrier, bring a thread's own value back.
void barrierOrders(const std::string& opcode, const std::string& barrier, int partner) {
  std::string other = "xor.b32 %x3, %x1, " + std::to_string(32 * partner) + ";\nadd.u32 %x3, %x3, %x0;\n";
  expect(opcode, "u32 u32", one, 0, Tile + other + "st.shared.u32 [%x2], %va;\n" + barrier + "ld.shared.u32 %x4, [%x3];\n" + barrier + "st.shared.u32 [%x2], %x4;\n" + barrier +
                                        "ld.shared.u32 %vd, [%x3];");
}

}  // namespace

CASE(lanes_exchange_values) {
  for (int step : {1, 5, 31})
    for (int segment : {32, 8}) {
      auto s = static_cast<uint32_t>(step);
      std::string b = std::to_string(step), mask = std::to_string((32 - segment) << 8), last = std::to_string((32 - segment) << 8 | 31);
      uint32_t size = static_cast<uint32_t>(segment);
      auto shuffle = [&](const std::string& mode, const std::string& c, auto from) {
        std::string name = "shfl.sync." + mode + ".b32";
        // Out of the segment a lane keeps its own value, and the predicate says so.
        expect(name, "u32 u32", [=](Bits, Bits, Bits) {
          auto source = from(lane());
          // Down, by exclusive or and by number the last lane of the segment is the limit; up, the first.
          auto first = static_cast<int>(lane() / size * size);
          bool isInside = mode == "up" ? source >= first : source < first + segment;
          return cut(static_cast<Wide>(of(0, isInside ? static_cast<uint32_t>(source) : lane())) + isInside, 32);
        }, 0, name + " %vd|%p1, %va, " + b + ", " + c + ", -1;\n@%p1 add.u32 %vd, %vd, 1;");
      };
      shuffle("up", mask, [=](uint32_t l) { return static_cast<int>(l) - static_cast<int>(s); });
      shuffle("down", last, [=](uint32_t l) { return static_cast<int>(l + s); });
      shuffle("bfly", last, [=](uint32_t l) { return static_cast<int>(l ^ s); });
      shuffle("idx", last, [=](uint32_t l) { return static_cast<int>(l / size * size + s % size); });
    }
}

CASE(lanes_vote_and_match) {
  auto odd = [](uint32_t members) {
    uint32_t mask = 0;
    for (uint32_t l = 0; l < 32; l++) mask |= (members >> l & 1 ? static_cast<uint32_t>(of(0, l) & 1) : 0) << l;
    return mask;
  };
  std::string read = "and.b32 %x0, %va, 1;\nsetp.eq.u32 %p1, %x0, 1;\n", write = "selp.u32 %vd, 1, 0, %p2;";
  for (uint32_t members : {~0u, 0x00FF00FFu}) {
    std::string mask = std::to_string(members), only = "setp.ne.u32 %p4, 0, 0;\nmov.u32 %vd, 9;\nmov.u32 %x5, 1;\nand.b32 %x4, %n0, 31;\nshl.b32 %x5, %x5, %x4;\nand.b32 %x5, %x5, " + mask +
                       ";\nsetp.ne.u32 %p4, %x5, 0;\n@!%p4 bra END;\n", end = "\nEND:\n";
    auto whereMember = [=](auto f) { return [=](Bits, Bits, Bits) -> Bits { return members >> lane() & 1 ? static_cast<Bits>(f()) : 9; }; };
    expect("vote.sync.all.pred", "u32 u32", whereMember([=] { return odd(members) == members; }), 0, read + only + "vote.sync.all.pred %p2, %p1, " + mask + ";\n" + write + end);
    expect("vote.sync.any.pred", "u32 u32", whereMember([=] { return odd(members) != 0; }), 0, read + only + "vote.sync.any.pred %p2, %p1, " + mask + ";\n" + write + end);
    expect("vote.sync.uni.pred", "u32 u32", whereMember([=] { return odd(members) == 0 || odd(members) == members; }), 0, read + only + "vote.sync.uni.pred %p2, %p1, " + mask + ";\n" + write + end);
    expect("vote.sync.ballot.b32", "u32 u32", whereMember([=] { return odd(members); }), 0, read + only + "vote.sync.ballot.b32 %vd, %p1, " + mask + ";" + end);
    for (std::string op : {"and", "or", "xor"})
      expect("redux.sync." + op + ".b32", "u32 u32", whereMember([=] {
        Bits result = op == "and" ? 0xFFFFFFFF : 0;
        for (uint32_t l = 0; l < 32; l++)
          if (members >> l & 1) result = op == "and" ? result & of(0, l) : op == "or" ? result | of(0, l) : result ^ of(0, l);
        return result;
      }), 0, only + "redux.sync." + op + ".b32 %vd, %va, " + mask + ";" + end);
    for (std::string type : {"u32", "s32"})
      for (std::string op : {"add", "min", "max"})
        expect("redux.sync." + op + "." + type, "u32 u32", whereMember([=] {
          Integer t{type, 32, type == "s32"};
          Wide result = op == "add" ? Wide{0} : op == "min" ? Wide{1} << 40 : -(Wide{1} << 40);
          for (uint32_t l = 0; l < 32; l++)
            if (members >> l & 1) result = op == "add" ? result + valueOf(of(0, l), t) : op == "min" ? std::min(result, valueOf(of(0, l), t)) : std::max(result, valueOf(of(0, l), t));
          return cut(result, 32);
        }), 0, only + "redux.sync." + op + "." + type + " %vd, %va, " + mask + ";" + end);
    for (std::string type : {"b32", "b64"}) {
      std::string value = type == "b32" ? "and.b32 %x0, %va, 3;\n" : "and.b32 %x0, %va, 3;\ncvt.u64.u32 %y0, %x0;\nshl.b64 %y0, %y0, 40;\n", from = type == "b32" ? "%x0" : "%y0";
      auto equal = [=] {
        uint32_t mask2 = 0;
        for (uint32_t l = 0; l < 32; l++) mask2 |= (members >> l & 1) && (of(0, l) & 3) == (of(0, lane()) & 3) ? 1u << l : 0;
        return mask2;
      };
      expect("match.any.sync." + type, "u32 u32", whereMember([=] { return equal(); }), 0, only + value + "match.any.sync." + type + " %vd, " + from + ", " + mask + ";" + end);
      expect("match.all.sync." + type, "u32 u32", whereMember([=] { return equal() == members ? members - 1 : 0; }), 0,
             only + value + "match.all.sync." + type + " %vd|%p2, " + from + ", " + mask + ";\n@%p2 sub.u32 %vd, %vd, 1;" + end);
    }
  }
  expect("activemask.b32", "u32 u32", [](Bits, Bits, Bits) { return Bits{0xFFFFFFFF}; }, 0, "activemask.b32 %vd;");
}

CASE(barriers_of_every_kind) {
  for (std::string barrier : {"bar.sync 0;\n", "bar.cta.sync 3;\n", "bar.sync 1, 256;\n"}) barrierOrders("bar", barrier, 32);
  for (std::string barrier : {"barrier.sync 0;\n", "barrier.cta.sync 2, 256;\n", "barrier.sync.aligned 5;\n"}) barrierOrders("barrier", barrier, 32);
  barrierOrders("bar", "bar.warp.sync -1;\n", 1);
  // Even warps write and arrive, odd ones wait and read; then all meet.
  std::string odd = "and.b32 %x3, %n0, 32;\nsetp.ne.u32 %p1, %x3, 0;\n", begin = Tile + odd + "@!%p1 st.shared.u32 [%x2], 7;\nmov.u32 %vd, 7;\n@%p1 bra WAIT;\n";
  std::string end = "bra MEET;\nWAIT:\n", rest = "sub.u32 %x2, %x2, 1024;\nld.shared.u32 %vd, [%x2];\nMEET:\n";
  Model seven = [](Bits, Bits, Bits) { return Bits{7}; };
  expect("bar", "u32 u32", seven, 0, begin + "bar.arrive 1, 256;\n" + end + "bar.sync 1, 256;\n" + rest);
  expect("bar", "u32 u32", seven, 0, begin + "bar.cta.arrive 1, 256;\n" + end + "bar.cta.sync 1, 256;\n" + rest);
  for (std::string words : {"", ".cta"})
    for (std::string aligned : {"", ".aligned"}) expect("barrier", "u32 u32", seven, 0, begin + "barrier" + words + ".arrive" + aligned + " 1, 256;\n" + end + "barrier.sync 1, 256;\n" + rest);
  // The votes of a block: how many of its 256 inputs are odd, all, any.
  auto odds = [] {
    Bits count = 0;
    for (uint32_t t = 0; t < 256; t++) count += here().inputs[0][here().index / 256 * 256 + t] & 1;
    return count;
  };
  std::string read = "and.b32 %x0, %va, 1;\nsetp.eq.u32 %p1, %x0, 1;\n", write = "selp.u32 %vd, 1, 0, %p2;";
  for (std::string op : {"bar", "bar.cta", "barrier", "barrier.cta", "barrier.aligned"}) {
    bool isAligned = op == "barrier.aligned";
    std::string base = isAligned ? "barrier" : op, mark = isAligned ? ".aligned" : "", opcode = base.substr(0, base.find('.'));
    for (std::string count : {"", ", 256"}) {
      expect(opcode, "u32 u32", [=](Bits, Bits, Bits) { return odds(); }, 0, read + base + ".red.popc" + mark + ".u32 %vd, 0" + count + ", %p1;");
      expect(opcode, "u32 u32", [=](Bits, Bits, Bits) { return Bits{odds() == 256}; }, 0, read + base + ".red.and" + mark + ".pred %p2, 0" + count + ", %p1;\n" + write);
      expect(opcode, "u32 u32", [=](Bits, Bits, Bits) { return Bits{odds() != 256}; }, 0, read + base + ".red.or" + mark + ".pred %p2, 0" + count + ", !%p1;\n" + write);
    }
  }
  for (std::string op : {"membar.cta", "membar.gl", "membar.sys", "fence.cta", "fence.gpu", "fence.sys", "fence.sc.cta", "fence.sc.gpu", "fence.sc.sys", "fence.acq_rel.cta", "fence.acq_rel.gpu", "fence.acq_rel.sys"})
    expect(op, "u32 u32", one, 0, Tile + "st.shared.u32 [%x2], %va;\n" + op + ";\nld.shared.u32 %vd, [%x2];");
}

// One barrier object a block: every thread arrives, waits and reads what another wrote.
CASE(barrier_objects) {
  for (std::string s : {"", ".shared", ".shared::cta"}) {
    std::string at = s.empty() ? "[%y0]" : "[%x5]", count = "256";
    std::string begin = Tile + "add.u32 %x5, %x0, 16;\ncvt.u64.u32 %y1, %x5;\ncvta.shared.u64 %y0, %y1;\nsetp.eq.u32 %p1, %n0, 0;\n";
    auto whole = [&](const std::string& expected, const std::string& arrive, const std::string& wait) {
      return begin + "@%p1 mbarrier.init" + s + ".b64 " + at + ", " + expected + ";\nbar.sync 0;\nst.shared.u32 [%x2], %va;\n" + arrive + "POLL:\n" + wait + "@!%p2 bra POLL;\n" +
             "xor.b32 %x3, %x1, 1024;\nadd.u32 %x3, %x3, %x0;\nld.shared.u32 %x4, [%x3];\nbar.sync 0;\nst.shared.u32 [%x2], %x4;\nbar.sync 0;\nld.shared.u32 %vd, [%x3];\n@%p1 mbarrier.inval" + s + ".b64 " + at + ";";
    };
    std::string state = "mbarrier.test_wait" + s + ".b64 %p2, " + at + ", %y2;\n", parity = "mbarrier.test_wait.parity" + s + ".b64 %p2, " + at + ", 0;\n";
    auto arrive = [&](const std::string& words, const std::string& last) { return "mbarrier.arrive" + words + s + ".b64 %y2, " + at + last + ";\n"; };
    expect("mbarrier", "u32 u32", one, 0, whole("256", arrive("", ""), state));
    expect("mbarrier", "u32 u32", one, 0, whole("512", arrive("", ", 2"), parity));
    expect("mbarrier", "u32 u32", one, 0, whole("256", "mbarrier.arrive_drop" + s + ".b64 %y2, " + at + ";\n", parity));
    expect("mbarrier", "u32 u32", one, 0, whole("512", arrive(".noComplete", ", 1") + arrive("", ""), state));
    for (std::string hint : {"", ", 1000"}) {
      expect("mbarrier", "u32 u32", one, 0, whole("256", arrive("", ""), "mbarrier.try_wait" + s + ".b64 %p2, " + at + ", %y2" + hint + ";\n"));
      expect("mbarrier", "u32 u32", one, 0, whole("256", arrive("", ""), "mbarrier.try_wait.parity" + s + ".b64 %p2, " + at + ", 0" + hint + ";\n"));
    }
    // The copies' arrival counts beside the threads' own, or in its place.
    for (std::string noinc : {"", ".noinc"}) {
      std::string copy = "cp.async.ca.shared.global [%x2], [%at1], 4;\ncp.async.mbarrier.arrive" + noinc + s + ".b64 " + at + ";\n";
      expect("cp", "u32 u32", one, 0, whole("256", copy + (noinc.empty() ? arrive("", "") : ""), parity));
    }
  }
}

CASE(branches_and_calls) {
  for (std::string uni : {"", ".uni"}) {
    expect("bra", "u32 u32", [](Bits a, Bits, Bits) { return (a & 1 ? a * 3 : a + 1) & 0xFFFFFFFF; }, 0,
           "and.b32 %x0, %va, 1;\nsetp.eq.u32 %p1, %x0, 1;\n@%p1 bra ODD;\nadd.u32 %vd, %va, 1;\nbra" + uni + " END;\nODD:\nmul.lo.u32 %vd, %va, 3;\nEND:\n");
    expect("brx", "u32 u32", [=](Bits a, Bits, Bits) { return uni.empty() ? (a & 3) * 10 : Bits{20}; }, 0,
           std::string(uni.empty() ? "and.b32 %x0, %va, 3;\n" : "mov.u32 %x0, 2;\n") + "TABLE: .branchtargets A, B, C, D;\nbrx.idx" + uni +
               " %x0, TABLE;\nA:\nmov.u32 %vd, 0;\nbra END;\nB:\nmov.u32 %vd, 10;\nbra END;\nC:\nmov.u32 %vd, 20;\nbra END;\nD:\nmov.u32 %vd, 30;\nEND:\n");
    std::string call = "call" + uni;
    expect("ret", "u32 u32", [](Bits a, Bits, Bits) { return a * 6 & 0xFFFFFFFF; }, 0, call + " (%x0), twice, (%va);\n" + call + " (%vd), thrice, (%x0);");
    cover(call);
  }
  expect("exit", "u32 u32", one, 0, "mov.u32 %vd, %va;\nst.global.b32 [%at0], %vd;\nexit;\n");
  expect("nanosleep.u32", "u32 u32", one, 0, "nanosleep.u32 20;\nmov.u32 %vd, %va;");
  expect("pmevent", "u32 u32", one, 0, "pmevent 3;\nmov.u32 %vd, %va;");
  for (std::string stop : {"trap", "brkpt"}) {
    Machine machine(entry(stop + ";"));
    try {
      machine.launch("k", {0, 0});
    } catch (const ptxsim::KernelFault& fault) {
      check::equal(ptxsim::cudaError(fault.kind()), 715, stop);
      cover(stop);
      continue;
    }
    throw std::runtime_error(stop + " did not stop the kernel");
  }
}

namespace {

// Word `w` of the 16 bytes that a lane keeps: a, b, c, a.
Bits word(uint32_t from, uint32_t w) { return of(w == 3 ? 0 : static_cast<int>(w), from); }
Bits half(uint32_t from, uint32_t column) { return word(from, column / 2) >> (16 * (column % 2)) & 0xFFFF; }
// What lane l holds of matrix q, whose rows lie with lanes 8 q to 8 q + 7.
Bits fragment(uint32_t q, uint32_t l, bool isTransposed) {
  uint32_t row = l / 4, column = l % 4 * 2;
  if (!isTransposed) return half(8 * q + row, column) | half(8 * q + row, column + 1) << 16;
  return half(8 * q + column, row) | half(8 * q + column + 1, row) << 16;
}

}  // namespace

CASE(matrices_of_eight_by_eight) {
  std::string regs[] = {"%x4", "%x5", "%x6", "%x7"};
  for (std::string shared : {"", ".shared", ".shared::cta"})
    for (bool isTransposed : {false, true})
      for (uint32_t count : {1u, 2u, 4u}) {
        std::string list, sum = "mov.u32 %vd, %x4;\n", words = ".sync.aligned.m8n8.x" + std::to_string(count) + (isTransposed ? ".trans" : "") + shared + ".b16 ";
        for (uint32_t i = 0; i < count; i++) {
          list += (i ? "," : "{") + regs[i];
          if (i) sum += "mad.lo.u32 %vd, " + regs[i] + ", " + std::to_string(2 * i + 1) + ", %vd;\n";
        }
        list += "}";
        std::string where = shared.empty() ? "[%y0]" : "[%x2]", begin = Warp + "cvt.u64.u32 %y1, %x2;\ncvta.shared.u64 %y0, %y1;\n";
        expect("ldmatrix", "u32 u32 u32 u32", [=](Bits, Bits, Bits) {
          Bits total = 0;
          for (uint32_t q = 0; q < count; q++) total += fragment(q, lane(), isTransposed) * (q ? 2 * q + 1 : 1);
          return total & 0xFFFFFFFF;
        }, 0, begin + "st.shared.v4.u32 [%x2], {%va,%vb,%vc,%va};\nbar.warp.sync -1;\nldmatrix" + words + list + ", " + where + ";\n" + sum);
        // The other way: lane l brings words of matrix q, which are a, b, c and a of its own; each lane reads its row again.
        expect("stmatrix", "u32 u32 u32 u32", [=](Bits, Bits, Bits) -> Bits {
          if (lane() >= 8 * count) return 5;
          uint32_t q = lane() / 8, row = lane() % 8;
          Bits total = 0;
          for (uint32_t w = 0; w < 4; w++) {
            Bits value = 0;
            for (uint32_t h = 0; h < 2; h++) {
              uint32_t column = 2 * w + h, from = isTransposed ? column * 4 + row / 2 : row * 4 + w, part = isTransposed ? row % 2 : h;
              value |= (word(from, q) >> (16 * part) & 0xFFFF) << (16 * h);
            }
            total += value * (w ? 2 * w + 1 : 1);
          }
          return total & 0xFFFFFFFF;
        }, 0, begin + "mov.u32 %x4, %va;\nmov.u32 %x5, %vb;\nmov.u32 %x6, %vc;\nmov.u32 %x7, %va;\nstmatrix" + words + where + ", " + list +
                  ";\nbar.warp.sync -1;\nmov.u32 %vd, 5;\nand.b32 %x3, %n0, 31;\nsetp.lt.u32 %p1, %x3, " + std::to_string(8 * count) +
                  ";\n@%p1 ld.shared.v4.u32 {%x4,%x5,%x6,%x7}, [%x2];\n@!%p1 bra END;\nmov.u32 %vd, %x4;\nmad.lo.u32 %vd, %x5, 3, %vd;\nmad.lo.u32 %vd, %x6, 5, %vd;\nmad.lo.u32 %vd, %x7, 7, %vd;\nEND:\n");
      }
  expect("movmatrix.sync.aligned.m8n8.trans.b16", "u32 u32", [](Bits, Bits, Bits) {
    Bits value = 0;
    for (uint32_t h = 0; h < 2; h++) value |= (of(0, (lane() % 4 * 2 + h) * 4 + lane() / 8) >> (16 * (lane() / 4 % 2)) & 0xFFFF) << (16 * h);
    return value;
  });
}

// Fragments as section 9.7.13.4 draws them: A (16, K) row by row, B (K, 8) column by column, C and D (16, 8).
CASE(products_of_tensor_cores) {
  struct Shape {
    std::string name;
    const Format* format;
    uint32_t k, a, b;  // depth; registers of A and of B
  };
  for (const auto& s : {Shape{"m16n8k8", &F16, 8, 2, 1}, Shape{"m16n8k8", &Bf16, 8, 2, 1}, Shape{"m16n8k4", &Tf32, 4, 2, 1}, Shape{"m16n8k8", &Tf32, 8, 4, 2}, Shape{"m16n8k16", &F16, 16, 4, 2},
                        Shape{"m16n8k16", &Bf16, 16, 4, 2}})
    for (uint32_t part = 0; part < 4; part++) {
      bool isSingle = s.format == &Tf32;
      // Registers of A: a, b, a, b with the last two's lanes the other way round; of B: c, a; of C: the lane's number.
      auto operandA = [=](uint32_t row, uint32_t column) {
        uint32_t group = row % 8, within = isSingle ? column % 4 : column % 8 / 2, reg = row / 8 + (isSingle ? column / 4 : column / 8) * 2;
        Bits bits = of(reg % 2, reg < 2 ? group * 4 + within : (group * 4 + within) ^ 1);
        return isSingle ? toDouble(bits & 0xFFFFE000, F32) : toDouble(bits >> (16 * (column % 2)) & 0xFFFF, *s.format);
      };
      auto operandB = [=](uint32_t row, uint32_t column) {
        uint32_t within = isSingle ? row % 4 : row % 8 / 2, reg = isSingle ? row / 4 : row / 8;
        Bits bits = of(reg == 0 ? 2 : 0, column * 4 + within);
        return isSingle ? toDouble(bits & 0xFFFFE000, F32) : toDouble(bits >> (16 * (row % 2)) & 0xFFFF, *s.format);
      };
      std::string type = s.format->name, words = "mma.sync.aligned." + s.name + ".row.col.f32." + type + "." + type + ".f32", input = isSingle ? "f32" : type + "x2";
      std::string lists = s.a == 2 ? "{%va,%vb}, {%vc}" : "{%va,%vb,%x4,%x5}, {%vc,%va}";
      expect(words, "f32 " + input + " " + input + " " + input, [=](Bits, Bits, Bits) {
        uint32_t row = lane() / 4 + part / 2 * 8, column = lane() % 4 * 2 + part % 2;
        double sum = lane();
        for (uint32_t x = 0; x < s.k; x++) sum += operandA(row, x) * operandB(x, column);
        return fromDouble(sum, F32);
      }, 1e-4, "{\n.reg .f32 %s<5>;\nand.b32 %x0, %n0, 31;\ncvt.rn.f32.u32 %s4, %x0;\nshfl.sync.bfly.b32 %x4, %va, 1, 31, -1;\nshfl.sync.bfly.b32 %x5, %vb, 1, 31, -1;\n" + words +
                   " {%s0,%s1,%s2,%s3}, " + lists + ", {%s4,%s4,%s4,%s4};\nmov.b32 %vd, %s" + std::to_string(part) + ";\n}\n");
    }
}
