#include "forms/expect.h"

#include <algorithm>
#include <bit>
#include <cfenv>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "check.h"
#include "isa/shape.h"
#include "machine.h"
#include "syntax/ast.h"

namespace check {
namespace {

constexpr uint32_t Count = 512, Edges = 16;
Here current;

const std::string Around = ".version 8.7\n.target sm_90\n.address_size 64\n.visible .global .align 32 .b8 room[16384];\n"
                           ".const .align 32 .b64 table[4] = {0x1122334455667788, 0x99AABBCCDDEEFF00, 0x0123456789ABCDEF, 0xFEDCBA9876543210};\n"
                           ".func (.reg .b32 r) twice(.reg .b32 x)\n{\nadd.u32 r, x, x;\nret;\n}\n"
                           ".func (.reg .b32 r) thrice(.reg .b32 x)\n{\nmul.lo.u32 r, x, 3;\nret.uni;\n}\n";

std::map<const ptxsim::Form*, std::set<std::string>>& met() {
  static std::map<const ptxsim::Form*, std::set<std::string>> all;
  return all;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

int bitsOf(const std::string& type) {
  if (type == "bf16x2" || type == "f16x2" || type == "tf32") return 32;
  return std::stoi(type.substr(type.find_first_of("1368")));
}

const Format* formatOf(const std::string& type) {
  for (const auto* format : {&F16, &Bf16, &F32, &F64})
    if (format->name == type) return format;
  return nullptr;
}

std::vector<Bits> edges(const std::string& type) {
  int bits = bitsOf(type);
  if (type == "f16x2" || type == "bf16x2") {
    std::vector<Bits> pairs;
    auto halves = edges(type.substr(0, type.size() - 2));
    for (size_t i = 0; i < halves.size(); i++) pairs.push_back(halves[i] | halves[(i * 7 + 3) % halves.size()] << 16);
    return pairs;
  }

  if (const auto* f = formatOf(type)) {
    std::vector<Bits> values;
    Bits infinity = fromDouble(INFINITY, *f), sign = Bits{1} << (bits - 1);
    for (double value : {0.0, 1.0, 0.5, 1.5, 2.5, 3.25}) values.push_back(fromDouble(value, *f));
    for (Bits value : {infinity, infinity - 1, infinity + (infinity & -infinity) / 2, Bits{1}, Bits{1} << (f->precision - 1), fromDouble(-1, *f), fromDouble(-2.5, *f)})
      values.push_back(value);
    for (Bits value : {infinity, Bits{0}, Bits{3}}) values.push_back(value | sign);
    return values;
  }

  Bits top = Bits{1} << (bits - 1);
  return {0, 1, cut(-1, bits), top - 1, top, 31, 32, 33, 63, 64, 7, 255, 0x8000, 2, 3, top + 1};
}

std::vector<Bits> samples(const std::string& type, uint32_t seed) {
  std::mt19937_64 random(seed);
  auto values = edges(type);
  int bits = bitsOf(type);
  while (values.size() < Count) {
    Bits value = cut(static_cast<Wide>(random()), bits);
    const auto* f = formatOf(type);
    // Every other number of a size at which operations meet each other.
    if (f && values.size() % 2 == 0) value = fromDouble((static_cast<double>(random() >> 11) * 0x1p-52 - 1) * std::ldexp(1.0, static_cast<int>(random() % 12)), *f);
    if (!f && bits > 16 && type.find('f') == std::string::npos) value >>= random() % static_cast<uint32_t>(bits);
    values.push_back(value);
  }
  return values;
}

bool isSame(Bits found, Bits expected, const std::string& type, double tolerance) {
  if (found == expected) return true;
  const auto* f = formatOf(type);
  if (!f) return false;
  double a = toDouble(found, *f), b = toDouble(expected, *f), least = std::ldexp(1.0, f->least);
  if (a != a || b != b) return a != a && b != b;
  return tolerance > 0 && (std::fabs(a - b) <= tolerance * std::fabs(b) || (std::fabs(a) <= least && std::fabs(b) <= least));
}

}  // namespace

double toDouble(Bits bits, const Format& f) {
  if (f.bits == 64) return std::bit_cast<double>(bits);
  int fraction = f.name == "tf32" ? 23 : f.precision - 1;
  auto mantissa = bits & ((Bits{1} << fraction) - 1);
  int exponents = f.bits - 1 - fraction;
  auto exponent = static_cast<int>(bits >> fraction & ((Bits{1} << exponents) - 1));
  double sign = bits >> (f.bits - 1) & 1 ? -1 : 1;
  if (exponent == (1 << exponents) - 1) return mantissa ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(static_cast<double>(mantissa), f.least - fraction);
  return sign * std::ldexp(static_cast<double>(mantissa | Bits{1} << fraction), f.least + exponent - 1 - fraction);
}

Bits fromDouble(double value, const Format& f, Mode mode) {
  if (f.bits == 64) return std::bit_cast<Bits>(value);
  int fraction = f.name == "tf32" ? 23 : f.precision - 1, exponents = f.bits - 1 - fraction;
  Bits sign = std::signbit(value) ? Bits{1} << (f.bits - 1) : 0, infinity = ((Bits{1} << exponents) - 1) << fraction;
  if (value != value) return infinity | Bits{1} << (fraction - 1);
  double size = std::fabs(value);
  if (std::isinf(size)) return sign | infinity;
  if (size == 0) return sign;
  int exponent = std::max(std::ilogb(size), f.least);
  double scaled = std::ldexp(size, f.precision - 1 - exponent), whole = std::floor(scaled), rest = scaled - whole;
  bool isUp = mode == Mode::Nearest ? rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2) == 1)
              : mode == Mode::Away  ? rest >= 0.5
              : mode == Mode::Zero  ? false
                                    : rest > 0 && (mode == Mode::Up) == (sign == 0);
  double rounded = std::ldexp(whole + isUp, exponent - (f.precision - 1));
  double above = std::ldexp(1.0, 1 - f.least + 1);
  if (rounded >= above) {
    bool isInfinite = mode == Mode::Nearest || mode == Mode::Away || (mode == Mode::Up && sign == 0) || (mode == Mode::Down && sign != 0);
    return sign | (isInfinite ? infinity : infinity - (Bits{1} << (fraction + 1 - f.precision)));
  }

