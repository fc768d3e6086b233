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
    case IllegalState: return "the operation cannot be performed in the present state";
    case NotFound: return "named symbol not found";
    case IllegalAddress: return "an illegal memory access was encountered";
    case 701: return "too many resources requested for launch";
    case 702: return "the launch timed out and was terminated";
    case 710: return "device-side assert triggered";
    case 715: return "an illegal instruction was encountered";
    case 716: return "misaligned address";
    case 717: return "operation not supported on global/shared address space";
    case LaunchFailed: return "unspecified launch failure";
    case NotSupported: return "operation not supported";
    case StreamCaptureUnsupported: return "operation not permitted when stream is capturing";
    case StreamCaptureInvalidated: return "operation failed due to a previous error during capture";
    case StreamCaptureIsolation: return "dependency created on uncaptured work in another stream";
    case StreamCaptureImplicit: return "operation would make the legacy stream depend on a capturing blocking stream";
    case CapturedEvent: return "operation not permitted on an event last recorded in a capturing stream";
    case StreamCaptureWrongThread: return "attempt to terminate a thread-local capture sequence from another thread";
    case GraphExecUpdateFailure: return "the graph update was not performed because it included changes which violated constraints";
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
                text("PTXSIM_DUMP"), text("PTXSIM_CALLS"), number("PTXSIM_LOG", 0) != 0} {
  memory_.setChecks(settings_.checks);
  streams_.push_back(&defaultStream_);
  if (!settings_.calls.empty()) std::atexit([] { instance().writeCalls(); });
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

int Driver::spoil(Capture& capture, int result, const std::string& message) {
  capture.isSpoiled = true;
  return fail(result, message);
}

int Driver::refuseUnsafe(const char* call) {
  int result = Success;
  for (Stream* stream : streams_) {
    Capture* capture = stream->capture.get();
    if (!capture || capture->mode == Capture::Relaxed) continue;
    if (capture->mode == Capture::ThreadLocal && capture->thread != std::this_thread::get_id()) continue;
    result = spoil(*capture, StreamCaptureUnsupported, std::string(call) + " while a stream is capturing");
  }

  return result;
}

int Driver::refuseWaiting(Stream& stream, const char* call) {
  return stream.capture ? spoil(*stream.capture, StreamCaptureUnsupported, std::string(call) + " of a stream that is capturing") : Success;
}

int Driver::refuseWaitingForAll(const char* call) {
  int result = Success;
  for (Stream* stream : streams_)
    if (int refused = refuseWaiting(*stream, call)) result = refused;
  return result;
}

int Driver::submit(Stream& stream, Node node) {
  if (stream.capture) {
    if (stream.capture->isSpoiled) return fail(StreamCaptureInvalidated, "the capture has failed before");
    if (node.kind == NodeKind::Wait) return spoil(*stream.capture, StreamCaptureIsolation, "a capturing stream waits for an event of uncaptured work");
    stream.capture->graph.nodes.push_back(std::move(node));
    return Success;
  }

  if (&stream == &defaultStream_)
    for (Stream* other : streams_)
      if (other->capture && other->isBlocking) return spoil(*other->capture, StreamCaptureImplicit, "work in the default stream");

  stream.submitted++;
  if (!settings_.late) {
    node.work();
    stream.completed++;
    return sticky_;
  }

  // The default stream waits for all others and they for it.
  bool isDefault = &stream == &defaultStream_;
  for (Stream* other : streams_)
    if (other != &stream && (isDefault || other == &defaultStream_)) drain(*other);
  stream.queue.push_back(std::move(node.work));
  return sticky_;
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

  auto kept = function.kernel;
  return submit(stream, {NodeKind::Kernel, kept.get(), 0,
                         [this, kept, shape, parameters = std::move(parameters)] { runKernel(*kept, shape, parameters); }});
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

void Driver::writeCalls() const {
  FILE* file = std::fopen(settings_.calls.c_str(), "w");
  if (!file) return;
  for (const auto& [call, times] : calls_) std::fprintf(file, "{\"call\":\"%s\",\"times\":%llu}\n", call.c_str(), static_cast<unsigned long long>(times));
  std::fclose(file);
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
