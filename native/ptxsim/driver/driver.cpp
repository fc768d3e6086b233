#include "driver/driver.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "exec/fault.h"

namespace ptxsim {
namespace {

int64_t number(const char* name, int64_t fallback) {
  const char* text = std::getenv(name);
  return text && *text ? std::strtoll(text, nullptr, 10) : fallback;
}

std::string text(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

const char* nameOfResult(int result) {
  switch (result) {
    case Success: return "no error";
    case InvalidValue: return "invalid argument";
    case OutOfMemory: return "out of memory";
    case InvalidDevice: return "invalid device ordinal";
    case NoBinaryForGpu: return "no kernel image is available for execution on the device";
    case InvalidPtx: return "a PTX JIT compilation failed";
    case InvalidHandle: return "invalid resource handle";
    case NotFound: return "named symbol not found";
    case 700: return "an illegal memory access was encountered";
    case 701: return "too many resources requested for launch";
    case 702: return "the launch timed out and was terminated";
    case 710: return "device-side assert triggered";
    case 715: return "an illegal instruction was encountered";
    case 716: return "misaligned address";
    case 717: return "operation not supported on global/shared address space";
    case LaunchFailed: return "unspecified launch failure";
    case NotSupported: return "operation not supported";
    default: return "unknown error";
  }
}

}  // namespace

Driver& Driver::instance() {
  // Never destroyed: managed runtimes call into the driver while the process ends.
  static Driver& driver = *new Driver;
  return driver;
}

Driver::Driver()
    : settings_{static_cast<int>(number("PTXSIM_SM", 80)), number("PTXSIM_CHECKS", 1) != 0, number("PTXSIM_LATE", 0) != 0,
                static_cast<uint64_t>(number("PTXSIM_SEED", 1)), static_cast<int>(number("PTXSIM_THREADS", 0)), text("PTXSIM_COUNTERS"),
                text("PTXSIM_DUMP"), number("PTXSIM_LOG", 0) != 0} {
  memory_.setChecks(settings_.checks);
  streams_.push_back(&defaultStream_);
}

int Driver::fail(int result, const std::string& message) {
  lastFailure_ = result;
  message_ = message;
  if (settings_.log) std::fprintf(stderr, "ptxsim: error %d: %s\n", result, message.c_str());
  return result;
}

int Driver::failForGood(int result, const std::string& message) {
  sticky_ = result;
  return fail(result, message);
}

std::string Driver::messageOf(int result) const {
  std::string name = nameOfResult(result);
  return result == lastFailure_ && !message_.empty() ? name + ": " + message_ : name;
}

void Driver::submit(Stream& stream, Work work) {
  if (stream.capture) {
    stream.capture->work.push_back(std::move(work));
    return;
  }

  stream.submitted++;
  if (!settings_.late) {
    work();
    stream.completed++;
    return;
  }

  // The default stream waits for all others and they for it.
  bool isDefault = &stream == &defaultStream_;
  for (Stream* other : streams_)
    if (other != &stream && (isDefault || other == &defaultStream_)) drain(*other);
  stream.queue.push_back(std::move(work));
}

void Driver::drain(Stream& stream, uint64_t upTo) {
  while (!stream.queue.empty() && stream.completed < upTo) {
    auto work = std::move(stream.queue.front());
    stream.queue.pop_front();
    stream.completed++;
    if (sticky_ == 0) work();
  }
}

void Driver::drainAll() {
  for (size_t i = 0; i < streams_.size(); i++) drain(*streams_[i]);
}

int Driver::launch(DriverFunction& function, const LaunchShape& shape, std::vector<uint8_t> parameters, Stream& stream) {
  const Kernel& kernel = *function.kernel;
  if (shape.dynamicShared > function.maxDynamicShared)
    return fail(InvalidValue, "kernel '" + kernel.name + "': " + std::to_string(shape.dynamicShared) +
                                  " bytes of dynamic shared memory, above its limit of " + std::to_string(function.maxDynamicShared) +
                                  "; raise CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES first");
  // What the driver itself refuses, it refuses at the call.
  try {
    check(kernel, shape);
  } catch (const std::invalid_argument& refused) {
    return fail(InvalidValue, refused.what());
  }

  submit(stream, [this, &kernel, shape, parameters = std::move(parameters)] { runKernel(kernel, shape, parameters); });
  return sticky_;
}

void Driver::runKernel(const Kernel& kernel, LaunchShape shape, const std::vector<uint8_t>& parameters) {
  shape.parameters = parameters.data();
  shape.id = ++launches_;
  ExecutorOptions options;
  options.checks = settings_.checks;
  options.threads = settings_.threads;
  options.seed = settings_.seed == 0 ? 0 : settings_.seed + launches_;
  auto begun = std::chrono::steady_clock::now();
  try {
    auto counters = ptxsim::launch(kernel, shape, memory_, options);
    if (!settings_.counters.empty())
      writeCounters(kernel, shape, counters, std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  } catch (const KernelFault& fault) {
    failForGood(cudaError(fault.kind()), fault.what());
  } catch (const std::exception& error) {
    failForGood(LaunchFailed, error.what());
  }
}

void Driver::writeCounters(const Kernel& kernel, const LaunchShape& shape, const Counters& counters, double seconds) {
  FILE* file = std::fopen(settings_.counters.c_str(), "a");
  if (!file) return;
  std::fprintf(file, "{\"kernel\":\"%s\",\"grid\":[%u,%u,%u],\"block\":[%u,%u,%u],\"seconds\":%.6f", kernel.name.c_str(), shape.grid[0], shape.grid[1],
               shape.grid[2], shape.block[0], shape.block[1], shape.block[2], seconds);
  for (size_t i = 0; i < static_cast<size_t>(Count::Number); i++) {
    auto count = static_cast<Count>(i);
    if (counters[count] != 0) std::fprintf(file, ",\"%s\":%llu", nameOf(count), static_cast<unsigned long long>(counters[count]));
  }

  std::fputs("}\n", file);
  std::fclose(file);
}

}  // namespace ptxsim
