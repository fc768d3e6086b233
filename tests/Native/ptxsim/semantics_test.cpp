// Instructions against a scalar model written apart from the executor, over edge values and random ones; then the operations of a warp.
#include <algorithm>
#include <bit>
#include <cfenv>
#include <cmath>
#include <limits>
#include <random>

#include "check.h"
#include "machine.h"

using check::Machine;

__extension__ typedef __int128 ptxsim_int128;
__extension__ typedef unsigned __int128 ptxsim_uint128;

namespace {

template <typename T> std::string suffix();
template <> std::string suffix<uint32_t>() { return "u32"; }
template <> std::string suffix<int32_t>() { return "s32"; }
template <> std::string suffix<uint64_t>() { return "u64"; }
template <> std::string suffix<int64_t>() { return "s64"; }
template <> std::string suffix<float>() { return "f32"; }
template <> std::string suffix<double>() { return "f64"; }

template <typename T> constexpr bool IsFloat = std::is_floating_point_v<T>;
template <typename T> std::string bits() { return IsFloat<T> ? suffix<T>() : sizeof(T) == 8 ? "b64" : "b32"; }

template <typename T>
std::vector<T> samples(uint32_t seed, size_t count) {
  std::mt19937_64 random(seed);
  std::vector<T> values;
  if constexpr (IsFloat<T>) {
    using L = std::numeric_limits<T>;
    values = {0, -T{0}, 1, -1, T(0.5), T(1.5), T(2.5), L::infinity(), -L::infinity(), L::quiet_NaN(), L::denorm_min(), -L::denorm_min(), L::min(), L::max(), L::lowest(),
              T(3.4999999)};
    while (values.size() < count) {
      if constexpr (sizeof(T) == 4) values.push_back(std::bit_cast<float>(static_cast<uint32_t>(random())));
      else values.push_back(std::bit_cast<double>(random()));
    }
  } else {
    using L = std::numeric_limits<T>;
    values = {0, 1, static_cast<T>(-1), L::max(), L::min(), 31, 32, 33, 63, 64, 7, 255, static_cast<T>(0x8000), static_cast<T>(0xFFFF), 2, 3};
    while (values.size() < count) values.push_back(static_cast<T>(random() >> (random() % 60)));
  }

  std::shuffle(values.begin(), values.end(), random);
  values.resize(count);
  return values;
}

template <typename T>
bool same(T a, T b) { return a == b ? std::signbit(static_cast<double>(a)) == std::signbit(static_cast<double>(b)) || !IsFloat<T> : IsFloat<T> && a != a && b != b; }

constexpr size_t Count = 512;

// d = op a, b, c over arrays: a of A, b of B, c of C, the result of D. `operands` is how many the instruction takes.
template <typename D, typename A, typename B, typename C, typename Model>
void compare(const std::string& instruction, int operands, Model model) {
  std::string body = check::Header + ".visible .entry k(.param .u64 out, .param .u64 pa, .param .u64 pb, .param .u64 pc)\n{\n.reg .pred %p<4>; .reg .b64 %rd<12>; .reg .b32 %r<4>;\n";
  auto reg = [&](const char* name, const std::string& type) { body += ".reg ." + type + " " + name + ";\n"; };
  reg("%vd", bits<D>()), reg("%va", bits<A>()), reg("%vb", bits<B>()), reg("%vc", bits<C>());
  body += "mov.u32 %r1, %tid.x;\nmov.u32 %r2, %ctaid.x;\nmad.lo.u32 %r1, %r2, 128, %r1;\n";
  const char* names[] = {"out", "pa", "pb", "pc"};
  size_t sizes[] = {sizeof(D), sizeof(A), sizeof(B), sizeof(C)};
  for (int i = 0; i < 4; i++) {
    std::string n = std::to_string(i + 1);
    body += "ld.param.u64 %rd" + n + ", [" + names[i] + "];\nmul.wide.u32 %rd9, %r1, " + std::to_string(sizes[i]) + ";\nadd.u64 %rd" + n + ", %rd" + n + ", %rd9;\n";
  }

  body += "ld.global." + bits<A>() + " %va, [%rd2];\nld.global." + bits<B>() + " %vb, [%rd3];\nld.global." + bits<C>() + " %vc, [%rd4];\n";
  body += instruction + " %vd, %va" + (operands > 1 ? ", %vb" : "") + (operands > 2 ? ", %vc" : "") + ";\n";
  body += "st.global." + bits<D>() + " [%rd1], %vd;\nret;\n}\n";
  Machine machine(body);
  auto a = samples<A>(1, Count), b = samples<B>(2, Count), c = samples<C>(3, Count);
  // Every pair of edge values meets once.
  for (size_t i = 0; i < 256; i++) a[i] = samples<A>(1, 512)[i / 16], b[i] = samples<B>(2, 512)[i % 16];
  uint64_t out = machine.room(Count * sizeof(D));
  machine.launch("k", {out, machine.upload(a), machine.upload(b), machine.upload(c)}, Count / 128, 128);
  auto found = machine.download<D>(out, Count);
  for (size_t i = 0; i < Count; i++) {
    D expected = model(a[i], b[i], c[i]);
    if (same(found[i], expected)) continue;
    std::ostringstream text;
    text.precision(17);
    text << instruction << " of " << +a[i] << ", " << +b[i] << ", " << +c[i] << ": found " << +found[i] << ", expected " << +expected;
    throw std::runtime_error(text.str());
  }
}

template <typename T, typename Model> void compare1(const std::string& op, Model model) {
  compare<T, T, T, T>(op + "." + suffix<T>(), 1, [=](T a, T, T) { return static_cast<T>(model(a)); });
}
template <typename T, typename Model> void compare2(const std::string& op, Model model) {
  compare<T, T, T, T>(op + "." + suffix<T>(), 2, [=](T a, T b, T) { return static_cast<T>(model(a, b)); });
}
template <typename T, typename Model> void compare3(const std::string& op, Model model) {
  compare<T, T, T, T>(op + "." + suffix<T>(), 3, [=](T a, T b, T c) { return static_cast<T>(model(a, b, c)); });
}

template <typename T>
void integers() {
  using U = std::make_unsigned_t<T>;
  using Wide = std::conditional_t<std::is_signed_v<T>, ptxsim_int128, ptxsim_uint128>;
  compare2<T>("add", [](T a, T b) { return U(a) + U(b); });
  compare2<T>("sub", [](T a, T b) { return U(a) - U(b); });
  compare2<T>("mul.lo", [](T a, T b) { return U(a) * U(b); });
  compare2<T>("mul.hi", [](T a, T b) { return U((Wide(a) * Wide(b)) >> (8 * sizeof(T))); });
  compare3<T>("mad.lo", [](T a, T b, T c) { return U(a) * U(b) + U(c); });
  compare2<T>("min", [](T a, T b) { return a < b ? a : b; });
  compare2<T>("max", [](T a, T b) { return a > b ? a : b; });
  compare2<T>("div", [](T a, T b) -> T { return b == 0 ? T(-1) : std::is_signed_v<T> && b == T(-1) ? T(U(0) - U(a)) : T(a / b); });
  compare2<T>("rem", [](T a, T b) -> T { return b == 0 ? a : std::is_signed_v<T> && b == T(-1) ? T(0) : T(a % b); });
  compare3<T>("sad", [](T a, T b, T c) { return U(c) + (a < b ? U(b) - U(a) : U(a) - U(b)); });
  compare<T, T, uint32_t, T>("shr." + suffix<T>(), 2, [](T a, uint32_t b, T) -> T { return b >= 8 * sizeof(T) ? (a < 0 ? T(-1) : T(0)) : T(a >> b); });
  compare<T, T, uint32_t, uint32_t>("bfe." + suffix<T>(), 3, [](T a, uint32_t b, uint32_t c) -> T {
    int width = 8 * sizeof(T), position = b & 255, length = c & 255;
    U result = 0;
    int top = std::min(position + length - 1, width - 1);
    bool negative = std::is_signed_v<T> && length > 0 && (U(a) >> top & 1);
    for (int i = width - 1; i >= 0; i--) {
      bool inside = i < length && i + position < width;
      result = U(result << 1) | U(length == 0 ? 0 : inside ? U(a) >> (i + position) & 1 : negative);
    }
    return T(result);
  });
}

template <typename T>
void floats() {
  compare2<T>("add.rn", [](T a, T b) { return a + b; });
  compare2<T>("sub.rn", [](T a, T b) { return a - b; });
  compare2<T>("mul.rn", [](T a, T b) { return a * b; });
  compare2<T>("div.rn", [](T a, T b) { return a / b; });
  compare3<T>("fma.rn", [](T a, T b, T c) { return std::fma(a, b, c); });
  compare1<T>("sqrt.rn", [](T a) { return std::sqrt(a); });
  compare1<T>("rcp.rn", [](T a) { return 1 / a; });
  compare1<T>("neg", [](T a) { return -a; });
  compare1<T>("abs", [](T a) { return std::fabs(a); });
  compare2<T>("copysign", [](T a, T b) { return std::copysign(b, a); });
  auto pick = [](T a, T b, bool max) { return a != a ? b : b != b ? a : a == b ? (std::signbit(a) == max ? b : a) : (a < b) == max ? b : a; };
  compare2<T>("min", [=](T a, T b) { return pick(a, b, false); });
  compare2<T>("max", [=](T a, T b) { return pick(a, b, true); });
}

float flushed(float a) { return std::fpclassify(a) == FP_SUBNORMAL ? std::copysign(0.0f, a) : a; }

}  // namespace

