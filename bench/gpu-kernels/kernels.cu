// Checks the CUDA kernels of this project on a GPU against plain ones, then times them, matrix products beside cuBLAS.
//
//   kernels GROUP MODULES [check]     GROUP: matmul, ptx, float32, warpgroup, clusters, logits, attention; MODULES: folder with the compiled
//                                     kernels; check: no times, for compute-sanitizer
//
// One JSON object a line. Each group is a process of its own (see run): a kernel that dies takes its context along.
#include "kit.cuh"

bool run_matmul(const std::string& folder);
bool run_ptx(const std::string& folder);
bool run_float32(const std::string& folder);
bool run_warpgroup(const std::string& folder, bool clusters);
bool run_logits(const std::string& folder);
bool run_attention(const std::string& folder);

bool checkOnly = false;

int main(int count, char** arguments) {
  if (count < 3) {
    std::fprintf(stderr, "usage: kernels matmul|ptx|float32|warpgroup|clusters|logits|attention MODULES [check]\n");
    return 2;
  }
  CHECK(cudaFree(nullptr));
  cudaDeviceProp properties;
  CHECK(cudaGetDeviceProperties(&properties, 0));
  int driver;
  CHECK(cudaDriverGetVersion(&driver));
  std::string group = arguments[1], folder = arguments[2];
  checkOnly = count > 3 && std::string(arguments[3]) == "check";
  std::printf("{\"group\": \"%s\", \"device\": \"%s\", \"multiprocessors\": %d, \"driver\": %d}\n", group.c_str(), properties.name,
              properties.multiProcessorCount, driver);
  bool ok = group == "matmul"      ? run_matmul(folder)
            : group == "ptx"       ? run_ptx(folder)
            : group == "float32"   ? run_float32(folder)
            : group == "warpgroup" ? run_warpgroup(folder, false)
            : group == "clusters"  ? run_warpgroup(folder, true)
            : group == "logits"    ? run_logits(folder)
            : group == "attention" ? run_attention(folder)
                                   : false;
  std::printf("{\"group\": \"%s\", \"ok\": %s}\n", group.c_str(), ok ? "true" : "false");
  return ok ? 0 : 1;
}
