// Every form of the instruction table against a scalar model of its own: see forms/. A form without a case fails, as does a word of one.
#include "check.h"
#include "forms/expect.h"

int main(int argc, char** argv) {
  int failed = check::run(argc, argv);
  if (argc > 1) return failed;
  auto missing = check::uncovered();
  for (const auto& form : missing) std::printf("no case executes: %s\n", form.c_str());
  return failed != 0 || !missing.empty();
}
