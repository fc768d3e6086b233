#include "exec/image.h"

#include <bit>
#include <cstring>

#include "exec/decoder.h"
#include "exec/memory.h"
#include "syntax/error.h"

namespace ptxsim {
namespace {

constexpr uint64_t MaxVariableBytes = uint64_t{1} << 32;

void place(Image& image) {
  for (size_t i = 0; i < image.module.variables.size(); i++) {
    const auto& variable = image.module.variables[i];
    auto bytes = static_cast<uint64_t>(variable.bytes());
    if (bytes > MaxVariableBytes) throw PtxError(variable.line, "'" + variable.name + "' is larger than the device's memory");
    Placed placed{variable.space, i, bytes};
    if (variable.space != Space::Shared) {
      if (variable.isExtern) throw PtxError(variable.line, "'" + variable.name + "' is .extern, and modules are not linked");
      placed.address = image.memory->allocate(bytes, "'" + variable.name + "'", variable.space == Space::Const);
      image.allocations.push_back(placed.address);
    }

    if (!image.variables.emplace(variable.name, placed).second) throw PtxError(variable.line, "'" + variable.name + "' is declared twice");
  }
}

uint64_t valueOf(const Image& image, const InitialValue& value, Type type) {
  if (value.symbol.empty()) {
    if (value.isDouble && sizeOf(type) == 4) return std::bit_cast<uint32_t>(static_cast<float>(std::bit_cast<double>(value.bits)));
    return value.bits;
  }

  auto found = image.variables.find(value.symbol);
  if (found == image.variables.end() || found->second.space == Space::Shared)
    throw PtxError(value.line, "'" + value.symbol + "' has no address that is known when the module is loaded");
  return found->second.address + value.bits;
}

// Variables without an initializer are zero (PTX ISA, section 5.4.4), and count as written.
void initialize(const Image& image) {
  for (const auto& variable : image.module.variables) {
    if (variable.space == Space::Shared) {
      if (!variable.initial.empty()) throw PtxError(variable.line, "shared memory has no initial value");
      continue;
    }

    auto address = image.variables.find(variable.name)->second.address;
    auto bytes = static_cast<uint64_t>(variable.bytes()), size = static_cast<uint64_t>(sizeOf(variable.type));
    std::memset(reinterpret_cast<void*>(address), 0, bytes);
    image.memory->markWritten(address, bytes);
    if (variable.initial.size() * size > bytes) throw PtxError(variable.line, "'" + variable.name + "' has more initial values than elements");
    for (size_t i = 0; i < variable.initial.size(); i++) {
      uint64_t value = valueOf(image, variable.initial[i], variable.type);
      std::memcpy(reinterpret_cast<void*>(address + i * size), &value, size);
    }
  }
}

}  // namespace

Image::~Image() {
  for (uint64_t address : allocations) memory->release(address);
}

std::unique_ptr<Image> load(std::string_view text, DeviceMemory& memory) {
  auto image = std::make_unique<Image>();
  image->memory = &memory;
  image->module = parse(text);
  if (image->module.addressSize != 64) throw PtxError(1, "only .address_size 64 is modelled");
  place(*image);
  initialize(*image);
  KnownForms known;
  for (const auto& function : image->module.functions) {
    if (!function.isEntry || function.isDeclaration) continue;
    auto kernel = std::make_unique<Kernel>();
    Decoder(*image, *kernel, known).run(function);
    if (!image->kernels.emplace(function.name, std::move(kernel)).second)
      throw PtxError(function.line, "entry '" + function.name + "' stands twice");
  }

  return image;
}

}  // namespace ptxsim
