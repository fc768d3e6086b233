// Modules that were loaded before: programs load one text again for every context, and tests for every case.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "exec/image.h"

namespace ptxsim {

class ImageCache {
 public:
  // What `load` gives, decoded now or before. A module with variables of its own is decoded every time: each load has its own memory.
  // Throws PtxError.
  std::shared_ptr<const Image> load(std::string_view text, DeviceMemory& memory);

  // Modules that were decoded, not found.
  uint64_t decoded() const { return decoded_; }

 private:
  static constexpr size_t MaxTextBytes = size_t{32} << 20;  // of the texts kept; those loaded first go first

  std::unordered_map<std::string, std::shared_ptr<const Image>> images_;
  std::list<std::string> order_;
  size_t textBytes_ = 0;
  uint64_t decoded_ = 0;
};

}  // namespace ptxsim
