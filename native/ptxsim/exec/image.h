// A loaded module: its text, its variables in device memory, its kernels.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/program.h"
#include "syntax/ast.h"

namespace ptxsim {

class DeviceMemory;

// Where a module-level variable lies. Shared variables of the module belong to every kernel that names them.
struct Placed {
  Space space;
  uint64_t address;  // host address of a global or constant variable; index into Image::module.variables for a shared one
  uint64_t bytes;
};

struct Image {
  Module module;
  std::map<std::string, Placed, std::less<>> variables;
  std::map<std::string, std::unique_ptr<Kernel>, std::less<>> kernels;
  DeviceMemory* memory = nullptr;
  std::vector<uint64_t> allocations;

  Image() = default;
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image();
};

// Parses and decodes a whole module; its variables are allocated in `memory`. Throws PtxError.
std::unique_ptr<Image> load(std::string_view text, DeviceMemory& memory);

}  // namespace ptxsim
