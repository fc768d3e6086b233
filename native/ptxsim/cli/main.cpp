// The tool for authors of kernels: see docs/ptxsim.md.
#include <cstdio>
#include <new>
#include <string_view>

#include "cli/cli.h"
#include "exec/fault.h"
#include "exec/processor.h"
#include "syntax/error.h"

namespace {

constexpr const char* Usage =
    "usage: ptxsim run FILE.ptx KERNEL [--grid X[,Y[,Z]]] [--block X[,Y[,Z]]] [--shared BYTES] [--arg ARGUMENT]... [--show N:TYPE:COUNT]...\n"
    "                  [--cluster X[,Y[,Z]]] [--seed N] [--threads N] [--repeat N] [--no-checks]\n"
    "       ptxsim stat FILE.ptx [--kernel NAME] [--block THREADS] [--shared BYTES]\n"
    "\n"
    "ARGUMENT, one for each parameter in order:\n"
    "  TYPE:VALUE               a number: u32:7, s32:-1, f32:1.5, u64:0x10\n"
    "  out:BYTES                a buffer that nothing has written: reading it before writing is a fault\n"
    "  fill:TYPE:COUNT:VALUE    a buffer of one value\n"
    "  ramp:TYPE:COUNT          0, 1, 2, ...\n"
    "  random:TYPE:COUNT        floats in [-1, 1), or any integers; the seed decides\n"
    "  file:PATH                a file's bytes\n"
    "TYPE: u8 u16 u32 u64 s8 s16 s32 s64 f16 bf16 f32 f64. --show prints elements of a buffer argument (from 0) after the launch.\n"
    "--cluster: blocks of a cluster along each axis; without it what the kernel's .reqnctapercluster says.\n"
    "--seed 0 runs blocks and warps in order; any other seed shuffles them (default 1).\n"
    "--repeat N launches N times over the same buffers: results and counters are of the last, seconds the median.\n"
    "\n"
    "Exit codes: 0 all is well; 1 the PTX was refused, the kernel faulted, or stat finds it over its launch bound; 2 the command line is wrong.\n";

}  // namespace

int main(int argc, char** argv) {
  using namespace ptxsim;
  if (const char* refusal = refusalOfProcessor()) {
    std::fprintf(stderr, "ptxsim: %s\n", refusal);
    return cli::KernelFailed;
  }

  std::string command = argc > 1 ? argv[1] : "";
  bool wantsHelp = command == "help";
  for (int i = 1; i < argc; i++) wantsHelp |= std::string_view(argv[i]) == "--help" || std::string_view(argv[i]) == "-h";
  if (wantsHelp) {
    std::fputs(Usage, stdout);
    return cli::Good;
  }

  try {
    if (command == "run") return cli::run({argc, argv, 2});
    if (command == "stat") return cli::stat({argc, argv, 2});
    throw cli::UsageError(command.empty() ? "a command is missing: run or stat" : "there is no command '" + command + "': run or stat");
  } catch (const cli::UsageError& error) {
    std::fprintf(stderr, "ptxsim: %s\nptxsim --help shows the options\n", error.what());
    return cli::WrongUsage;
  } catch (const std::invalid_argument& error) {
    // A launch that a driver refuses.
    std::fprintf(stderr, "ptxsim: %s\n", error.what());
    return cli::WrongUsage;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "ptxsim: the buffers do not fit into the device's memory\n");
    return cli::WrongUsage;
  } catch (const PtxError& error) {
    std::fprintf(stderr, "ptxsim: %s: %s\n", argc > 2 ? argv[2] : "", error.what());
    return cli::KernelFailed;
  } catch (const KernelFault& fault) {
    std::fprintf(stderr, "ptxsim: %s\n", fault.what());
    return cli::KernelFailed;
  }
}
