// ptxsim run: one launch of one kernel, with every check, and what it cost.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "cli/arguments.h"
#include "cli/cli.h"
#include "exec/image.h"
#include "exec/launch.h"

namespace ptxsim::cli {
namespace {

const std::vector<std::string> Options = {"--grid", "--block", "--cluster", "--shared", "--arg", "--show", "--seed", "--threads", "--repeat",
                                          "--no-checks"};

void print(const Counters& counters, double seconds) {
  for (size_t i = 0; i < static_cast<size_t>(Count::Number); i++)
    if (auto count = static_cast<Count>(i); counters[count] != 0)
      std::printf("%-24s %14llu\n", nameOf(count), static_cast<unsigned long long>(counters[count]));
  std::printf("%-24s %14.6f\n", "seconds", seconds);
}

const Kernel& kernelOf(const Image& image, const std::string& name) {
  if (auto found = image.kernels.find(name); found != image.kernels.end()) return *found->second;
  std::vector<std::string> known;
  for (const auto& [entry, kernel] : image.kernels) known.push_back(entry);
  throw UsageError("the file has no kernel '" + name + "'" + (known.empty() ? ", nor any other" : "; did you mean " + nearest(name, known) + "?"));
}

}  // namespace

int run(Words words) {
  std::string path = words.take("a PTX file"), name = words.take("the name of a kernel");
  LaunchShape shape;
  shape.block[0] = 32;
  shape.id = 1;
  ExecutorOptions options;
  options.seed = 1;
  std::vector<std::string> texts, shows;
  uint64_t repeats = 1;
  while (!words.isEmpty()) {
    std::string option = words.take("an option");
    if (option == "--grid") triple(words.valueOf(option), option, shape.grid);
    else if (option == "--block") triple(words.valueOf(option), option, shape.block);
    else if (option == "--cluster") triple(words.valueOf(option), option, shape.cluster);
    else if (option == "--shared") shape.dynamicShared = static_cast<uint32_t>(wholeNumber(words.valueOf(option), option, 227 * 1024));
    else if (option == "--arg") texts.push_back(words.valueOf(option));
    else if (option == "--show") shows.push_back(words.valueOf(option));
    else if (option == "--seed") options.seed = wholeNumber(words.valueOf(option), option, ~uint64_t{0});
    else if (option == "--threads") options.threads = static_cast<int>(wholeNumber(words.valueOf(option), option, 1024));
    else if (option == "--repeat") repeats = wholeNumber(words.valueOf(option), option, 1000);
    else if (option == "--no-checks") options.checks = false;
    else unknownOption(option, Options);
  }

  DeviceMemory memory;
  memory.setChecks(options.checks);
  auto image = load(readFile(path), memory);
  const Kernel& kernel = kernelOf(*image, name);
  std::vector<Argument> arguments;
  for (const auto& text : texts) arguments.push_back(parseArgument(text, memory, options.seed + arguments.size()));
  auto parameters = place(kernel, arguments);
  shape.parameters = parameters.data();
  Counters counters;
  std::vector<double> seconds;
  for (; shape.id <= std::max<uint64_t>(repeats, 1); shape.id++) {
    auto begun = std::chrono::steady_clock::now();
    counters = launch(kernel, shape, memory, options);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  }

  std::nth_element(seconds.begin(), seconds.begin() + static_cast<ptrdiff_t>(seconds.size() / 2), seconds.end());
  for (const auto& text : shows) std::printf("%s\n", show(text, arguments).c_str());
  print(counters, seconds[seconds.size() / 2]);
  return Good;
}

}  // namespace ptxsim::cli