CASE(integers_of_32_bits) { integers<uint32_t>(), integers<int32_t>(); }
CASE(integers_of_64_bits) { integers<uint64_t>(), integers<int64_t>(); }
CASE(floats_round_once) { floats<float>(), floats<double>(); }

CASE(bits_and_shifts) {
  compare<uint32_t, uint32_t, uint32_t, uint32_t>("shl.b32", 2, [](uint32_t a, uint32_t b, uint32_t) { return b > 31 ? 0 : a << b; });
  compare<uint64_t, uint64_t, uint32_t, uint32_t>("shl.b64", 2, [](uint64_t a, uint32_t b, uint32_t) { return b > 63 ? 0 : a << b; });
  compare<uint32_t, uint32_t, uint32_t, uint32_t>("popc.b32", 1, [](uint32_t a, uint32_t, uint32_t) { return static_cast<uint32_t>(std::popcount(a)); });
  compare<uint32_t, uint64_t, uint32_t, uint32_t>("clz.b64", 1, [](uint64_t a, uint32_t, uint32_t) { return static_cast<uint32_t>(std::countl_zero(a)); });
  compare<uint32_t, uint32_t, uint32_t, uint32_t>("prmt.b32", 3, [](uint32_t a, uint32_t b, uint32_t c) {
    uint32_t result = 0;
    for (int i = 3; i >= 0; i--) {
      uint32_t choice = c >> (4 * i) & 15, source = choice & 4 ? b : a, byte = source >> (8 * (choice & 3)) & 255;
      result = result << 8 | (choice & 8 ? (byte & 128 ? 255 : 0) : byte);
    }
    return result;
  });
  compare<uint32_t, uint32_t, uint32_t, uint32_t>("shf.l.wrap.b32", 3, [](uint32_t a, uint32_t b, uint32_t c) {
    uint32_t n = c & 31;
    return n == 0 ? b : b << n | a >> (32 - n);
  });
  compare<uint32_t, uint32_t, uint32_t, uint32_t>("shf.r.clamp.b32", 3, [](uint32_t a, uint32_t b, uint32_t c) {
    return c >= 32 ? b : c == 0 ? a : a >> c | b << (32 - c);
  });
}

