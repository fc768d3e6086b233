// Tensor maps (CUDA driver API, "Tensor Map Object Management").
#include <algorithm>
#include <array>
#include <string>

#include "driver/driver.h"
#include "exec/tensor_map.h"

using namespace ptxsim;

namespace {

constexpr std::array<uint32_t, 13> ElementBytes = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};  // by CUtensorMapDataType

}  // namespace

// Matrices, as row-major tensors of rank 2; no interleaving, swizzled over 128 bytes or not at all, zeros outside.
PTXSIM_API cuTensorMapEncodeTiled(TensorMap* map, unsigned type, unsigned rank, void* address, const uint64_t* sizes, const uint64_t* strides,
                                  const uint32_t* box, const uint32_t* steps, unsigned interleave, unsigned swizzle, unsigned, unsigned fill) {
  PTXSIM_ENTER;
  auto refuse = [&](const std::string& problem) { return driver.fail(InvalidValue, "cuTensorMapEncodeTiled: " + problem); };
  if (reinterpret_cast<uintptr_t>(map) % 64 != 0) return refuse("the map's address is no multiple of 64");
  if (type >= ElementBytes.size()) return refuse("there is no data type " + std::to_string(type));
  if (rank != 2) return refuse("tensors of rank " + std::to_string(rank) + " are not modelled, matrices are");
  if (interleave != 0 || (swizzle != 0 && swizzle != 3) || fill != 0 || steps[0] != 1 || steps[1] != 1)
    return refuse("interleaving, steps, a swizzle other than over 128 bytes, and filling with anything but zeros are not modelled");
  TensorMap made{};
  made.address = reinterpret_cast<uint64_t>(address);
  made.mark = TensorMap::Mark;
  made.columns = sizes[0];
  made.rows = sizes[1];
  made.rowBytes = strides[0];
  made.boxColumns = box[0];
  made.boxRows = box[1];
  made.elementBytes = ElementBytes[type];
  made.isSwizzled = swizzle == 3;
  constexpr uint64_t MostElements = uint64_t{1} << 32, MostBytes = uint64_t{1} << 40;
  if (made.address % 16 != 0) return refuse("the tensor's address is no multiple of 16");
  if (made.rowBytes % 16 != 0 || made.rowBytes >= MostBytes) return refuse("the stride, " + std::to_string(made.rowBytes) + " bytes, is no multiple of 16 or 2^40 or more");
  if (std::min(made.columns, made.rows) == 0 || std::max(made.columns, made.rows) > MostElements) return refuse("a size is 0 or above 2^32");
  if (std::min(made.boxColumns, made.boxRows) == 0 || std::max(made.boxColumns, made.boxRows) > 256) return refuse("a side of the box is 0 or above 256");
  if (made.boxRowBytes() % 16 != 0) return refuse("a row of the box, " + std::to_string(made.boxRowBytes()) + " bytes, is no multiple of 16");
  if (made.isSwizzled && made.boxRowBytes() > 128) return refuse("a row of the box, " + std::to_string(made.boxRowBytes()) + " bytes, is longer than the 128 of the swizzle");
  *map = made;
  return Success;
}
