// Arguments of a kernel as a person writes them: numbers and buffers.
#pragma once

#include <string>
#include <vector>

#include "exec/memory.h"
#include "exec/program.h"

namespace ptxsim::cli {

// One --arg: bytes of the parameter; for a buffer also what it points to.
struct Argument {
  std::vector<uint8_t> bytes;
  uint64_t buffer = 0, bufferBytes = 0;
};

// TYPE:VALUE, out:BYTES, fill:TYPE:COUNT:VALUE, ramp:TYPE:COUNT, random:TYPE:COUNT or file:PATH. Throws UsageError. `seed` is of random.
Argument parseArgument(const std::string& text, DeviceMemory& memory, uint64_t seed);

// Places every argument where the kernel's parameter list wants it. Throws UsageError where the number or a size differs.
std::vector<uint8_t> place(const Kernel& kernel, const std::vector<Argument>& arguments);

// N:TYPE:COUNT: the first COUNT elements of buffer argument N (from 0), one line.
std::string show(const std::string& text, const std::vector<Argument>& arguments);

}  // namespace ptxsim::cli
