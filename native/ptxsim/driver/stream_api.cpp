// Streams and events (CUDA driver API, "Stream Management", "Event Management"); of captures, graph_api.cpp.
#include "driver/driver.h"

using namespace ptxsim;

namespace {

constexpr unsigned NonBlocking = 1;  // CU_STREAM_NON_BLOCKING

// An event of a capture stands for no moment that a host could wait for.
int refuseCaptured(Driver& driver, const Event& event) {
  if (!event.isCaptured) return Success;
  if (event.stream->capture) event.stream->capture->isSpoiled = true;
  return driver.fail(CapturedEvent, "the event was recorded in a stream that was capturing");
}

}  // namespace

PTXSIM_API cuStreamCreate(void** handle, unsigned flags) {
  PTXSIM_ENTER;
  auto* stream = new Stream;
  stream->isBlocking = (flags & NonBlocking) == 0;
  driver.add(stream);
  *handle = stream;
  return Success;
}

PTXSIM_API cuStreamCreateWithPriority(void** handle, unsigned flags, int) { return cuStreamCreate(handle, flags); }

PTXSIM_API cuStreamDestroy_v2(void* handle) {
  auto& driver = Driver::instance();
  std::lock_guard lock(driver.mutex());
  auto* stream = static_cast<Stream*>(handle);
  driver.drain(*stream);
  driver.remove(stream);
  delete stream;
  return driver.sticky();
}

PTXSIM_API cuStreamSynchronize(void* handle) {
  PTXSIM_ENTER;
  auto& stream = driver.streamOf(handle);
  if (int refused = driver.refuseWaiting(stream, "cuStreamSynchronize")) return refused;
  driver.drain(stream);
  return driver.sticky();
}

PTXSIM_API cuStreamQuery(void* handle) {
  PTXSIM_ENTER;
  auto& stream = driver.streamOf(handle);
  if (int refused = driver.refuseWaiting(stream, "cuStreamQuery")) return refused;
  return stream.queue.empty() ? Success : NotReady;
}

// The other stream's work up to the event comes first whenever this stream's next work runs.
PTXSIM_API cuStreamWaitEvent(void* handle, void* event, unsigned) {
  PTXSIM_ENTER;
  Event recorded = *static_cast<Event*>(event);
  if (!recorded.stream) return Success;
  auto& stream = driver.streamOf(handle);
  // Within one capture the stream's order is all there is; to others a capture is not spread here.
  if (recorded.isCaptured && recorded.stream == &stream && stream.capture) return Success;
  if (int refused = refuseCaptured(driver, recorded)) return refused;
  return driver.submit(stream, {NodeKind::Wait, nullptr, 0, [&driver, recorded] { driver.drain(*recorded.stream, recorded.position); }});
}

PTXSIM_API cuEventCreate(void** event, unsigned) {
  *event = new Event;
  return Success;
}

PTXSIM_API cuEventDestroy_v2(void* event) {
  delete static_cast<Event*>(event);
  return Success;
}

PTXSIM_API cuEventRecord(void* handle, void* stream) {
  PTXSIM_ENTER;
  auto& event = *static_cast<Event*>(handle);
  event.stream = &driver.streamOf(stream);
  event.position = event.stream->submitted;
  event.isCaptured = event.stream->capture != nullptr;
  event.time = std::chrono::steady_clock::now();
  return Success;
}

PTXSIM_API cuEventQuery(void* handle) {
  PTXSIM_ENTER;
  const auto& event = *static_cast<Event*>(handle);
  if (int refused = refuseCaptured(driver, event)) return refused;
  return !event.stream || event.stream->completed >= event.position ? Success : NotReady;
}

PTXSIM_API cuEventSynchronize(void* handle) {
  PTXSIM_ENTER;
  const auto& event = *static_cast<Event*>(handle);
  if (int refused = refuseCaptured(driver, event)) return refused;
  if (event.stream) driver.drain(*event.stream, event.position);
  return driver.sticky();
}

PTXSIM_API cuEventElapsedTime(float* milliseconds, void* from, void* to) {
  *milliseconds = std::chrono::duration<float, std::milli>(static_cast<Event*>(to)->time - static_cast<Event*>(from)->time).count();
  return Success;
}