CASE(subnormals_are_flushed_where_asked) {
  compare2<float>("add.ftz", [](float a, float b) { return flushed(flushed(a) + flushed(b)); });
  compare2<float>("mul.rn.ftz", [](float a, float b) { return flushed(flushed(a) * flushed(b)); });
  compare2<float>("add.sat", [](float a, float b) {
    float sum = a + b;
    return sum != sum ? 0 : sum < 0 ? 0.0f : sum > 1 ? 1.0f : sum;
  });
}

CASE(directed_rounding) {
  auto at = [](int mode, auto f) {
    return [=](float a, float b) {
      int before = std::fegetround();
      std::fesetround(mode);
      volatile float x = a, y = b;
      volatile float result = f(x, y);
      std::fesetround(before);
      return static_cast<float>(result);
    };
  };
  auto add = [](volatile float& a, volatile float& b) { return a + b; };
  auto div = [](volatile float& a, volatile float& b) { return a / b; };
  compare2<float>("add.rz", at(FE_TOWARDZERO, add));
  compare2<float>("add.rm", at(FE_DOWNWARD, add));
  compare2<float>("div.rp", at(FE_UPWARD, div));
}

CASE(conversions) {
  compare<float, int32_t, int32_t, int32_t>("cvt.rn.f32.s32", 1, [](int32_t a, int32_t, int32_t) { return static_cast<float>(a); });
  compare<float, uint64_t, int32_t, int32_t>("cvt.rn.f32.u64", 1, [](uint64_t a, int32_t, int32_t) { return static_cast<float>(a); });
  compare<float, double, int32_t, int32_t>("cvt.rn.f32.f64", 1, [](double a, int32_t, int32_t) { return static_cast<float>(a); });
  compare<double, float, int32_t, int32_t>("cvt.f64.f32", 1, [](float a, int32_t, int32_t) { return static_cast<double>(a); });
  compare<int32_t, float, int32_t, int32_t>("cvt.rzi.s32.f32", 1, [](float a, int32_t, int32_t) -> int32_t {
    return a != a ? 0 : a >= 2147483648.0f ? INT32_MAX : a < -2147483648.0f ? INT32_MIN : static_cast<int32_t>(a);
  });
  compare<int32_t, float, int32_t, int32_t>("cvt.rni.s32.f32", 1, [](float a, int32_t, int32_t) -> int32_t {
    return a != a ? 0 : a >= 2147483648.0f ? INT32_MAX : a < -2147483648.0f ? INT32_MIN : static_cast<int32_t>(std::nearbyint(a));
  });
  compare<uint32_t, float, int32_t, int32_t>("cvt.rzi.u32.f32", 1, [](float a, int32_t, int32_t) -> uint32_t {
    return a != a || a <= 0 ? 0 : a >= 4294967296.0f ? UINT32_MAX : static_cast<uint32_t>(a);
  });
  compare<float, float, int32_t, int32_t>("cvt.rmi.f32.f32", 1, [](float a, int32_t, int32_t) { return std::floor(a); });
  compare<int32_t, int64_t, int32_t, int32_t>("cvt.sat.s32.s64", 1, [](int64_t a, int32_t, int32_t) {
    return static_cast<int32_t>(std::clamp<int64_t>(a, INT32_MIN, INT32_MAX));
  });
  compare<int64_t, int32_t, int32_t, int32_t>("cvt.s64.s32", 1, [](int32_t a, int32_t, int32_t) { return static_cast<int64_t>(a); });
  compare<int32_t, int32_t, int32_t, int32_t>("cvt.s32.s8", 1, [](int32_t a, int32_t, int32_t) { return static_cast<int32_t>(static_cast<int8_t>(a)); });
}

