// The stand-in as a program meets it: a shared library that is opened by name, with the driver API's entry points.
#pragma once

#include <dlfcn.h>

#include <cstdint>
#include <string>

#include "check.h"
#include "machine.h"

namespace check {

class DriverApi {
 public:
  DriverApi() : library_(dlopen(PTXSIM_LIBRARY, RTLD_NOW | RTLD_LOCAL)) {
    if (!library_) throw std::runtime_error(dlerror());
    good(call("cuInit", 0u), "cuInit");
    good(call("cuCtxCreate_v2", &context_, 0u, 0), "cuCtxCreate");
  }
  ~DriverApi() { call("cuCtxDestroy_v2", context_); }
  DriverApi(const DriverApi&) = delete;
  DriverApi& operator=(const DriverApi&) = delete;

  // Arguments must have the types that the entry point takes.
  template <typename... A>
  int call(const char* name, A... arguments) {
    auto entry = reinterpret_cast<int (*)(A...)>(dlsym(library_, name));
    if (!entry) throw std::runtime_error(std::string("the library has no ") + name);
    return entry(arguments...);
  }

  void good(int result, const std::string& what) { check::equal(result, 0, what + " (" + messageOf(result) + ")"); }

  std::string messageOf(int result) {
    const char* text = nullptr;
    call("cuGetErrorString", result, &text);
    return text;
  }

  // A new context in place of this one.
  void renew() {
    call("cuCtxDestroy_v2", context_);
    good(call("cuCtxCreate_v2", &context_, 0u, 0), "cuCtxCreate");
  }

  void* load(const std::string& text) {
    void* module = nullptr;
    good(call("cuModuleLoadDataEx", &module, text.c_str(), 0u, static_cast<const int*>(nullptr), static_cast<void**>(nullptr)), "cuModuleLoadDataEx");
    return module;
  }

  void* function(void* module, const char* name = "k") {
    void* found = nullptr;
    good(call("cuModuleGetFunction", &found, module, name), "cuModuleGetFunction");
    return found;
  }

  void* memory(size_t bytes) {
    void* place = nullptr;
    good(call("cuMemAlloc_v2", &place, bytes), "cuMemAlloc");
    return place;
  }

  void* stream() {
    void* made = nullptr;
    good(call("cuStreamCreate", &made, 1u), "cuStreamCreate");
    return made;
  }

  int launch(void* function, unsigned grid, unsigned block, void* stream, void** parameters, void** extra = nullptr) {
    return call("cuLaunchKernel", function, grid, 1u, 1u, block, 1u, 1u, 0u, stream, parameters, extra);
  }

 private:
  void* library_;
  void* context_ = nullptr;
};

// k(out, in): out[i] = i + 1 for the threads of one block.
inline std::string countingKernel() { return entry("add.u32 %r1, %r0, 1;\nst.global.u32 [%rd4], %r1;"); }

}  // namespace check
