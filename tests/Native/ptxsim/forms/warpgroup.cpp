// wgmma, the bulk copies that feed it and setmaxnreg, against plain loops.
#include "check.h"
#include "expect.h"
#include "warpgroup_kernel.h"

using check::WarpgroupKernel;

namespace {

void expectProduct(const WarpgroupKernel& kernel, double factor, double addend) {
  check::Machine machine(kernel.text());
  std::vector<float> a, b, c = kernel.run(machine, a, b);
  for (const char* opcode : {"wgmma", "cp", "mbarrier", "fence", "setmaxnreg"}) check::cover(machine, opcode);
  for (int row = 0; row < kernel.M; row++)
    for (int column = 0; column < kernel.N; column++) {
      double sum = 0;
      for (int k = 0; k < kernel.K; k++) sum += double{a[static_cast<size_t>(row * kernel.K + k)]} * b[static_cast<size_t>(column * kernel.K + k)];
      check::equal(double{c[static_cast<size_t>(row * kernel.N + column)]}, factor * sum + addend, "C[" + std::to_string(row) + ", " + std::to_string(column) + "]");
    }
}

}  // namespace

CASE(products_of_a_warpgroup) {
  for (int columns : {64, 128, 256})
    for (bool isTurned : {false, true}) {
      WarpgroupKernel kernel;
      kernel.N = columns;
      kernel.isTurned = isTurned;
      expectProduct(kernel, 1, 1);
    }
}

CASE(products_of_a_warpgroup_may_be_negated) {
  WarpgroupKernel kernel;
  kernel.scales = "p, -1, 1";
  expectProduct(kernel, -1, 1);
  kernel.scales = "p, -1, -1";
  expectProduct(kernel, 1, 1);
}

CASE(an_expected_byte_count_may_name_its_space_either_way) {
  WarpgroupKernel kernel;
  auto text = kernel.text();
  size_t at = text.find(".expect_tx.shared::cta");
  text.replace(at, 22, ".expect_tx.shared");
  check::Machine machine(text);
  std::vector<float> a, b;
  kernel.run(machine, a, b);
  check::cover(machine, "mbarrier");
}
