#include "cli/arguments.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "cli/cli.h"
#include "exec/ops/lanes.h"

namespace ptxsim::cli {
namespace {

constexpr uint64_t MaxBufferBytes = uint64_t{4} << 30;
const std::vector<std::string> Types = {"u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f16", "bf16", "f32", "f64"};
const std::vector<std::string> Buffers = {"out", "fill", "ramp", "random", "file"};

bool isFloat(const std::string& type) { return type[0] == 'f' || type[0] == 'b'; }

size_t sizeOfType(const std::string& type) {
  if (std::find(Types.begin(), Types.end(), type) == Types.end())
    throw UsageError("there is no type '" + type + "'; did you mean " + nearest(type, Types) + "? One of u8 to u64, s8 to s64, f16, bf16, f32, f64");
  return static_cast<size_t>(std::atoi(type.c_str() + type.find_first_of("1234568"))) / 8;
}

uint64_t bitsOfFloat(const std::string& type, double value) {
  if (type == "f64") return std::bit_cast<uint64_t>(value);
  auto narrow = static_cast<float>(value);
  if (type == "f32") return std::bit_cast<uint32_t>(narrow);
  return type == "f16" ? toHalf(narrow).bits : toBrain(narrow).bits;
}

uint64_t bitsOf(const std::string& type, const std::string& text) {
  size_t size = sizeOfType(type);
  char* end = nullptr;
  if (isFloat(type)) {
    double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != 0) throw UsageError("'" + text + "' is no number for " + type + "; write it like 1.5, -2e-3 or inf");
    return bitsOfFloat(type, value);
  }

  bool isNegative = !text.empty() && text[0] == '-';
  if (isNegative && type[0] == 'u') throw UsageError("'" + text + "' is negative and " + type + " is not signed; use s" + type.substr(1));
  uint64_t limit = size == 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * size)) - 1;
  if (type[0] == 's') limit = limit / 2 + isNegative;
  uint64_t magnitude = wholeNumber(isNegative ? text.substr(1) : text, "the value of " + type, limit);
  return isNegative ? ~magnitude + 1 : magnitude;
}

uint64_t countOf(const std::string& text, size_t size) { return wholeNumber(text, "the number of elements", MaxBufferBytes / size); }

Argument bufferOf(DeviceMemory& memory, uint64_t bytes) {
  Argument argument;
  argument.buffer = memory.allocate(std::max<uint64_t>(bytes, 1));
  argument.bufferBytes = bytes;
  argument.bytes.resize(8);
  std::memcpy(argument.bytes.data(), &argument.buffer, 8);
  return argument;
}

// `value` gives the bits of element i.
template <typename F>
Argument filled(DeviceMemory& memory, size_t size, uint64_t count, F value) {
  Argument argument = bufferOf(memory, size * count);
  for (uint64_t i = 0; i < count; i++) {
    uint64_t bits = value(i);
    std::memcpy(reinterpret_cast<void*>(argument.buffer + i * size), &bits, size);
  }

  memory.markWritten(argument.buffer, argument.bufferBytes);
  return argument;
}

}  // namespace