// Two floats to a pair of bf16: the nearest of all 65536 values, ties to the even one.
CASE(bfloat16_rounds_to_nearest_even) {
  compare<uint32_t, float, float, float>("cvt.rn.bf16x2.f32", 2, [](float a, float b, float) {
    auto nearest = [](float x) -> uint32_t {
      if (x != x) return 0x7FFF;
      uint32_t below = std::bit_cast<uint32_t>(x) >> 16;
      double value = std::bit_cast<float>(below << 16), next = below == 0x7F7F || below == 0xFF7F ? std::copysign(0x1p128, x) : std::bit_cast<float>((below + 1) << 16);
      if (std::isinf(x)) return below;
      double toBelow = std::fabs(x - value), toNext = std::fabs(next - x);
      return toBelow < toNext || (toBelow == toNext && below % 2 == 0) ? below : below + 1;
    };
    return nearest(a) << 16 | nearest(b);
  });
}

CASE(a_warp_exchanges_values) {
  Machine machine(check::entry(
      "ld.global.u32 %r1, [%rd5];\nshfl.sync.bfly.b32 %r2|%p1, %r1, 3, 31, -1;\nshfl.sync.up.b32 %r3|%p2, %r1, 1, 0, -1;\nshfl.sync.idx.b32 %r4, %r1, 5, 0x1807, -1;\n"
      "setp.gt.u32 %p3, %r1, 16;\nvote.sync.ballot.b32 %r5, %p3, -1;\nredux.sync.add.u32 %r6, %r1, -1;\nand.b32 %r7, %r1, 3;\nmatch.any.sync.b32 %r8, %r7, -1;\n"
      "selp.u32 %r9, 1, 0, %p2;\nmul.wide.u32 %rd6, %r0, 32;\nadd.u64 %rd6, %rd1, %rd6;\nst.global.v4.u32 [%rd6], {%r2,%r3,%r4,%r5};\nst.global.v4.u32 [%rd6+16], {%r6,%r8,%r9,%r9};"));
  std::vector<uint32_t> values;
  for (uint32_t i = 0; i < 32; i++) values.push_back(i);
  uint64_t out = machine.room(32 * 32), in = machine.upload(values);
  machine.launch("k", {out, in});
  auto found = machine.download<uint32_t>(out, 32 * 8);
  for (uint32_t l = 0; l < 32; l++) {
    auto* row = &found[8 * l];
    check::equal(row[0], l ^ 3, "bfly");
    check::equal(row[1], l == 0 ? 0 : l - 1, "up");
    check::equal(row[2], (l & 24) | 5, "idx in segments of eight");
    check::equal(row[3], 0xFFFE0000u, "ballot");
    check::equal(row[4], 496u, "redux");
    check::equal(row[5], 0x11111111u << (l & 3), "match");
    check::equal(row[6], l == 0 ? 0u : 1u, "the predicate of up");
  }
}

