// Runs hand-written PTX: a device's memory, a module, a launch.
#pragma once

#include <optional>
#include <stdexcept>
#include <cstring>
#include <string>
#include <vector>

#include "exec/image.h"
#include "exec/launch.h"
#include "exec/memory.h"

namespace check {

inline const std::string Header = ".version 8.0\n.target sm_80\n.address_size 64\n";

class Machine {
 public:
  explicit Machine(const std::string& text) : image_(ptxsim::load(text, memory_)) {}

  template <typename T>
  uint64_t upload(const std::vector<T>& values) {
    uint64_t bytes = values.size() * sizeof(T), address = memory_.allocate(bytes);
    std::memcpy(reinterpret_cast<void*>(address), values.data(), bytes);
    memory_.markWritten(address, bytes);
    return address;
  }

  template <typename T>
  std::vector<T> download(uint64_t address, size_t count) {
    std::vector<T> values(count);
    std::memcpy(values.data(), reinterpret_cast<void*>(address), count * sizeof(T));
    return values;
  }

  uint64_t room(uint64_t bytes) { return memory_.allocate(bytes); }

  // One value a parameter, of which it takes as many bytes as it has.
  ptxsim::Counters launch(const std::string& kernel, std::vector<uint64_t> values, uint32_t grid = 1, uint32_t block = 32, uint32_t shared = 0, uint32_t gridY = 1) {
    const auto& launched = *image_->kernels.at(kernel);
    if (values.size() < launched.parameters.size()) throw std::runtime_error("too few parameters for " + kernel);
    std::vector<uint8_t> bytes(launched.parameterBytes + 1);
    for (size_t i = 0; i < launched.parameters.size(); i++) std::memcpy(&bytes[launched.parameters[i].offset], &values[i], launched.parameters[i].size);
    return launchBytes(kernel, bytes, grid, block, shared, gridY);
  }

  // All parameters as they lie in memory.
  ptxsim::Counters launchBytes(const std::string& kernel, const std::vector<uint8_t>& bytes, uint32_t grid, uint32_t block, uint32_t shared, uint32_t gridY = 1) {
    const auto& launched = *image_->kernels.at(kernel);
    ptxsim::LaunchShape shape;
    shape.grid[0] = grid;
    shape.grid[1] = gridY;
    shape.block[0] = block;
    for (int axis = 0; axis < 3; axis++) shape.cluster[axis] = cluster[axis];
    shape.dynamicShared = shared;
    shape.parameters = bytes.data();
    shape.id = ++launches_;
    return ptxsim::launch(launched, shape, memory_, options);
  }

  const ptxsim::Kernel& kernel(const std::string& name) const { return *image_->kernels.at(name); }

  ptxsim::ExecutorOptions options;
  uint32_t cluster[3] = {0, 0, 0};  // of the launches from here on; zeros: as the kernel says

 private:
  ptxsim::DeviceMemory memory_;
  std::unique_ptr<ptxsim::Image> image_;
  uint64_t launches_ = 0;
};

// An entry `k` that takes the address of its result, %rd1, with the registers that bodies use; %r0 is the thread's number.
inline std::string entry(const std::string& body, const std::string& before = "") {
  return Header + before +
         ".visible .entry k(.param .u64 out, .param .u64 in)\n{\n"
         ".reg .pred %p<16>; .reg .b16 %h<32>; .reg .b32 %r<64>; .reg .f32 %f<64>; .reg .b64 %rd<32>; .reg .f64 %d<16>;\n"
         "ld.param.u64 %rd1, [out];\nld.param.u64 %rd2, [in];\nmov.u32 %r0, %tid.x;\nmul.wide.u32 %rd3, %r0, 4;\nadd.u64 %rd4, %rd1, %rd3;\n"
         "add.u64 %rd5, %rd2, %rd3;\n" + body + "\nret;\n}\n";
}

}  // namespace check
