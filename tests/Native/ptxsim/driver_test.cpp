// The driver API's entry points, called as a program calls them.
#include <cstdlib>

#include "driver_api.h"

using check::DriverApi;

CASE(a_refused_module_fills_its_log) {
  DriverApi api;
  char log[256] = {};
  int names[] = {5, 6};  // CU_JIT_ERROR_LOG_BUFFER, its size
  void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
  void* module = &api;
  std::string text = check::entry("frobnicate.u32 %r1;");
  check::equal(api.call("cuModuleLoadDataEx", &module, text.c_str(), 2u, static_cast<const int*>(names), static_cast<void**>(values)), 218, "result");
  check::contains(log, "line ");
  check::contains(log, "no instruction 'frobnicate'");
  check::that(module == nullptr, "a handle was returned");
}

CASE(a_binary_image_is_refused_by_name) {
  DriverApi api;
  void* module = nullptr;
  check::equal(api.call("cuModuleLoadDataEx", &module, static_cast<const char*>("\x7F" "ELF"), 0u, static_cast<const int*>(nullptr), static_cast<void**>(nullptr)), 209,
               "result");
  check::contains(api.messageOf(209), "PTX text only");
}

CASE(parameters_come_by_pointers_or_in_a_buffer) {
  DriverApi api;
  void* kernel = api.function(api.load(check::countingKernel()));
  for (bool isBuffer : {false, true}) {
    void* out = api.memory(256);
    void* given[2] = {out, out};
    void* pointers[] = {&given[0], &given[1]};
    size_t size = sizeof given;
    void* extra[] = {reinterpret_cast<void*>(1), given, reinterpret_cast<void*>(2), &size, nullptr};
    api.good(api.launch(kernel, 1, 64, nullptr, isBuffer ? nullptr : pointers, isBuffer ? extra : nullptr), "launch");
    uint32_t found[64];
    api.good(api.call("cuMemcpyDtoH_v2", static_cast<void*>(found), out, sizeof found), "copy");
    for (uint32_t i = 0; i < 64; i++) check::equal(found[i], i + 1, "element " + std::to_string(i));
  }
}

CASE(a_buffer_of_another_size_is_refused) {
  DriverApi api;
  void* kernel = api.function(api.load(check::countingKernel()));
  uint64_t few[1] = {0};
  size_t size = sizeof few;
  void* extra[] = {reinterpret_cast<void*>(1), few, reinterpret_cast<void*>(2), &size, nullptr};
  check::equal(api.launch(kernel, 1, 32, nullptr, nullptr, extra), 1, "result");
  check::contains(api.messageOf(1), "takes 16 bytes of parameters, the launch gives 8");
}

CASE(a_fault_stays_until_a_new_context) {
  DriverApi api;
  void* kernel = api.function(api.load(check::entry("st.global.u32 [%rd4+4096], %r0;")));
  void* out = api.memory(64);
  void* parameters[] = {&out, &out};
  api.launch(kernel, 1, 32, nullptr, parameters);
  check::equal(api.call("cuCtxSynchronize"), 700, "the launch's error");
  check::contains(api.messageOf(700), "kernel 'k'");
  void* more = nullptr;
  check::equal(api.call("cuMemAlloc_v2", &more, size_t{64}), 700, "a later call");
  api.renew();
  api.good(api.call("cuMemAlloc_v2", &more, size_t{64}), "an allocation in the new context");
  api.good(api.call("cuCtxSynchronize"), "the new context");
}

CASE(an_entry_point_is_found_by_its_name_without_a_version) {
  DriverApi api;
  void* found = nullptr;
  int status = -1;
  for (const char* name : {"cuGraphExecUpdate", "cuStreamBeginCapture", "cuGraphLaunch"}) {
    api.good(api.call("cuGetProcAddress_v2", name, &found, 12080, uint64_t{0}, &status), name);
    check::that(found != nullptr && status == 0, std::string(name) + " was not found");
  }

  check::equal(api.call("cuGetProcAddress_v2", "cuNothing", &found, 12080, uint64_t{0}, &status), 500, "an unknown name");
  check::equal(status, 1, "its status"); // CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND
}

// CUlaunchConfig with one attribute, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION; with PTXSIM_SM=90 as the CTest driver_sm90 sets it.
CASE(launches_in_clusters) {
  struct Attribute {
    int32_t id, unused;
    uint32_t value[16];
  } attribute{4, 0, {2, 1, 1}};
  struct {
    uint32_t grid[3], block[3], sharedBytes;
    void* stream;
    const Attribute* attributes;
    uint32_t count;
  } config{{4, 1, 1}, {1, 1, 1}, 0, nullptr, &attribute, 1};
  DriverApi api;
  void* kernel = api.function(api.load(
      ".version 8.0\n.target sm_90\n.address_size 64\n.visible .entry k(.param .u64 out)\n{\n.reg .b32 %r<4>; .reg .b64 %rd<4>;\nld.param.u64 %rd1, [out];\n"
      "mov.u32 %r1, %ctaid.x;\nmul.wide.u32 %rd2, %r1, 4;\nadd.u64 %rd1, %rd1, %rd2;\nmov.u32 %r2, %cluster_ctarank;\nst.global.u32 [%rd1], %r2;\nret;\n}\n"));
  void* out = api.memory(16);
  void* parameters[] = {&out};
  auto launch = [&] { return api.call("cuLaunchKernelEx", static_cast<const void*>(&config), kernel, static_cast<void**>(parameters), static_cast<void**>(nullptr)); };
  const char* capability = std::getenv("PTXSIM_SM");
  if (!capability || std::string(capability) != "90") {
    check::equal(launch(), 1, "a launch in clusters");
    check::contains(api.messageOf(1), "clusters of blocks need compute capability 9.0");
    return;
  }

  api.good(launch(), "a launch in clusters");
  uint32_t ranks[4] = {};
  api.good(api.call("cuMemcpyDtoH_v2", static_cast<void*>(ranks), out, sizeof ranks), "copy");
  for (uint32_t i = 0; i < 4; i++) check::equal(ranks[i], i % 2, "rank of block " + std::to_string(i));
  attribute.value[0] = 3;
  check::equal(launch(), 1, "a grid of 4 in clusters of 3");
  check::contains(api.messageOf(1), "in clusters of 3");
  attribute.id = 2;
  check::equal(launch(), 801, "a cooperative launch");
  check::contains(api.messageOf(801), "launch attribute 2 is not modelled");
}

int main(int argc, char** argv) { return check::run(argc, argv); }