// A 16 x 8 x 16 product whose fragments are loaded by ldmatrix, against a plain product: layouts and .trans.
CASE(tensor_cores_multiply) {
  Machine machine(check::entry(
      ".shared .align 16 .b8 sa[512];\n.shared .align 16 .b8 sb[256];\nmov.u32 %r1, sa;\nmov.u32 %r2, sb;\nshl.b32 %r3, %r0, 4;\nadd.u32 %r4, %r1, %r3;\n"
      "mul.wide.u32 %rd6, %r0, 16;\nadd.u64 %rd6, %rd2, %rd6;\nld.global.v4.u32 {%r10,%r11,%r12,%r13}, [%rd6];\nst.shared.v4.u32 [%r4], {%r10,%r11,%r12,%r13};\n"
      "setp.lt.u32 %p1, %r0, 16;\nadd.u32 %r5, %r2, %r3;\n@%p1 ld.global.v4.u32 {%r10,%r11,%r12,%r13}, [%rd6+512];\n@%p1 st.shared.v4.u32 [%r5], {%r10,%r11,%r12,%r13};\n"
      "bar.sync 0;\n"
      // A: row lane % 16, half lane / 16 of a row of 32 bytes; B is stored k by n: rows of 16 bytes, transposed on the way.
      "and.b32 %r6, %r0, 15;\nshl.b32 %r6, %r6, 5;\nshr.u32 %r7, %r0, 4;\nshl.b32 %r7, %r7, 4;\nadd.u32 %r6, %r6, %r7;\nadd.u32 %r6, %r6, %r1;\n"
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r20,%r21,%r22,%r23}, [%r6];\nand.b32 %r8, %r0, 15;\nshl.b32 %r8, %r8, 4;\nadd.u32 %r8, %r8, %r2;\n"
      "ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%r24,%r25}, [%r8];\nmov.f32 %f1, 0f00000000;\n"
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f2,%f3,%f4,%f5}, {%r20,%r21,%r22,%r23}, {%r24,%r25}, {%f1,%f1,%f1,%f1};\n"
      "mul.wide.u32 %rd7, %r0, 16;\nadd.u64 %rd7, %rd1, %rd7;\nst.global.v4.f32 [%rd7], {%f2,%f3,%f4,%f5};"));
  std::mt19937 random(11);
  std::vector<uint16_t> input(256 + 128);
  std::vector<float> values(input.size());
  for (size_t i = 0; i < input.size(); i++) {
    values[i] = static_cast<float>(static_cast<int>(random() % 17) - 8);
    input[i] = static_cast<uint16_t>(std::bit_cast<uint32_t>(values[i]) >> 16);
  }

  uint64_t in = machine.upload(input), out = machine.room(512);
  auto counters = machine.launch("k", {out, in});
  check::equal(counters[ptxsim::Count::MmaInstructions], uint64_t{1}, "mma instructions");
  auto found = machine.download<float>(out, 128);
  for (int row = 0; row < 16; row++)
    for (int column = 0; column < 8; column++) {
      float expected = 0;
      for (int k = 0; k < 16; k++) expected += values[static_cast<size_t>(16 * row + k)] * values[static_cast<size_t>(256 + 8 * k + column)];
      int lane = 4 * (row % 8) + column / 2, part = 2 * (row / 8) + column % 2;
      check::equal(found[static_cast<size_t>(4 * lane + part)], expected, "element " + std::to_string(row) + ", " + std::to_string(column));
    }
}