Argument parseArgument(const std::string& text, DeviceMemory& memory, uint64_t seed) {
  auto parts = split(text, text.rfind("file:", 0) == 0 ? 2 : 4);
  const std::string& kind = parts[0];
  auto need = [&](size_t count, const char* form) {
    if (parts.size() != count) throw UsageError("--arg '" + text + "': expected " + form);
  };
  if (kind == "out") {
    need(2, "out:BYTES");
    return bufferOf(memory, wholeNumber(parts[1], "the size of an out buffer", MaxBufferBytes));
  }

  if (kind == "fill") {
    need(4, "fill:TYPE:COUNT:VALUE");
    size_t size = sizeOfType(parts[1]);
    uint64_t bits = bitsOf(parts[1], parts[3]);
    return filled(memory, size, countOf(parts[2], size), [=](uint64_t) { return bits; });
  }

  if (kind == "ramp") {
    need(3, "ramp:TYPE:COUNT");
    size_t size = sizeOfType(parts[1]);
    return filled(memory, size, countOf(parts[2], size), [&](uint64_t i) { return isFloat(parts[1]) ? bitsOfFloat(parts[1], static_cast<double>(i)) : i; });
  }

  if (kind == "random") {
    need(3, "random:TYPE:COUNT");
    size_t size = sizeOfType(parts[1]);
    std::mt19937_64 random(seed);
    return filled(memory, size, countOf(parts[2], size), [&](uint64_t) {
      uint64_t bits = random();
      return isFloat(parts[1]) ? bitsOfFloat(parts[1], static_cast<double>(bits >> 11) * 0x1p-52 - 1) : bits;
    });
  }

  if (kind == "file") {
    need(2, "file:PATH");
    std::string contents = readFile(parts[1]);
    return filled(memory, 1, contents.size(), [&](uint64_t i) { return static_cast<uint8_t>(contents[i]); });
  }

  if (std::find(Types.begin(), Types.end(), kind) == Types.end()) {
    auto known = Types;
    known.insert(known.end(), Buffers.begin(), Buffers.end());
    throw UsageError("--arg '" + text + "' begins with '" + kind + "'; did you mean " + nearest(kind, known) +
                     "? A number is TYPE:VALUE, a buffer out:, fill:, ramp:, random: or file:");
  }

  need(2, "TYPE:VALUE");
  Argument argument;
  uint64_t bits = bitsOf(kind, parts[1]);
  argument.bytes.resize(sizeOfType(kind));
  std::memcpy(argument.bytes.data(), &bits, argument.bytes.size());
  return argument;
}

std::vector<uint8_t> place(const Kernel& kernel, const std::vector<Argument>& arguments) {
  if (arguments.size() != kernel.parameters.size())
    throw UsageError("kernel '" + kernel.name + "' takes " + std::to_string(kernel.parameters.size()) + " parameters, the command line has " +
                     std::to_string(arguments.size()) + " --arg");
  std::vector<uint8_t> bytes(std::max<size_t>(kernel.parameterBytes, 1));
  for (size_t i = 0; i < arguments.size(); i++) {
    const auto& parameter = kernel.parameters[i];
    if (arguments[i].bytes.size() != parameter.size)
      throw UsageError("parameter " + std::to_string(i) + " of kernel '" + kernel.name + "' has " + std::to_string(parameter.size) + " bytes, its --arg " +
                       std::to_string(arguments[i].bytes.size()));
    std::memcpy(bytes.data() + parameter.offset, arguments[i].bytes.data(), parameter.size);
  }

  return bytes;
}

std::string show(const std::string& text, const std::vector<Argument>& arguments) {
  auto parts = split(text, 3);
  if (parts.size() != 3) throw UsageError("--show '" + text + "': expected N:TYPE:COUNT");
  if (arguments.empty()) throw UsageError("--show without any --arg");
  const auto& argument = arguments[wholeNumber(parts[0], "the argument of --show", arguments.size() - 1)];
  size_t size = sizeOfType(parts[1]);
  uint64_t count = wholeNumber(parts[2], "the number of elements of --show", argument.bufferBytes / size);
  std::string line = "argument " + parts[0] + ":";
  for (uint64_t i = 0; i < count; i++) {
    uint64_t bits = 0;
    std::memcpy(&bits, reinterpret_cast<const void*>(argument.buffer + i * size), size);
    auto number = static_cast<uint32_t>(bits);
    char word[40];
    if (parts[1] == "f64") std::snprintf(word, sizeof word, " %.17g", std::bit_cast<double>(bits));
    else if (parts[1] == "f32") std::snprintf(word, sizeof word, " %.9g", static_cast<double>(std::bit_cast<float>(number)));
    else if (parts[1] == "f16") std::snprintf(word, sizeof word, " %.5g", static_cast<double>(toFloat(Half{static_cast<uint16_t>(bits)})));
    else if (parts[1] == "bf16") std::snprintf(word, sizeof word, " %.4g", static_cast<double>(toFloat(Brain{static_cast<uint16_t>(bits)})));
    else if (parts[1][0] == 'u') std::snprintf(word, sizeof word, " %llu", static_cast<unsigned long long>(bits));
    else std::snprintf(word, sizeof word, " %lld", static_cast<long long>(bits << (64 - 8 * size)) >> (64 - 8 * size));
    line += word;
  }

  return line;
}

}  // namespace ptxsim::cli
