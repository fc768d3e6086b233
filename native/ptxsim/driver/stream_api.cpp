// Streams, events, graphs (CUDA driver API, "Stream Management", "Event Management", "Graph Management").
#include "driver/driver.h"

using namespace ptxsim;

PTXSIM_API cuStreamCreate(void** handle, unsigned) {
  PTXSIM_ENTER;
  auto* stream = new Stream;
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
  driver.drain(driver.streamOf(handle));
  return driver.sticky();
}

PTXSIM_API cuStreamQuery(void* handle) {
  PTXSIM_ENTER;
  return driver.streamOf(handle).queue.empty() ? Success : NotReady;
}

// The other stream's work up to the event comes first whenever this stream's next work runs.
PTXSIM_API cuStreamWaitEvent(void* handle, void* event, unsigned) {
  PTXSIM_ENTER;
  Event recorded = *static_cast<Event*>(event);
  if (!recorded.stream) return Success;
  driver.submit(driver.streamOf(handle), [&driver, recorded] { driver.drain(*recorded.stream, recorded.position); });
  return driver.sticky();
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
  event.time = std::chrono::steady_clock::now();
  return Success;
}

PTXSIM_API cuEventQuery(void* handle) {
  PTXSIM_ENTER;
  const auto& event = *static_cast<Event*>(handle);
  return !event.stream || event.stream->completed >= event.position ? Success : NotReady;
}

PTXSIM_API cuEventSynchronize(void* handle) {
  PTXSIM_ENTER;
  const auto& event = *static_cast<Event*>(handle);
  if (event.stream) driver.drain(*event.stream, event.position);
  return driver.sticky();
}

PTXSIM_API cuEventElapsedTime(float* milliseconds, void* from, void* to) {
  *milliseconds = std::chrono::duration<float, std::milli>(static_cast<Event*>(to)->time - static_cast<Event*>(from)->time).count();
  return Success;
}

PTXSIM_API cuStreamBeginCapture_v2(void* handle, int) {
  PTXSIM_ENTER;
  if (!handle) return driver.fail(StreamCaptureUnsupported, "the default stream cannot be captured");
  driver.streamOf(handle).capture = std::make_unique<Graph>();
  return Success;
}

PTXSIM_API cuStreamIsCapturing(void* handle, int* status) {
  PTXSIM_ENTER;
  *status = driver.streamOf(handle).capture ? 1 : 0;
  return Success;
}

PTXSIM_API cuStreamEndCapture(void* handle, void** graph) {
  PTXSIM_ENTER;
  auto& stream = driver.streamOf(handle);
  if (!stream.capture) return driver.fail(StreamCaptureInvalidated, "the stream captures nothing");
  *graph = stream.capture.release();
  return Success;
}

PTXSIM_API cuGraphInstantiateWithFlags(void** executable, void* graph, uint64_t) {
  *executable = new Graph(*static_cast<Graph*>(graph));
  return Success;
}

PTXSIM_API cuGraphInstantiate_v2(void** executable, void* graph, void**, char*, size_t) { return cuGraphInstantiateWithFlags(executable, graph, 0); }

PTXSIM_API cuGraphLaunch(void* executable, void* stream) {
  PTXSIM_ENTER;
  for (const auto& work : static_cast<Graph*>(executable)->work) driver.submit(driver.streamOf(stream), work);
  return driver.sticky();
}

PTXSIM_API cuGraphExecDestroy(void* executable) {
  auto& driver = Driver::instance();
  std::lock_guard lock(driver.mutex());
  driver.drainAll();
  delete static_cast<Graph*>(executable);
  return Success;
}

PTXSIM_API cuGraphDestroy(void* graph) {
  delete static_cast<Graph*>(graph);
  return Success;
}