CASE(divergent_lanes_meet_again) {
  Machine machine(check::entry("mov.u32 %r2, 0;\nLOOP:\nadd.u32 %r2, %r2, 1;\nsetp.lt.u32 %p1, %r2, %r0;\n@%p1 bra LOOP;\nst.global.u32 [%rd4], %r2;"));
  uint64_t out = machine.room(128);
  auto counters = machine.launch("k", {out, out});
  auto found = machine.download<uint32_t>(out, 32);
  for (uint32_t i = 0; i < 32; i++) check::equal(found[i], std::max(1u, i), "count of lane " + std::to_string(i));
  check::that(counters[ptxsim::Count::DivergentBranches] > 0, "no branch diverged");
  check::equal(counters[ptxsim::Count::GlobalStoreSectors], uint64_t{4}, "sectors of a coalesced store by lanes that met again");
}

// An address within dynamic shared memory may be written as an offset from its name, as compilers do.
CASE(dynamic_shared_memory_has_offsets) {
  Machine machine(check::entry("st.shared.u32 [room+8], 5;\nmov.u32 %r1, room+8;\nld.shared.u32 %r2, [%r1];\nst.global.u32 [%rd1], %r2;", ".extern .shared .align 16 .b8 room[];\n"));
  uint64_t out = machine.room(4);
  machine.launch("k", {out, out}, 1, 1, 16);
  check::equal(machine.download<uint32_t>(out, 1)[0], 5u, "what was stored");
}

CASE(calls_are_inlined) {
  std::string square = ".func (.param .b32 result) square(.param .b32 x)\n{\n.reg .b32 %r<4>;\nld.param.b32 %r1, [x];\nsetp_free:\nmul.lo.u32 %r2, %r1, %r1;\n"
                       "st.param.b32 [result], %r2;\nret;\n}\n";
  Machine machine(check::entry("{\n.param .b32 p0;\n.param .b32 q0;\nst.param.b32 [p0], %r0;\ncall.uni (q0), square, (p0);\nld.param.b32 %r1, [q0];\n}\n"
                               "st.global.u32 [%rd4], %r1;", square));
  uint64_t out = machine.room(128);
  machine.launch("k", {out, out});
  check::equal(machine.download<uint32_t>(out, 32)[9], 81u, "square");
}

CASE(bank_conflicts_are_counted) {
  auto wavefronts = [](int shift) {
    Machine machine(check::entry(".shared .align 16 .b8 tile[8192];\nmov.u32 %r1, tile;\nshl.b32 %r2, %r0, " + std::to_string(shift) + ";\nadd.u32 %r3, %r1, %r2;\nst.shared.u32 [%r3], %r0;"));
    uint64_t out = machine.room(8);
    return machine.launch("k", {out, out})[ptxsim::Count::SharedWavefronts];
  };
  check::equal(wavefronts(2), uint64_t{1}, "words side by side");
  check::equal(wavefronts(3), uint64_t{2}, "every other word");
  check::equal(wavefronts(7), uint64_t{32}, "one bank");
}

// One instruction whose lanes lie differently each time, in shared memory and in global memory in turn.
CASE(what_an_access_costs_follows_its_addresses) {
  Machine machine(check::entry(".shared .align 16 .b8 tile[8192];\nmov.u32 %r1, tile;\ncvt.u64.u32 %rd6, %r1;\ncvta.shared.u64 %rd6, %rd6;\nmov.u32 %r2, 2;\n"
                               "again:\nshl.b32 %r3, %r0, %r2;\ncvt.u64.u32 %rd7, %r3;\nand.b32 %r4, %r2, 1;\nsetp.eq.u32 %p1, %r4, 0;\n"
                               "selp.b64 %rd8, %rd6, %rd1, %p1;\nadd.u64 %rd8, %rd8, %rd7;\nst.u32 [%rd8], %r0;\nbar.warp.sync 0xffffffff;\n"
                               "add.u32 %r2, %r2, 1;\nsetp.lt.u32 %p2, %r2, 8;\n@%p2 bra again;"));
  uint64_t out = machine.room(4096);
  auto counters = machine.launch("k", {out, out});
  check::equal(counters[ptxsim::Count::SharedWavefronts], uint64_t{1 + 4 + 16}, "passes at strides of 4, 16 and 64 bytes");
  check::equal(counters[ptxsim::Count::SharedIdealWavefronts], uint64_t{3}, "passes without a conflict");
  check::equal(counters[ptxsim::Count::GlobalStoreSectors], uint64_t{8 + 32 + 32}, "sectors at strides of 8, 32 and 128 bytes");
  check::equal(counters[ptxsim::Count::GlobalStoreBytes], uint64_t{3 * 128}, "bytes");
}