  if (rounded < std::ldexp(1.0, f.least)) return sign | static_cast<Bits>(std::ldexp(rounded, fraction - f.least));
  int e = std::ilogb(rounded);
  return sign | (static_cast<Bits>(e - f.least + 1) << fraction) | (static_cast<Bits>(std::ldexp(rounded, fraction - e)) & ((Bits{1} << fraction) - 1));
}

Bits flushed(Bits bits, const Format& f) {
  double value = std::fabs(toDouble(bits, f));
  return value < std::ldexp(1.0, f.least) ? bits & Bits{1} << (f.bits - 1) : bits;
}

double under(Mode mode, const std::function<double()>& f) {
  int before = std::fegetround();
  std::fesetround(mode == Mode::Zero ? FE_TOWARDZERO : mode == Mode::Down ? FE_DOWNWARD : mode == Mode::Up ? FE_UPWARD : FE_TONEAREST);
  volatile double result = f();
  std::fesetround(before);
  return result;
}

const Here& here() { return current; }

void cover(const std::string& text) {
  for (const auto& shape : ptxsim::shapesOf(text, 87, 90, 1))
    for (auto word : shape.words) met()[shape.form].emplace(word);
  met()[ptxsim::shapesOf(text, 87, 90, 1).front().form];
}

void cover(const Machine& machine, const std::string& opcode) {
  for (const auto& instruction : machine.kernel("k").code) {
    if (instruction.form->opcode != opcode || instruction.statement->text.empty()) continue;
    for (const auto& shape : ptxsim::shapesOf(instruction.statement->text, 87, 90, 1)) {
      if (shape.form != instruction.form) continue;
      auto& words = met()[shape.form];
      for (auto word : shape.words) words.emplace(word);
    }
  }
}

std::vector<std::string> uncovered() {
  std::vector<std::string> missing;
  for (const auto& form : ptxsim::forms()) {
    auto name = std::string(form.opcode) + " " + std::string(form.modifiers) + "  " + std::string(form.operands);
    auto found = met().find(&form);
    if (found == met().end()) {
      missing.push_back(name);
      continue;
    }
    for (auto word : split(std::string(form.modifiers))) {
      std::erase_if(word, [](char c) { return std::string("<>{}").find(c) != std::string::npos; });
      if (!found->second.contains(word)) missing.push_back(name + ": " + word);
    }
  }
  return missing;
}