// A loop that the lanes leave one after the other, and a guarded store; `entry` adds six instructions and the return.
CASE(instructions_are_counted_by_class_and_lane) {
  Machine machine(check::entry("mov.u32 %r1, 0;\nagain:\nadd.u32 %r1, %r1, 1;\nadd.f32 %f1, %f2, %f3;\nsetp.le.u32 %p1, %r1, %r0;\n@%p1 bra again;\n"
                               "setp.eq.u32 %p2, %r0, 1;\n@%p2 st.global.u32 [%rd4], %r1;"));
  uint64_t out = machine.room(16);
  auto counters = machine.launch("k", {out, out}, 1, 4);
  using ptxsim::Count;
  check::equal(counters[Count::FloatInstructions], uint64_t{4}, "turns of the loop");
  check::equal(counters[Count::ControlInstructions], uint64_t{4 + 1}, "branches and the return");
  check::equal(counters[Count::MemoryInstructions], uint64_t{2 + 1}, "parameters and a store");
  check::equal(counters[Count::IntegerInstructions], uint64_t{4 + 1 + 2 * 4 + 1}, "address arithmetic and counters");
  check::equal(counters[Count::WarpInstructions], uint64_t{4 + 5 + 3 + 14}, "all");
  // Four lanes; of the loop's four instructions 4, 3, 2 and 1 run, of the store one. A lane that leaves the loop does not branch.
  check::equal(counters[Count::ThreadInstructions], uint64_t{4 * 6 + 4 + 3 * 10 + 6 + 4 + 1 + 4}, "lanes");
  check::equal(counters[Count::DivergentBranches], uint64_t{3}, "branches that some take");
}

CASE(results_do_not_depend_on_the_order_of_blocks_and_warps) {
  for (uint64_t seed : {0, 1, 2}) {
    Machine machine(check::entry(".shared .align 16 .b8 tile[512];\nmov.u32 %r1, tile;\nshl.b32 %r2, %r0, 2;\nadd.u32 %r3, %r1, %r2;\nst.shared.u32 [%r3], %r0;\nbar.sync 0;\n"
                                 "xor.b32 %r4, %r2, 508;\nadd.u32 %r4, %r4, %r1;\nld.shared.u32 %r5, [%r4];\nmov.u32 %r6, %ctaid.x;\nmad.lo.u32 %r7, %r6, 128, %r0;\n"
                                 "mul.wide.u32 %rd6, %r7, 4;\nadd.u64 %rd6, %rd1, %rd6;\nst.global.u32 [%rd6], %r5;"));
    machine.options.seed = seed;
    uint64_t out = machine.room(16 * 128 * 4);
    machine.launch("k", {out, out}, 16, 128);
    auto found = machine.download<uint32_t>(out, 16 * 128);
    for (uint32_t i = 0; i < found.size(); i++) check::equal(found[i], 127 - i % 128, "element " + std::to_string(i));
  }
}

CASE(live_registers_are_counted) {
  Machine machine(check::entry("ld.global.v4.f32 {%f1,%f2,%f3,%f4}, [%rd2];\nadd.f32 %f5, %f1, %f2;\nadd.f32 %f6, %f3, %f4;\nadd.f32 %f7, %f5, %f6;\nst.global.f32 [%rd4], %f7;"));
  // The four values and the address of the store, which takes two registers.
  check::equal(machine.kernel("k").footprint().liveRegisters, 6, "live registers");
}

int main(int argc, char** argv) { return check::run(argc, argv); }