void expect(const std::string& instruction, const std::string& types, const Model& model, double tolerance, std::string body) {
  auto type = split(types);
  size_t operands = type.size();
  const char *registers[] = {"%vd", "%va", "%vb", "%vc"}, *parameters[] = {"out", "pa", "pb", "pc"};
  if (body.empty()) {
    body = instruction;
    for (size_t i = 0; i < operands; i++) body += (i == 0 ? " " : ", ") + std::string(registers[i]);
    body += ";";
  }

  type.resize(4, "u32");
  std::string text = Around + ".visible .entry k(.param .u64 out, .param .u64 pa, .param .u64 pb, .param .u64 pc)\n{\n"
                     ".reg .pred %p<8>; .reg .b16 %h<8>; .reg .b32 %x<8>; .reg .b64 %y<8>; .reg .b64 %at<6>; .reg .b32 %n<4>;\n.shared .align 32 .b8 tile[8192];\n.local .align 32 .b8 own[32];\n"
                     "mov.u32 %n0, %tid.x;\nmov.u32 %n1, %tid.x;\n"
                     "mov.u32 %n2, %ctaid.x;\nmad.lo.u32 %n1, %n2, 256, %n1;\n";
  for (size_t i = 0; i < 4; i++) {
    std::string at = "%at" + std::to_string(i), bits = std::to_string(bitsOf(type[i]));
    text += ".reg .b" + bits + " " + registers[i] + ";\nld.param.u64 " + at + ", [" + parameters[i] + "];\nmad.wide.u32 " + at + ", %n1, " +
            std::to_string(bitsOf(type[i]) / 8) + ", " + at + ";\n";
    if (i > 0) text += "ld.global.b" + bits + " " + registers[i] + ", [" + at + "];\n";
  }
  text += body + "\nst.global.b" + std::to_string(bitsOf(type[0])) + " [%at0], %vd;\nret;\n}\n";

  Machine machine(text);
  std::vector<Bits> inputs[3];
  std::vector<uint64_t> places = {machine.room(Count * 8)};
  for (uint32_t i = 0; i < 3; i++) {
    auto values = samples(type[i + 1], i + 1);
    inputs[i] = values;
    // Every pair of edge values of the first two operands meets once.
    for (uint32_t e = 0; e < Edges * Edges && i < 2; e++) inputs[i][e] = values[i == 0 ? e / Edges : e % Edges];
    size_t size = static_cast<size_t>(bitsOf(type[i + 1])) / 8;
    std::vector<uint8_t> packed(Count * size);
    for (size_t n = 0; n < Count; n++) std::memcpy(&packed[n * size], &inputs[i][n], size);
    places.push_back(machine.upload(packed));
  }

  machine.launch("k", places, Count / 256, 256);
  cover(machine, instruction.substr(0, instruction.find('.')));
  size_t size = static_cast<size_t>(bitsOf(type[0])) / 8;
  auto found = machine.download<uint8_t>(places[0], Count * size);
  current.inputs = inputs;
  for (size_t n = 0; n < Count; n++) {
    current.index = static_cast<uint32_t>(n);
    Bits value = 0, expected = model(inputs[0][n], inputs[1][n], inputs[2][n]);
    std::memcpy(&value, &found[n * size], size);
    bool same = isSame(value, expected, type[0], tolerance);
    if (type[0] == "f16x2" || type[0] == "bf16x2") {
      auto part = type[0].substr(0, type[0].size() - 2);
      same = isSame(value & 0xFFFF, expected & 0xFFFF, part, tolerance) && isSame(value >> 16, expected >> 16, part, tolerance);
    }
    if (same) continue;
    std::ostringstream report;
    report << body << "\n of " << std::hex << inputs[0][n] << ", " << inputs[1][n] << ", " << inputs[2][n] << ": found " << value << ", expected " << expected;
    throw std::runtime_error(report.str());
  }
}

}  // namespace check
